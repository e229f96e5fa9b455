-- SPDX-License-Identifier: MIT
--- The error for a graph in which tasks wait for each other: the shortest circle, and nothing off it.
---
--- Only called when there is one. What is upstream or downstream of all circles is taken away first; then
--- a search from each task that is left, in order of addition, looks for a shorter way back to it.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: the search looks at no more than EDGES_MAX edges beyond those of the graph; in a graph too
--- large for that the circle shown is a circle, but there may be a shorter one.
---@module "tutti.graph.cycle"
local errors = require("tutti.errors")
local names = require("tutti.graph.names")

local cycle = {}

local EDGES_MAX = 3000000
local NAMES_MAX = 100 -- in the message; the error's `path` has all
local LINES_MAX = 10

-- ---- the graph as numbers ------------------------------------------------------------------

-- `needs[i]` and `dependents[i]` are lists of indices; only the tasks in `alive` count.
local function read(graph, chosen)
  local view = { alive = {}, needs = {}, dependents = {}, nodes = graph.nodes }
  for _, node in ipairs(chosen) do
    view.alive[node.index], view.needs[node.index], view.dependents[node.index] = true, {}, {}
  end
  for _, node in ipairs(chosen) do
    for _, name in ipairs(node.needs) do
      local need = graph.by_name[name]
      if need and view.alive[need.index] then
        table.insert(view.needs[node.index], need.index)
        table.insert(view.dependents[need.index], node.index)
      end
    end
  end
  return view
end

-- Take away, again and again, what has nothing left in `above`.
local function trim(view, chosen, above, below)
  local left, ready = {}, {}
  for _, node in ipairs(chosen) do
    local i = node.index
    if view.alive[i] then
      local count = 0
      for _, other in ipairs(above[i]) do
        count = count + (view.alive[other] and 1 or 0)
      end
      left[i] = count
      ready[#ready + 1] = count == 0 and i or nil
    end
  end
  while #ready > 0 do
    local i = table.remove(ready)
    view.alive[i] = nil
    for _, other in ipairs(below[i]) do
      if view.alive[other] then
        left[other] = left[other] - 1
        ready[#ready + 1] = left[other] == 0 and other or nil
      end
    end
  end
end

-- ---- circles -------------------------------------------------------------------------------

local function first_alive(view, list)
  for _, i in ipairs(list) do
    if view.alive[i] then
      return i
    end
  end
end

-- Any circle: from `from` always on to what is needed, until a task comes again. In running order.
local function any_circle(view, from)
  local seen, path, i = {}, {}, from
  while not seen[i] do
    path[#path + 1] = i
    seen[i] = #path
    i = first_alive(view, view.needs[i])
  end
  local circle = {}
  for k = #path, seen[i], -1 do
    circle[#circle + 1] = path[k]
  end
  return circle
end

local function path_to(before, last)
  local path, count, i = {}, 0, last
  while i do
    count, path[count + 1] = count + 1, i
    i = before[i]
  end
  for k = 1, count // 2 do
    path[k], path[count - k + 1] = path[count - k + 1], path[k]
  end
  return path
end

-- The shortest way from `start` back to it, if shorter than `most`; by layers. `room.left` is used up.
local function circle_through(view, start, most, room)
  local before, layer, length = { [start] = false }, { start }, 1
  while #layer > 0 and length < most do
    local following = {}
    for _, i in ipairs(layer) do
      room.left = room.left - #view.dependents[i]
      for _, other in ipairs(view.dependents[i]) do
        if other == start then
          return path_to(before, i)
        elseif view.alive[other] and before[other] == nil then
          before[other], following[#following + 1] = i, other
        end
      end
    end
    if room.left < 0 then
      return nil
    end
    layer, length = following, length + 1
  end
end

local function shortest(view, chosen)
  local best
  local room = { left = EDGES_MAX }
  for _, node in ipairs(chosen) do
    local i = node.index
    if view.alive[i] then
      best = best or any_circle(view, i)
      best = circle_through(view, i, #best, room) or best
      view.alive[i] = nil -- no shorter one goes through it
    end
    if best and (#best == 1 or room.left < 0) then
      break
    end
  end
  return best
end

-- The same circle, from the task on that was added first.
local function from_oldest(circle)
  local at = 1
  for k, i in ipairs(circle) do
    at = i < circle[at] and k or at
  end
  local turned = table.move(circle, at, #circle, 1, {})
  return table.move(circle, 1, at - 1, #turned + 1, turned)
end

-- ---- the error -----------------------------------------------------------------------------

local function path_text(path)
  if #path <= NAMES_MAX then
    return table.concat(path, " -> ")
  end
  local half = NAMES_MAX // 2
  return ("%s -> ... %d more ... -> %s"):format(table.concat(path, " -> ", 1, half), #path - 2 * half,
    table.concat(path, " -> ", #path - half + 1))
end

-- Where each edge of the circle was added.
local function edge_lines(graph, path)
  local lines = {}
  for k = 2, #path do
    if k > LINES_MAX + 1 then
      lines[#lines + 1] = ("  ... and %d more"):format(#path - k + 1)
      break
    end
    local node = graph.by_name[path[k]]
    lines[#lines + 1] = ("  \"%s\" needs \"%s\", at %s"):format(node.name, path[k - 1],
      names.edge_line(graph, node, path[k - 1]) or "?")
  end
  return table.concat(lines, "\n")
end

--- Raise `cycle` for the list of nodes `chosen`, among which there is one.
function cycle.raise(graph, chosen)
  local view = read(graph, chosen)
  trim(view, chosen, view.needs, view.dependents)
  trim(view, chosen, view.dependents, view.needs)
  local path = {}
  for k, i in ipairs(from_oldest(shortest(view, chosen))) do
    path[k] = graph.nodes[i].name
  end
  path[#path + 1] = path[1]
  local message = ("graph \"%s\" has tasks that wait for each other: %s\n%s"):format(graph.name,
    path_text(path), edge_lines(graph, path))
  error(errors.new({ kind = "cycle", message = message, path = path }), 0)
end

return cycle
