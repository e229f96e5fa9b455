-- SPDX-License-Identifier: MIT
-- Resident bytes of each of a million sleeping tasks, beyond the slot of the list they are kept in.
local tutti = require("tutti")
local rss = require("tests.bench.lua.rss")

local N = 1000000

local asleep = 0

local function body()
  asleep = asleep + 1
  tutti.sleep(3600)
end

local tasks = {}
for i = 1, N do
  tasks[i] = false
end
collectgarbage()
local before = rss()
for i = 1, N do
  tasks[i] = tutti.spawn(body)
end
while asleep < N do
  tutti.checkpoint()
end
collectgarbage()
local bytes = (rss() - before) / N
io.write(('{"bytes":%.1f}\n'):format(bytes))
for i = 1, N do
  tasks[i]:cancel()
end
