-- SPDX-License-Identifier: MIT
-- map of a function that only computes: one worker against two, so that the ratio is the speed-up.
local figure = require("support.figure")

figure.compare({
  bench = "pool_map", n = 2000, rounds = 7,
  ours = { "pool_map.lua", env = { TUTTI_WORKERS = "1" }, name = "1 worker" },
  others = { { "pool_map.lua", env = { TUTTI_WORKERS = "2" }, name = "2 workers", at_least = 1.8 } },
})
