-- SPDX-License-Identifier: MIT
-- spawn_await.lua N: batches of N tasks are spawned, then awaited; one million in all.
local tutti = require("tutti")

local OUTSTANDING, ALL = tonumber((...)), 1000000
local spawn = tutti.spawn

local function body(i)
  return i
end

local function batches(count)
  local list, sum = {}, 0
  for _ = 1, count do
    for i = 1, OUTSTANDING do
      list[i] = spawn(body, i)
    end
    for i = 1, OUTSTANDING do
      sum = sum + list[i]:await()
    end
  end
  assert(sum == count * OUTSTANDING * (OUTSTANDING + 1) // 2)
end

batches(OUTSTANDING < ALL and ALL // OUTSTANDING // 10 or 0) -- warm up
local t0 = tutti.now()
batches(ALL // OUTSTANDING)
io.write(('{"ns":%.1f}\n'):format((tutti.now() - t0) / ALL * 1e9))
