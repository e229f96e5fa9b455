-- SPDX-License-Identifier: MIT
--- g:flow: edges written as text, `(server, assets) >> tests >> report`; see grammar/flow.lua.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: all edges of a text are added, or none. A node that a plan has is never changed: one that gets
--- needs is replaced by a copy.
---@module "tutti.graph.flow"
local core = require("tutti.core")
local errors = require("tutti.errors")
local grammar = require("tutti.grammar.flow")
local names = require("tutti.graph.names")
local nodes = require("tutti.graph.nodes")
local plan = require("tutti.graph.plan")

local flow = {}

local function parse(text, line)
  local tree, err = grammar.parse(text)
  if not tree then
    local message = ("%sg:flow: %s"):format(line and line .. ": " or "", err.message)
    error(errors.new({ kind = "usage", message = message, position = err.position, place = line }), 0)
  end
  return tree
end

local function check_names(graph, tree, line)
  for _, part in ipairs(grammar.names(tree)) do
    if not graph.by_name[part.name] then
      names.raise_missing(graph, ("the flow, position %d, names task"):format(part.position), part.name, line)
    end
  end
end

-- The text alone as a graph: what goes round in a circle there is refused at this line.
local function check_circles(graph, edges, line)
  local view, list, by_name = { name = graph.name, limits = {} }, {}, {}
  local function node_of(name)
    local node = by_name[name]
    if not node then
      node = { index = #list + 1, name = name, needs = {}, line = line }
      list[node.index], by_name[name] = node, node
    end
    return node
  end
  for _, edge in ipairs(edges) do
    local from, to = node_of(edge[1]), node_of(edge[2])
    to.needs[#to.needs + 1] = from.name
  end
  nodes.attach(view)
  for _, node in ipairs(list) do
    nodes.add(view, node)
  end
  plan.new(view)
end

local function replace(graph, old)
  local node = {}
  for key, value in pairs(old) do
    node[key] = value
  end
  node.needs = table.move(old.needs, 1, #old.needs, 1, {})
  nodes.replace(graph, node)
  return node
end

local function add(graph, edges, line)
  local known = {} -- name -> set of what it needs
  graph.flow_lines = graph.flow_lines or {}
  for _, edge in ipairs(edges) do
    local from, to = edge[1], edge[2]
    if not known[to] then
      known[to] = {}
      for _, need in ipairs(replace(graph, graph.by_name[to]).needs) do
        known[to][need] = true
      end
    end
    if not known[to][from] then
      known[to][from] = true
      table.insert(graph.by_name[to].needs, from)
      graph.flow_lines[to] = graph.flow_lines[to] or {}
      graph.flow_lines[to][from] = line
    end
  end
end

--- Add the edges of `text` to the graph. The tasks must be there already.
function flow.apply(graph, text)
  local line = core.places()
  local tree = parse(text, line)
  check_names(graph, tree, line)
  local edges = grammar.edges(tree)
  check_circles(graph, edges, line)
  add(graph, edges, line)
end

return flow
