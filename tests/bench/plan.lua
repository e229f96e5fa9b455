-- SPDX-License-Identifier: MIT
-- Graphs of named tasks with two needs each, declared and planned, up to 1,000,000: time and memory a task.
local figure = require("support.figure")

for _, n in ipairs({ 10000, 100000 }) do
  figure.limit({ bench = "plan", n = n, unit = "ns", ours = { "plan.lua", tostring(n) } })
end
figure.limit({ bench = "plan", n = 1000000, unit = "ns", at_most = 3000, ours = { "plan.lua", "1000000" } })
figure.limit({ bench = "plan_memory", n = 1000000, unit = "bytes", at_most = 800, rounds = 1,
  ours = { "plan.lua", "1000000" } })
