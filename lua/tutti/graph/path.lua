-- SPDX-License-Identifier: MIT
--- How long a plan takes at least: the chain of tasks that wait for each other and take longest together.
---
--- A task takes what it took when it last ran (in this process, or as the program noted earlier), else what
--- its option `estimate` says, else nothing. Where that makes no difference the chain with more tasks is
--- longer, and of equal ones the first.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: time and memory linear in the plan; no recursion.
---@module "tutti.graph.path"
local history = require("tutti.graph.history")

local path = {}

--- The seconds of each node of a plan by its number: a list with 0 where nothing is known, and how many are.
function path.durations(plan)
  local known = history.of(plan.graph)
  local list, count = {}, 0
  for i, node in ipairs(plan.nodes) do
    local seconds = node.measured or known[node.name] or node.estimate
    list[i], count = seconds or 0, count + (seconds and 1 or 0)
  end
  return list, count
end

--- From the start of each node to the end of all that follows from it, at least: a list of seconds, one of
--- counts of tasks, and one of the number of the node that comes next in the longest chain (0: none).
function path.tails(plan, durations)
  local edges, first = plan.edges, plan.first
  local seconds, counts, nexts = {}, {}, {}
  for i = 1, #plan.nodes do
    seconds[i], counts[i], nexts[i] = 0, 0, 0
  end
  for i = #plan.nodes, 1, -1 do
    local longest, most, following = 0, 0, 0
    for k = first[i], first[i + 1] - 1 do
      local other = edges[k]
      if seconds[other] > longest or seconds[other] == longest and counts[other] > most then
        longest, most, following = seconds[other], counts[other], other
      end
    end
    seconds[i], counts[i], nexts[i] = longest + durations[i], most + 1, following
  end
  return seconds, counts, nexts
end

--- The longest chain: the names of its tasks in running order, and its seconds, or nil if no duration of
--- any task is known.
function path.critical(plan)
  local durations, known = path.durations(plan)
  local seconds, counts, nexts = path.tails(plan, durations)
  local at = #plan.nodes > 0 and 1 or 0
  for i = 2, #plan.nodes do
    if seconds[i] > seconds[at] or seconds[i] == seconds[at] and counts[i] > counts[at] then
      at = i
    end
  end
  local names, total = {}, known > 0 and seconds[at] or nil
  while at > 0 do
    names[#names + 1] = plan.nodes[at].name
    at = nexts[at]
  end
  return names, total
end

return path
