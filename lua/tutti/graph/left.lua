-- SPDX-License-Identifier: MIT
--- How long a run will still take: not less than the longest chain of what is left, nor than the work that is
--- left shared by those that may work at once.
---
--- What a task takes comes from graph/path.lua; one of which nothing is known counts as the mean of those
--- that have ended in this run. The chains are worked out once a run; then a question looks at what runs, and
--- at the longest chain that has not begun.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: chains stand longest first, and all before `at` have settled for good.
---@module "tutti.graph.left"
local core = require("tutti.core")
local entries = require("tutti.graph.entry")
local path = require("tutti.graph.path")

local left = {}

local SETTLED = entries.SETTLED

-- The plan's nodes by the length of the chains that begin with them, the longest first.
local function order_of(tails)
  local order = {}
  for i = 1, #tails do
    order[i] = i
  end
  table.sort(order, function(a, b)
    if tails[a] ~= tails[b] then
      return tails[a] > tails[b]
    end
    return a < b
  end)
  return order
end

-- What those that have ended took is the guess for what nothing is known of.
local function note_end(estimate, entry)
  if entry.state == "done" then
    estimate.ended, estimate.spent = estimate.ended + 1, estimate.spent + entry.ended - entry.began
  end
end

-- run.estimate:count(entry, by): an entry has settled (-1), or been added (1).
local function count(estimate, entry, by)
  note_end(estimate, entry)
  local seconds = estimate.durations[entry.index] or 0
  if seconds == 0 then
    estimate.unknown = estimate.unknown + by
  else
    estimate.work = estimate.work + by * seconds
  end
end

local function prepare(run)
  local durations, known = path.durations(run.plan)
  local estimate = { count = count, durations = durations, known = known, order = {}, at = 1, work = 0,
    unknown = 0, ended = 0, spent = 0 }
  for i, entry in ipairs(run.list) do
    local seconds = durations[i] or 0 -- what was added while it ran is not in the plan
    if not SETTLED[entry.state] then
      estimate.work = estimate.work + seconds
      estimate.unknown = estimate.unknown + (seconds == 0 and 1 or 0)
    end
    note_end(estimate, entry)
  end
  if known > 0 then
    estimate.tails = path.tails(run.plan, durations)
    estimate.order = order_of(estimate.tails)
  end
  return estimate
end

-- The longest chain that is left. A task that runs has done a part of its own.
local function longest_chain(run, estimate, now)
  local order, tails, list = estimate.order, estimate.tails, run.list
  while estimate.at <= #order and SETTLED[list[order[estimate.at]].state] do
    estimate.at = estimate.at + 1
  end
  local longest = 0
  for k = estimate.at, #order do
    local i = order[k]
    local entry = list[i]
    if tails[i] <= longest then
      break
    elseif entry.state == "running" then
      longest = math.max(longest, tails[i] - math.min(now - entry.began, estimate.durations[i]))
    elseif not SETTLED[entry.state] then
      return math.max(longest, tails[i])
    end
  end
  return longest
end

--- Seconds until the run ends, at least; nil if no duration of any of its tasks is known, and none has ended.
function left.remaining(run)
  local estimate, counts = run.estimate, run.counts
  if not estimate then
    estimate = prepare(run)
    run.estimate = estimate
  end
  if estimate.known == 0 and estimate.ended == 0 then
    return nil
  elseif run.left == 0 then
    return 0
  end
  local mean = estimate.ended > 0 and estimate.spent / estimate.ended or 0
  local work = math.max(estimate.work, 0) + estimate.unknown * mean
  local at_once = run.jobs or math.max(counts.running, 1)
  return math.max(longest_chain(run, estimate, core.now()), work / at_once)
end

return left
