-- SPDX-License-Identifier: MIT
-- A chain of 1,000,000 tasks by `after` against a chain of `await` in Node.
local figure = require("support.figure")

figure.compare({
  bench = "after_chain", n = 1000000, rounds = 3, ours = { "after_chain.lua" },
  others = { { "await_chain.js", by = "node", name = "node", at_most = 0.75 } },
})
