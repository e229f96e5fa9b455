-- SPDX-License-Identifier: MIT
--- The nodes of a graph, each made when somebody looks at it for the first time.
---
--- What g:task declares lies in flat lists (engine/lua/graph_store.h), which a plan and a plain run read as
--- they are: of a million tasks hardly any is ever looked at. To everybody else graph.nodes is the list of
--- nodes, and graph.by_name[name] is one of them.
---
---     store                         userdata
---     names[i], functions[i]        of node i (false: no function); lists of the store
---     originals[i]                  the node as it was declared, if it has been made
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a node is made once. graph.nodes[i] is originals[i] unless a flow has put another in its place;
--- only those are in graph.nodes and graph.by_name themselves.
---@module "tutti.graph.nodes"
local core = require("tutti.core")
local node = require("tutti.graph.node")

local nodes = {}

local NO_NEEDS, PLAIN = node.NO_NEEDS, node.PLAIN

local function make_originals(store, names, functions)
  return setmetatable({}, {
    __index = function(self, index)
      local name = names[index]
      if name == nil then
        return nil
      end
      local needs, line, caller = core.graph_read(store, index)
      local made = { index = index, name = name, f = functions[index] or nil, needs = needs or NO_NEEDS,
        spec = PLAIN, line = line, caller = caller }
      self[index] = made
      return made
    end,
  })
end

--- Give the graph its lists: no nodes as yet.
function nodes.attach(graph)
  local store, names, functions, numbers = core.graph_store()
  local originals = make_originals(store, names, functions)
  graph.store, graph.names, graph.functions, graph.originals = store, names, functions, originals
  graph.nodes = setmetatable({}, {
    __index = originals,
    __len = function() return core.graph_count(store) end,
  })
  graph.by_name = setmetatable({}, {
    __index = function(_, name)
      local index = numbers[name]
      return index and graph.nodes[index]
    end,
  })
end

--- Add a node that has been made; its `index` is that of the next.
function nodes.add(graph, made)
  local index = core.graph_note(graph.store, made.name, made.f or false, made.needs, made.line, made.caller)
  rawset(graph.originals, index, made)
end

--- Put `made` in the place of the node that has its index; plans that have been made keep that.
function nodes.replace(graph, made)
  rawset(graph.nodes, made.index, made)
  rawset(graph.by_name, made.name, made)
end

--- The list of nodes for a plan of all tasks, where `indices[i]` is the index of the i-th.
function nodes.planned(graph, indices)
  local originals, replaced = graph.originals, {}
  for index, made in next, graph.nodes do
    replaced[index] = made
  end
  return setmetatable({}, {
    __index = function(_, i)
      local index = indices[i]
      return index and (replaced[index] or originals[index])
    end,
    __len = function() return #indices end,
  })
end

--- Has anybody looked at the node at that index?
function nodes.is_made(graph, index)
  return rawget(graph.originals, index) ~= nil
end

return nodes
