-- SPDX-License-Identifier: MIT
--- The order of a graph's tasks: steps, and who waits for whom. Runs nothing.
---
--- A plan numbers its nodes 1, 2, ... step by step, within a step in order of addition; that is its order.
--- For what walks it, it is flat lists of those numbers:
---
---     nodes[i]                        the node
---     waits[i]                        how many nodes it waits for
---     edges[first[i]] ... edges[first[i + 1] - 1]      the numbers of those that wait for it
---     position[name]                  i (made when first asked for, as are `order` and `steps`)
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a plan never changes. Planning takes time and memory linear in nodes and needs, and does not
--- recurse.
---@module "tutti.graph.plan"
local names = require("tutti.graph.names")

local plan = {}

-- ---- levels --------------------------------------------------------------------------------

local function raise_missing(graph, node, need)
  names.raise_missing(graph, ("task \"%s\" needs"):format(node.name), need,
    names.edge_line(graph, node, need))
end

local ON_PATH = 0 -- the level of a node whose needs are being walked

-- One step of the walk from `node` on: the next of its needs without a level, or the node's own level.
local function next_need(graph, node, from, levels)
  local needs, level = node.needs, 1
  local by_name = graph.by_name
  for i = from, #needs do
    local need = by_name[needs[i]]
    if need == nil then
      raise_missing(graph, node, needs[i])
    end
    local found = levels[need.index]
    if found == nil or found == ON_PATH then
      return need, i
    end
  end
  for i = 1, #needs do
    local found = levels[by_name[needs[i]].index]
    if found >= level then
      level = found + 1
    end
  end
  return nil, level
end

-- Give `root` and all it needs their levels. What is below is walked by a stack of nodes, not by recursion.
local function walk(graph, root, levels, chosen)
  local stack, froms, depth = { root }, { 1 }, 1
  levels[root.index] = ON_PATH
  while depth > 0 do
    local node = stack[depth]
    local need, at = next_need(graph, node, froms[depth], levels)
    if need == nil then
      levels[node.index] = at
      depth = depth - 1
    elseif levels[need.index] == ON_PATH then
      require("tutti.graph.cycle").raise(graph, chosen)
    else
      froms[depth] = at
      depth = depth + 1
      stack[depth], froms[depth], levels[need.index] = need, 1, ON_PATH
    end
  end
end

-- The step of each node by its index: 1 if it needs nothing, else one more than the last of its needs.
local function find_levels(graph, chosen)
  local levels, by_name = {}, graph.by_name
  for _, node in ipairs(chosen) do
    local level = 1
    for _, name in ipairs(node.needs) do -- most are declared after what they need: no walk then
      local need = by_name[name]
      local found = need and levels[need.index]
      if found == nil then
        level = nil
        break
      elseif found >= level then
        level = found + 1
      end
    end
    if level then
      levels[node.index] = level
    elseif levels[node.index] == nil then
      walk(graph, node, levels, chosen)
    end
  end
  return levels
end

-- ---- order ---------------------------------------------------------------------------------

-- Sort by level, keeping the order within one; returns the nodes, and where each level begins.
local function sort_by_level(chosen, levels)
  local starts, highest = {}, 0
  for _, node in ipairs(chosen) do
    local level = levels[node.index]
    if level > highest then
      for more = highest + 1, level do
        starts[more] = 0
      end
      highest = level
    end
    starts[level] = starts[level] + 1
  end
  local sum = 1
  for level = 1, highest do
    starts[level], sum = sum, sum + starts[level]
  end
  starts[highest + 1] = sum
  local nodes, at = table.move(chosen, 1, #chosen, 1, {}), table.move(starts, 1, highest, 1, {})
  local positions = {}
  for _, node in ipairs(chosen) do
    local level = levels[node.index]
    local i = at[level]
    nodes[i], positions[node.index], at[level] = node, i, i + 1
  end
  return nodes, starts, positions
end

-- The lists `waits`, `first` and `edges`.
local function link(made, positions)
  local nodes, by_name = made.nodes, made.graph.by_name
  local waits, first, needed = {}, {}, {}
  for i = 1, #nodes do
    first[i] = 0
  end
  local count = 0
  for i, node in ipairs(nodes) do
    local needs = node.needs
    waits[i] = #needs
    for k = 1, #needs do
      local at = positions[by_name[needs[k]].index]
      count = count + 1
      needed[count], first[at] = at, first[at] + 1
    end
  end
  local sum, edges = 1, table.move(needed, 1, count, 1, {})
  for i = 1, #nodes do
    first[i], sum = sum, sum + first[i]
  end
  local at, k = table.move(first, 1, #nodes, 1, {}), 0
  first[#nodes + 1] = sum
  for i = 1, #nodes do
    for _ = 1, waits[i] do
      k = k + 1
      local need = needed[k]
      edges[at[need]], at[need] = i, at[need] + 1
    end
  end
  made.waits, made.first, made.edges = waits, first, edges
end

-- ---- what is made when asked for -----------------------------------------------------------

local late = {}

function late.order(made)
  local order = {}
  for i, node in ipairs(made.nodes) do
    order[i] = node.name
  end
  return order
end

function late.position(made)
  local position = {}
  for i, node in ipairs(made.nodes) do
    position[node.name] = i
  end
  return position
end

function late.steps(made)
  local order, starts, steps = made.order, made.starts, {}
  for level = 1, #starts - 1 do
    steps[level] = table.move(order, starts[level], starts[level + 1] - 1, 1, {})
  end
  return steps
end

-- ---- plans ---------------------------------------------------------------------------------

local methods = {}
plan.methods = methods

local plan_meta = { __name = "tutti.plan" }

function plan_meta.__index(made, key)
  if late[key] then
    local value = late[key](made)
    rawset(made, key, value)
    return value
  end
  return methods[key]
end

function plan_meta.__tostring(made)
  local tasks, steps = #made.nodes, #made.starts - 1
  return ("plan of graph \"%s\" (%d task%s in %d step%s)"):format(made.graph.name, tasks,
    tasks == 1 and "" or "s", steps, steps == 1 and "" or "s")
end

--- The names of those that wait for the task `name`, in order.
function methods.dependents(made, name)
  local i, list = made.position[name], {}
  for k = i and made.first[i] or 1, i and made.first[i + 1] - 1 or 0 do
    list[#list + 1] = made.nodes[made.edges[k]].name
  end
  return list
end

-- A task that asks for a limit which nobody declared would never be held back.
local function check_limits(graph, chosen)
  local limits = graph.limits
  for _, node in ipairs(chosen) do
    if node.limit and not limits[node.limit] then
      names.raise_limit(graph, node, "limit", node.limit)
    end
    for resource in pairs(node.resources or {}) do
      if resource ~= "cpu" and resource ~= "mem" and not limits[resource] then
        names.raise_limit(graph, node, "resource", resource)
      end
    end
  end
end

--- Plan the tasks of `graph`, or those whose names are in the set `selected` (with all that they need).
function plan.new(graph, selected)
  local chosen = graph.nodes
  if selected then
    chosen = {}
    for _, node in ipairs(graph.nodes) do
      if selected[node.name] then
        chosen[#chosen + 1] = node
      end
    end
  end
  local levels = find_levels(graph, chosen)
  check_limits(graph, chosen)
  local made = { graph = graph, selected = selected }
  local positions
  made.nodes, made.starts, positions = sort_by_level(chosen, levels)
  link(made, positions)
  return setmetatable(made, plan_meta)
end

return plan
