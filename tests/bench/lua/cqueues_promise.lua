-- SPDX-License-Identifier: MIT
-- cqueues_promise.lua N: as spawn_await.lua, with the promises of cqueues; a tenth as many.
local cqueues = require("cqueues")
local promise = require("cqueues.promise")

local OUTSTANDING, ALL = tonumber((...)), 100000

local function body(i)
  return i
end

local function batches(count)
  local list, sum = {}, 0
  for _ = 1, count do
    for i = 1, OUTSTANDING do
      list[i] = promise.new(body, i)
    end
    for i = 1, OUTSTANDING do
      sum = sum + list[i]:get()
    end
  end
  assert(sum == count * OUTSTANDING * (OUTSTANDING + 1) // 2)
end

local loop = cqueues.new()
loop:wrap(function()
  batches(ALL // OUTSTANDING // 10) -- warm up
  local t0 = cqueues.monotime()
  batches(ALL // OUTSTANDING)
  io.write(('{"ns":%.1f}\n'):format((cqueues.monotime() - t0) / ALL * 1e9))
end)
assert(loop:loop())
