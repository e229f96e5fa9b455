-- SPDX-License-Identifier: MIT
-- parallel and back, 1,000 in flight, against luv's new_work of a bare number.
local figure = require("support.figure")

for _, row in ipairs({ { "reused", 0.8 }, { "fresh", 2 } }) do
  local kind, goal = table.unpack(row)
  figure.compare({
    bench = "round_trip_" .. kind, n = 200000, rounds = 7, ours = { "round_trip.lua", kind },
    others = { { "luv_work.lua", by = "lua5.4", name = "luv new_work", at_most = goal } },
  })
end
