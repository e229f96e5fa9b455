-- SPDX-License-Identifier: MIT
-- round_trip.lua reused|fresh: parallel and await, 1,000 in flight, a function with two upvalues that is used
-- again or made anew for each call.
local tutti = require("tutti")

local IN_FLIGHT, ALL = 1000, 200000
local parallel = tutti.parallel
local factor, offset = 3, 4

local function reused(i)
  return i * factor + offset
end

local start = {
  reused = function(i) return parallel(reused, i) end,
  fresh = function(i) return parallel(function() return i * factor + offset end) end,
}

local function batches(count, begin)
  local list, sum = {}, 0
  for _ = 1, count do
    for i = 1, IN_FLIGHT do
      list[i] = begin(i)
    end
    for i = 1, IN_FLIGHT do
      sum = sum + list[i]:await()
    end
  end
  assert(sum == count * (factor * IN_FLIGHT * (IN_FLIGHT + 1) // 2 + offset * IN_FLIGHT))
end

local begin = start[(...)]
batches(20, begin) -- warm up: opens the workers' states
local t0 = tutti.now()
batches(ALL // IN_FLIGHT, begin)
io.write(('{"ns":%.1f}\n'):format((tutti.now() - t0) / ALL * 1e9))
