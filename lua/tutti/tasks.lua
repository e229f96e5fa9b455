-- SPDX-License-Identifier: MIT
--- tutti.tasks() and tutti.stats(): what this state's tasks are doing, and numbers.
---
--- A task that runs on the pool is a node under the task that started it; what it starts itself is
--- known to its worker alone, and shown by a tutti.tasks() of its own.
---@module "tutti.tasks"
local core = require("tutti.core")

local STATES = { [0] = "waiting", "ready", "running", "suspended", "done", "failed", "cancelled", "skipped" }

local function line_of(node, depth)
  local text = ("%s%s %d \"%s\" (%s, %.1f s)"):format(("  "):rep(depth), node.kind, node.id, node.name,
    node.state, node.age)
  if node.waits_for then
    text = text .. " waits for " .. node.waits_for
  end
  if node.line and node.line ~= node.name then
    text = text .. " at " .. node.line
  end
  return text
end

-- The lines of a tree; a list of its own instead of a recursion, since it may be deep.
local function text_of(tree)
  local lines, stack = {}, {}
  for i = #tree, 1, -1 do
    stack[#stack + 1] = { tree[i], 0 }
  end
  while #stack > 0 do
    local node, depth = table.unpack(table.remove(stack))
    lines[#lines + 1] = line_of(node, depth)
    for i = #node.children, 1, -1 do
      stack[#stack + 1] = { node.children[i], depth + 1 }
    end
  end
  return table.concat(lines, "\n")
end

local tree_meta = { __name = "tutti.tree", __tostring = text_of, __index = { text = text_of } }

local function reverse(list)
  for i = 1, #list // 2 do
    list[i], list[#list - i + 1] = list[#list - i + 1], list[i]
  end
end

--- The tasks of this state that have not settled, as a tree: a list of
--- { id, name, kind, state, age, line, started, waits_for, children, task }, oldest first. Of more than
--- `most` only the newest.
local function tree_of(most)
  local tree = {}
  local path = { [0] = tree } -- depth -> the list that takes nodes below it
  local lists = { tree }
  for _, node in ipairs(core.tree(most)) do
    local depth = node.depth
    node.depth = nil
    node.state = STATES[node.state]
    node.children = {}
    lists[#lists + 1] = node.children
    local above = path[depth - 1]
    above[#above + 1] = node
    path[depth] = node.children
  end
  for _, list in ipairs(lists) do
    reverse(list)
  end
  return setmetatable(tree, tree_meta)
end

local function tasks()
  return tree_of()
end

--- Numbers of the engine (submitted, settled, steals, wakes, slab_bytes, workers, spares, blocking) and of
--- this state (made, live, coroutines_kept, lua_bytes).
local function stats()
  return core.stats()
end

return { exports = { tasks = tasks, stats = stats }, tree = tree_of, STATES = STATES }
