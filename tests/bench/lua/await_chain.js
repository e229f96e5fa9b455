// SPDX-License-Identifier: MIT
// A chain of a million async functions, each awaiting the one before.
const N = 1000000;

async function first() {
  return 1;
}

async function step(before) {
  return (await before) + 1;
}

async function main() {
  const t0 = process.hrtime.bigint();
  let last = first();
  for (let i = 2; i <= N; i++) {
    last = step(last);
  }
  const sum = await last;
  const ns = Number(process.hrtime.bigint() - t0) / N;
  if (sum !== N) {
    throw new Error(`wrong sum: ${sum}`);
  }
  console.log(`{"ns":${ns.toFixed(1)}}`);
}

main();
