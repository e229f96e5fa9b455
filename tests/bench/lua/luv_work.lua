-- SPDX-License-Identifier: MIT
-- luv's thread pool: new_work of a bare number, 1,000 in flight.
local uv = require("luv")

local IN_FLIGHT, ALL = 1000, 200000

local function batches(count)
  local sum, left, context = 0, count, nil
  local in_flight = 0
  local function batch()
    left = left - 1
    in_flight = IN_FLIGHT
    for i = 1, IN_FLIGHT do
      context:queue(i)
    end
  end
  context = uv.new_work(function(i) return i * 3 + 4 end, function(value)
    sum = sum + value
    in_flight = in_flight - 1
    if in_flight == 0 and left > 0 then
      batch()
    end
  end)
  batch()
  uv.run()
  assert(sum == count * (3 * IN_FLIGHT * (IN_FLIGHT + 1) // 2 + 4 * IN_FLIGHT))
end

batches(20) -- warm up
local t0 = uv.hrtime()
batches(ALL // IN_FLIGHT)
io.write(('{"ns":%.1f}\n'):format((uv.hrtime() - t0) / ALL))
