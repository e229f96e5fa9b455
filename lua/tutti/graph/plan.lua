-- SPDX-License-Identifier: MIT
--- The order of a graph's tasks: steps, and who waits for whom. Runs nothing.
---
--- A plan numbers its nodes 1, 2, ... step by step, within a step in order of addition; that is its order.
--- For what walks it, it is flat lists of those numbers (made by engine/lua/graph_plan.c):
---
---     nodes[i]                        the node (made when first asked for, see nodes.lua)
---     indices[i]                      its index in the graph
---     waits[i]                        how many nodes it waits for
---     edges[first[i]] ... edges[first[i + 1] - 1]      the numbers of those that wait for it
---     needs[from[i]] ... needs[from[i + 1] - 1]        of those that it waits for, as its `needs` has them
---     starts[s]                       the number of the first node of step s
---     selected                        set of names that a selector means; nil: all tasks
---     position[name]                  i (made when first asked for, as are `order` and `steps`)
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a plan never changes. Planning takes time and memory linear in nodes and needs, and does not
--- recurse.
---@module "tutti.graph.plan"
local core = require("tutti.core")
local names = require("tutti.graph.names")
local nodes = require("tutti.graph.nodes")

local plan = {}

-- ---- what is made when asked for -----------------------------------------------------------

local late = {}

function late.order(made)
  local order, all, indices = {}, made.graph.names, made.indices
  for i = 1, #indices do
    order[i] = all[indices[i]]
  end
  return order
end

function late.position(made)
  local position = {}
  for i, name in ipairs(made.order) do
    position[name] = i
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

local NAMES = setmetatable({ order = true, position = true, steps = true }, { __index = methods })
local plan_meta = { __name = "tutti.plan", __names = NAMES }

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
  if not graph.has_options then
    return
  end
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
    return graph.nodes -- as core.graph_plan wants it: only those are in it that a flow has replaced
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

local function raise_missing(graph, node, k)
  local need = node.needs[k]
  names.raise_missing(graph, ("task \"%s\" needs"):format(node.name), need,
    names.edge_line(graph, node, need))
end

-- The indices of the nodes `chosen` in that order, and they themselves.
local function in_order(chosen, order)
  local indices, list = {}, {}
  for i, number in ipairs(order) do
    list[i] = chosen[number]
    indices[i] = list[i].index
  end
  return indices, list
end

--- Plan the tasks of `graph`, or those whose names are in the set `selected` with all that they need.
function plan.new(graph, selected)
  local chosen, number = choose(graph, selected)
  local starts, order, waits, first, edges, from, needs = core.graph_plan(graph.store, chosen, number)
  if starts == nil then
    raise_missing(graph, chosen[order], waits)
  elseif not starts then
    require("tutti.graph.cycle").raise(graph, chosen)
  end
  check_limits(graph, chosen)
  local indices, list = order, nodes.planned(graph, order)
  if number then
    indices, list = in_order(chosen, order)
  end
  return setmetatable({ graph = graph, selected = selected, starts = starts, nodes = list, indices = indices,
    waits = waits, first = first, edges = edges, from = from, needs = needs }, plan_meta)
end

return plan
