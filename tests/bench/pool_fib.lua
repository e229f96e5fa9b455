-- SPDX-License-Identifier: MIT
-- fib(32) as a task of the pool against stock lua5.4.
local figure = require("support.figure")

figure.compare({
  bench = "pool_fib", n = 1, rounds = 11, ours = { "pool_fib.lua" },
  others = { { "bare_fib.lua", by = "lua5.4", name = "lua5.4", at_most = 1.05 } },
})
