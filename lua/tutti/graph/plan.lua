-- SPDX-License-Identifier: MIT
--- The order of a graph's tasks: steps, and who waits for whom. Runs nothing.
---
--- A plan numbers its nodes 1, 2, ... step by step, within a step in order of addition; that is its order.
--- For what walks it, it is flat lists of those numbers:
---
---     nodes[i]                        the node
---     waits[i]                        how many nodes it waits for
---     edges[first[i]] ... edges[first[i + 1] - 1]      the numbers of those that wait for it
---     selected                        set of names that a selector means; nil: all tasks
---     position[name]                  i (made when first asked for, as are `order` and `steps`)
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a plan never changes. Planning takes time and memory linear in nodes and needs, and does not
--- recurse.
---@module "tutti.graph.plan"
local names = require("tutti.graph.names")

local plan = {}

-- ---- the graph as numbers ------------------------------------------------------------------

local function raise_missing(graph, node, need)
  names.raise_missing(graph, ("task \"%s\" needs"):format(node.name), need,
    names.edge_line(graph, node, need))
end

-- The needs of the chosen nodes as numbers of chosen nodes, flat: those of node i are needs[from[i]] ...
-- needs[from[i + 1] - 1]. This is the only pass over the nodes themselves: they lie all over the memory.
local function read(graph, chosen, number)
  local by_name, needs, from, count = graph.by_name, {}, {}, 0
  for i = 1, #chosen do
    from[i] = count + 1
    local list = chosen[i].needs
    for k = 1, #list do
      local need = by_name[list[k]]
      if need == nil then
        raise_missing(graph, chosen[i], list[k])
      end
      count = count + 1
      needs[count] = number and number[need.index] or need.index
    end
  end
  from[#chosen + 1] = count + 1
  return needs, from
end

-- ---- levels --------------------------------------------------------------------------------

local NONE = 0 -- the level of a node that has none yet
local ON_PATH = -1 -- and of one whose needs are being walked

-- The level of node i; or nil, and the first of its needs, from the k-th on, that has none yet.
local function level_of(i, k, needs, from, levels)
  for at = k, from[i + 1] - 1 do
    if levels[needs[at]] <= NONE then
      return nil, at
    end
  end
  local level = 1
  for at = from[i], from[i + 1] - 1 do
    local found = levels[needs[at]]
    if found >= level then
      level = found + 1
    end
  end
  return level
end

-- Give node `root` and all it needs their levels, by a stack of nodes instead of recursion. Returns whether
-- there is no circle.
local function walk(root, needs, from, levels)
  local stack, ats, depth = { root }, { from[root] }, 1
  levels[root] = ON_PATH
  while depth > 0 do
    local i = stack[depth]
    local level, at = level_of(i, ats[depth], needs, from, levels)
    if level then
      levels[i] = level
      depth = depth - 1
    elseif levels[needs[at]] == ON_PATH then
      return false
    else
      local need = needs[at]
      ats[depth] = at
      depth = depth + 1
      stack[depth], ats[depth], levels[need] = need, from[need], ON_PATH
    end
  end
  return true
end

-- The step of each node: 1 if it needs nothing, else one more than the last of its needs. Nil if there is a
-- circle.
local function find_levels(count, needs, from)
  local levels = {}
  for i = 1, count do
    levels[i] = NONE
  end
  for i = 1, count do
    local level = levels[i]
    if level == NONE then
      level = level_of(i, from[i], needs, from, levels)
    end
    if level then -- most are declared after what they need
      levels[i] = level
    elseif not walk(i, needs, from, levels) then
      return nil
    end
  end
  return levels
end

-- ---- order ---------------------------------------------------------------------------------

-- Sort by level, keeping the order within one: where each node comes, and where each level begins.
local function sort_by_level(levels)
  local starts, highest = {}, 0
  for i = 1, #levels do
    local level = levels[i]
    while level > highest do
      highest = highest + 1
      starts[highest] = 0
    end
    starts[level] = starts[level] + 1
  end
  local at, sum = {}, 1
  for level = 1, highest do
    local size = starts[level]
    at[level], starts[level] = sum, sum
    sum = sum + size
  end
  starts[highest + 1] = sum
  local positions = levels -- each level is read once more, and not needed after that
  for i = 1, #levels do
    local level = levels[i]
    local position = at[level]
    positions[i], at[level] = position, position + 1
  end
  return positions, starts
end

-- The lists `nodes`, `waits`, `first` and `edges`.
local function link(made, chosen, needs, from, positions)
  local count = #chosen
  local order, nodes, waits, first = {}, {}, {}, {}
  for i = 1, count do
    nodes[i], order[i], waits[i], first[i] = 0, 0, 0, 0
  end
  for i = 1, count do
    local position = positions[i]
    nodes[position], order[position], waits[position] = chosen[i], i, from[i + 1] - from[i]
  end
  for k = 1, #needs do
    local position = positions[needs[k]]
    first[position] = first[position] + 1
  end
  local sum = 1
  for position = 1, count do
    sum = sum + first[position]
    first[position] = sum -- the end of its edges, which are filled in from there backwards
  end
  local edges = table.move(needs, 1, #needs, 1, {})
  for position = count, 1, -1 do
    local i = order[position]
    for k = from[i], from[i + 1] - 1 do
      local need = positions[needs[k]]
      local at = first[need] - 1
      edges[at], first[need] = position, at
    end
  end
  first[count + 1] = sum
  made.nodes, made.waits, made.first, made.edges = nodes, waits, first, edges
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

--- The chain of tasks that takes longest: names in running order, and seconds (nil if nothing is known).
function methods.critical_path(made)
  return require("tutti.graph.path").critical(made)
end

--- A picture of the plan for Graphviz.
function methods.dot(made)
  return require("tutti.graph.draw").dot(made)
end

--- A picture of the plan for Mermaid.
function methods.mermaid(made)
  return require("tutti.graph.draw").mermaid(made)
end

--- The plan for other programs.
function methods.json(made)
  return require("tutti.graph.draw").json(made)
end

local function check_limits(graph, chosen)
  for _, node in ipairs(chosen) do
    if node.limit or node.resources then
      names.check_limits(graph, node)
      require("tutti.graph.gate").check(graph, node)
    end
  end
end

-- The nodes whose names are in the set `selected` or that those need, and the number of each by its index.
local function choose(graph, selected)
  if not selected then
    return graph.nodes
  end
  local wanted = {}
  for name in pairs(selected) do
    wanted[name] = true
  end
  require("tutti.graph.select").with_needs(graph, wanted)
  local chosen, number = {}, {}
  for _, node in ipairs(graph.nodes) do
    if wanted[node.name] then
      chosen[#chosen + 1] = node
      number[node.index] = #chosen
    end
  end
  return chosen, number
end

--- Plan the tasks of `graph`, or those whose names are in the set `selected` with all that they need.
function plan.new(graph, selected)
  local chosen, number = choose(graph, selected)
  local needs, from = read(graph, chosen, number)
  local levels = find_levels(#chosen, needs, from)
  if not levels then
    require("tutti.graph.cycle").raise(graph, chosen)
  end
  check_limits(graph, chosen)
  local made = { graph = graph, selected = selected }
  local positions
  positions, made.starts = sort_by_level(levels)
  link(made, chosen, needs, from, positions)
  return setmetatable(made, plan_meta)
end

return plan
