-- SPDX-License-Identifier: MIT
-- bare_coroutine.lua N: as spawn_await.lua, with plain coroutines: batches of N are created, then run.
local OUTSTANDING, ALL = tonumber((...)), 1000000
local create, resume = coroutine.create, coroutine.resume
local now = require("luv").hrtime

local function body(i)
  return i
end

local function batches(count)
  local list, sum = {}, 0
  for _ = 1, count do
    for i = 1, OUTSTANDING do
      list[i] = create(body)
    end
    for i = 1, OUTSTANDING do
      local _, value = resume(list[i], i)
      sum = sum + value
    end
  end
  assert(sum == count * OUTSTANDING * (OUTSTANDING + 1) // 2)
end

batches(ALL // OUTSTANDING // 10) -- warm up
local t0 = now()
batches(ALL // OUTSTANDING)
io.write(('{"ns":%.1f}\n'):format((now() - t0) / ALL))
