-- SPDX-License-Identifier: MIT
--- Names that a graph does not have: the error that says so, with the nearest one that it has.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: the search compares at most COMPARED_MAX names in full, however many there are.
---@module "tutti.graph.names"
local errors = require("tutti.errors")
local options = require("tutti.options")

local names = {}

local ALL_MAX = 2000 -- of so many each is compared; of more only those that begin or end alike
local COMPARED_MAX = 5000

local function is_alike(a, b)
  return a:sub(1, 2) == b:sub(1, 2) or a:sub(-2) == b:sub(-2)
end

local function candidates(word, nodes)
  local found, count, is_large = {}, 0, #nodes > ALL_MAX
  for _, node in ipairs(nodes) do
    local name = node.name
    if math.abs(#name - #word) <= #word // 2 + 2 and (not is_large or is_alike(name, word)) then
      found[name], count = true, count + 1
      if count == COMPARED_MAX then
        break
      end
    end
  end
  return found
end

--- The name in the list of nodes that is nearest to `word`, or nil.
function names.nearest(word, nodes)
  return options.nearest(word, candidates(word, nodes))
end

local function hint_for(word, nodes)
  local near = names.nearest(word, nodes)
  return near and (" (did you mean \"%s\"?)"):format(near) or ""
end

--- The line that says that `node` needs `need`: of g:task, or of g:flow.
function names.edge_line(graph, node, need)
  local lines = graph.flow_lines and graph.flow_lines[node.name]
  return lines and lines[need] or node.line
end

--- Raise `missing` for a word that names no task of `graph`. `subject`: who asks for it: task "a" needs.
function names.raise_missing(graph, subject, word, line)
  local message = ("graph \"%s\": %s \"%s\", which it does not have%s%s"):format(graph.name, subject, word,
    hint_for(word, graph.nodes), line and (", at " .. line) or "")
  error(errors.new({ kind = "missing", message = message, place = line }), 0)
end

-- Raise `missing` for a limit, or a resource, that nobody has declared.
local function raise_limit(graph, node, option, word)
  local near = options.nearest(word, option == "limit" and graph.limits
    or setmetatable({ cpu = true, mem = true }, { __index = graph.limits }))
  local message = ("graph \"%s\": task \"%s\" asks for %s \"%s\", which it does not have%s: declare "
    .. "it by g:limit(\"%s\", COUNT)%s"):format(graph.name, node.name, option, word,
    near and (" (did you mean \"%s\"?)"):format(near) or "", word, node.line and (", at " .. node.line) or "")
  error(errors.new({ kind = "missing", message = message, place = node.line }), 0)
end

--- A task that asks for a limit which nobody declared would never be held back: raise `missing`.
function names.check_limits(graph, node)
  local limits = graph.limits
  if node.limit and not limits[node.limit] then
    raise_limit(graph, node, "limit", node.limit)
  end
  for resource in pairs(node.resources or {}) do
    if resource ~= "cpu" and resource ~= "mem" and not limits[resource] then
      raise_limit(graph, node, "resource", resource)
    end
  end
end

return names
