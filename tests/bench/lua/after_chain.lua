-- SPDX-License-Identifier: MIT
-- A chain of a million tasks, each after the one before; nobody keeps the options tables.
local tutti = require("tutti")

local N = 1000000

local function step(x)
  return x + 1
end

local t0 = tutti.now()
local last = tutti.spawn(step, 0)
for _ = 2, N do
  last = tutti.task({ step, after = { last } })
end
assert(last:await() == N)
io.write(('{"ns":%.1f}\n'):format((tutti.now() - t0) / N * 1e9))
