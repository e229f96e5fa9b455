-- SPDX-License-Identifier: MIT
-- So many Lua tasks, each with two needs a thousand before it, declared, planned and run in mode "loop":
-- nanoseconds of CPU time and resident bytes a task. The names are made before: they are the script's.
local tutti = require("tutti")
local rss = require("tests.bench.lua.rss")

local n, WIDTH = tonumber(arg[1]), 1000

local names = {}
for i = 1, n do
  names[i] = "task " .. i
end

local function one() return 1 end
local function sum(a, b) return (a + b) % 1000003 end

collectgarbage()
local before, began = rss(), os.clock()
local g = tutti.graph("wide")
for i = 1, math.min(n, WIDTH) do
  g:task(names[i], one)
end
for i = WIDTH + 1, n do
  g:task(names[i], { needs = { names[i - WIDTH], names[i - WIDTH + 1] } }, sum)
end
local declared = os.clock()
local plan = g:plan()
local planned = os.clock()
local r = g:run():await()
local took, bytes = os.clock() - began, rss() - before

-- Proof: all have run, each on the results of what it needs.
assert(#plan.nodes == n and r:ok() and r.succeeded == n)
local value = {}
for i = 1, n do
  value[i] = i <= WIDTH and 1 or (value[i - WIDTH] + value[i - WIDTH + 1]) % 1000003
  assert(r.tasks[names[i]].value == value[i])
end
io.write(('{"ns":%.1f,"bytes":%.1f,"seconds":%.3f,"declare_ns":%.1f,"plan_ns":%.1f}\n')
  :format(took / n * 1e9, bytes / n, took, (declared - began) / n * 1e9, (planned - declared) / n * 1e9))
