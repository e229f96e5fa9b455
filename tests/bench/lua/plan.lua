-- SPDX-License-Identifier: MIT
-- So many tasks, each with two needs among those before it, declared and planned: nanoseconds of CPU time and
-- resident bytes a task. The names are made before: they are the script's.
local tutti = require("tutti")
local rss = require("tests.bench.lua.rss")

local n = tonumber(arg[1])

local names, seed = {}, 1
for i = 1, n do
  names[i] = "task " .. i
end

local function random(most)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return seed // 65536 % most + 1
end

local function noop() end

collectgarbage()
local before, began = rss(), os.clock()
local g = tutti.graph("plan"):task(names[1], noop):task(names[2], noop)
for i = 3, n do
  local near = i - random(math.min(1000, i - 2))
  g:task(names[i], { needs = { names[near], names[near - 1] } }, noop)
end
local plan = g:plan()
local took, bytes = os.clock() - began, rss() - before

-- Proof: each task comes after what it needs.
assert(#plan.nodes == n)
for i, node in ipairs(plan.nodes) do
  for _, need in ipairs(node.needs) do
    assert(plan.position[need] < i)
  end
end
io.write(('{"ns":%.1f,"bytes":%.1f}\n'):format(took / n * 1e9, bytes / n))
