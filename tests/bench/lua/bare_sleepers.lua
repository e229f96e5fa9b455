-- SPDX-License-Identifier: MIT
-- Resident bytes of each of a million suspended coroutines, beyond the slot of the list they are kept in.
local rss = require("tests.bench.lua.rss")

local N = 1000000

local asleep = 0

local function body()
  asleep = asleep + 1
  coroutine.yield()
end

local threads = {}
for i = 1, N do
  threads[i] = false
end
collectgarbage()
local before = rss()
for i = 1, N do
  threads[i] = coroutine.create(body)
end
for i = 1, N do
  assert(coroutine.resume(threads[i]))
end
assert(asleep == N)
collectgarbage()
io.write(('{"bytes":%.1f}\n'):format((rss() - before) / N))
