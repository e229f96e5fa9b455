-- SPDX-License-Identifier: MIT
-- Memory of 1,000,000 sleeping tasks against 1,000,000 bare suspended coroutines.
local figure = require("support.figure")

figure.compare({
  bench = "sleepers", n = 1000000, rounds = 1, unit = "bytes", ours = { "sleepers.lua" },
  others = { { "bare_sleepers.lua", by = "lua5.4", name = "bare coroutine", at_most = 1.25 } },
})
