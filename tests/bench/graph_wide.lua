-- SPDX-License-Identifier: MIT
-- Wide graphs of Lua tasks with two needs each, declared, planned and run in mode "loop": 100,000 in 0.6 s;
-- up to 1,000,000 in time that grows with the number, and at most 2 KiB each.
local figure = require("support.figure")

figure.limit({ bench = "graph_wide", n = 10000, unit = "ns", ours = { "graph_run.lua", "10000" } })
figure.limit({ bench = "graph_wide", n = 100000, unit = "seconds", at_most = 0.6, rounds = 5,
  ours = { "graph_run.lua", "100000" } })
figure.limit({ bench = "graph_wide", n = 1000000, unit = "ns", ours = { "graph_run.lua", "1000000" } })
figure.limit({ bench = "graph_wide_memory", n = 1000000, unit = "bytes", at_most = 2048, rounds = 1,
  ours = { "graph_run.lua", "1000000" } })
