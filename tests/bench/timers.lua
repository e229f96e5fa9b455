-- SPDX-License-Identifier: MIT
-- 100,000 timers armed by sleeping tasks, half of them cancelled: the time of it all, and how late the
-- others wake.
local figure = require("support.figure")

for _, row in ipairs({ { "timers", "ns", 1e9 }, { "timers_late", "late_ns", 5e6 } }) do
  figure.limit({ bench = row[1], unit = row[2], at_most = row[3], n = 100000, rounds = 5,
    ours = { "timers.lua" } })
end
