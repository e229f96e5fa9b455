-- SPDX-License-Identifier: MIT
-- A graph of three tasks, of which the first says when it runs: nanoseconds since this process was started.
local tutti = require("tutti")

-- The one who measures gives the moment before he started this process, on the clock that tutti.now() reads.
local before = tonumber(os.getenv("TUTTI_BENCH_BEFORE"))

local g = tutti.graph("three")
g:task("first", function()
  io.write(('{"ns":%.0f}\n'):format((tutti.now() - before) * 1e9))
end)
g:task("second", { needs = { "first" } }, function() end)
g:task("third", { needs = { "second" } }, function() end)
assert(g:run():await():ok())
