-- SPDX-License-Identifier: MIT
-- What a spawned task takes until it first runs, beyond its closure and the slot of a list it is kept in.
local tutti = require("tutti")
local rss = require("tests.bench.lua.rss")

local N = 1000000

local bodies, tasks = {}, {}
for i = 1, N do
  bodies[i], tasks[i] = function() return i end, false
end
collectgarbage()
collectgarbage("stop")
local before = rss()
for i = 1, N do
  tasks[i] = tutti.spawn(bodies[i])
end
local bytes = (rss() - before) / N
collectgarbage("restart")
for i = 1, N do
  assert(tasks[i]:await() == i)
end
io.write(('{"bytes":%.1f}\n'):format(bytes))
