-- SPDX-License-Identifier: MIT
--- The order of a graph's tasks: steps, and who waits for whom. Runs nothing.
---
--- A plan numbers its nodes 1, 2, ... step by step, within a step in order of addition; that is its order.
--- For what walks it, it is flat lists of those numbers (made by engine/lua/graph_plan.c):
---
---     nodes[i]                        the node
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

local plan = {}

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

local function raise_missing(graph, node, k)
  local need = node.needs[k]
  names.raise_missing(graph, ("task \"%s\" needs"):format(node.name), need,
    names.edge_line(graph, node, need))
end

--- Plan the tasks of `graph`, or those whose names are in the set `selected` with all that they need.
function plan.new(graph, selected)
  local chosen, number = choose(graph, selected)
  local starts, nodes, waits, first, edges, from, needs = core.graph_plan(chosen, graph.by_name, number)
  if starts == nil then
    raise_missing(graph, chosen[nodes], waits)
  elseif not starts then
    require("tutti.graph.cycle").raise(graph, chosen)
  end
  check_limits(graph, chosen)
  return setmetatable({ graph = graph, selected = selected, starts = starts, nodes = nodes, waits = waits,
    first = first, edges = edges, from = from, needs = needs }, plan_meta)
end

return plan
