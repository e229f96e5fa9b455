-- SPDX-License-Identifier: MIT
-- tutti.map of a function that only computes, on as many workers as TUTTI_WORKERS says.
local tutti = require("tutti")

local N, STEPS = 2000, 20000

local function work(seed)
  local x = seed
  for _ = 1, STEPS do
    x = (x * 1103515245 + 12345) & 0x7fffffff
  end
  return x
end

local list = {}
for i = 1, N do
  list[i] = i
end
tutti.map({ 1, 2, 3, 4 }, work):await() -- opens the workers' states
local t0 = tutti.now()
local results = tutti.map(list, work):await()
local ns = (tutti.now() - t0) / N * 1e9
assert(#results == N and results[1] == work(1) and results[N] == work(N))
io.write(('{"ns":%.1f}\n'):format(ns))
