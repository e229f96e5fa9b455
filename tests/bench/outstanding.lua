-- SPDX-License-Identifier: MIT
-- spawn and await in one state: 1,000 outstanding against a bare coroutine and cqueues' promise; 1,000,000
-- outstanding against fixed limits, with the memory of each that has not begun.
local figure = require("support.figure")

figure.compare({
  bench = "spawn_await", n = 1000, rounds = 9, ours = { "spawn_await.lua", "1000" },
  others = {
    { "bare_coroutine.lua", "1000", by = "lua5.4", name = "bare coroutine", at_most = 2.2 },
    { "cqueues_promise.lua", "1000", by = "lua5.4", name = "cqueues promise", at_most = 0.12 },
  },
})
figure.limit({ bench = "spawn_await", n = 1000000, unit = "ns", at_most = 1000,
  ours = { "spawn_await.lua", "1000000" } })
figure.limit({ bench = "spawn_memory", n = 1000000, unit = "bytes", at_most = 300,
  ours = { "spawn_memory.lua" } })
