-- SPDX-License-Identifier: MIT
--- What went wrong in a run, in order: failures that are equal together, those that caused others first.
---
--- Layer: the Lua half. Thread: any; reads the run, changes nothing.
--- Invariant: no walk is a recursion, and each looks at every task that is not done at most once, so a
--- million tasks and 10,000 failures take time in proportion to their number.
---@module "tutti.report.groups"
local alike = require("tutti.report.alike")
local core = require("tutti.core")
local errors = require("tutti.errors")

local groups = {}

groups.SHOWN_MAX = 10

-- ---- who waits for whom --------------------------------------------------------------------

-- name -> the entries that need it, of those that did not end well.
local function dependents_of(run)
  local dependents = {}
  for _, entry in ipairs(run.list) do
    if entry.state ~= "done" then
      for _, need in ipairs(entry.node.needs or {}) do
        local list = dependents[need]
        if list then
          list[#list + 1] = entry
        else
          dependents[need] = { entry }
        end
      end
    end
  end
  return dependents
end

-- Call visit(entry) once for each that stands below one of `from`.
local function walk_below(dependents, from, visit)
  local queue, seen = {}, {}
  for _, entry in ipairs(from) do
    queue[#queue + 1] = entry
  end
  local at = 1
  while queue[at] do
    for _, entry in ipairs(dependents[queue[at].name] or {}) do
      if not seen[entry] then
        seen[entry] = true
        queue[#queue + 1] = entry
        visit(entry)
      end
    end
    at = at + 1
  end
end

local function was_not_run(entry)
  return entry.state == "skipped" or entry.state == "cancelled" and entry.began == nil
end

-- ---- equal failures ------------------------------------------------------------------------

local LOOSE, LOOSER = 1, 2

-- Failures with the same key are told of once. The looser, the less must be the same in them.
local function key_of(entry, looseness)
  local fields = core.error_fields(entry.error)
  local text = errors.text(entry.error)
  if looseness < LOOSE then
    text = text .. "\1" .. (fields.tail or "")
  elseif looseness == LOOSER then
    text = text:gsub("%d+", "0")
  end
  return fields.kind .. "\1" .. alike.without_name(text, entry.name)
end

local function group_by(entries, looseness)
  local list = alike.group(entries, function(entry) return key_of(entry, looseness) end)
  for i, members in ipairs(list) do
    list[i] = { entries = members, looseness = looseness }
  end
  return list
end

-- As strict as the number of blocks that a person reads allows.
local function group(entries)
  local list
  for looseness = 0, LOOSER do
    list = group_by(entries, looseness)
    if #list <= groups.SHOWN_MAX then
      break
    end
  end
  return list
end

-- ---- the order -----------------------------------------------------------------------------

-- Failures that stand below another one: of those whose tasks run although what they need has failed.
local function mark_caused(dependents, failed)
  local caused = {}
  walk_below(dependents, failed, function(entry)
    caused[entry] = entry.state == "failed" or nil
  end)
  return caused
end

local function add_blocked(dependents, one)
  one.blocked, one.blocked_count = {}, 0
  walk_below(dependents, one.entries, function(entry)
    if was_not_run(entry) then
      one.blocked_count = one.blocked_count + 1
      one.blocked[one.blocked_count] = one.blocked_count <= 10 and entry.name or nil
    end
  end)
end

local function before(a, b)
  if a.is_caused ~= b.is_caused then
    return not a.is_caused
  elseif a.blocked_count ~= b.blocked_count then
    return a.blocked_count > b.blocked_count
  elseif #a.entries ~= #b.entries then
    return #a.entries > #b.entries
  end
  return a.place < b.place
end

-- The groups to show. What each blocks is asked only for those: of many the largest and the first.
local function order(list, dependents, failed)
  local caused = mark_caused(dependents, failed)
  for i, one in ipairs(list) do
    one.is_caused, one.place, one.blocked_count = caused[one.entries[1]] or false, i, 0
  end
  table.sort(list, before)
  local shown = table.move(list, 1, math.min(#list, groups.SHOWN_MAX), 1, {})
  for _, one in ipairs(shown) do
    add_blocked(dependents, one)
  end
  table.sort(shown, before)
  return shown
end

-- ---- the whole run -------------------------------------------------------------------------

-- Entries by how they ended; `told.ended_badly` are those that others were not run because of.
local function count(run, told)
  for _, entry in ipairs(run.list) do
    local state = entry.state
    if state == "done" then
      told.ok = told.ok + 1
    elseif state == "failed" then
      told.failed[#told.failed + 1] = entry
    elseif state == "cancelled" and entry.began then
      told.cancelled[#told.cancelled + 1] = entry
    elseif state == "cancelled" then
      told.not_run = told.not_run + 1
    elseif state == "skipped" then
      told.skipped = told.skipped + 1
    end
    if state == "failed" or state == "cancelled" then
      told.ended_badly[#told.ended_badly + 1] = entry
    end
  end
end

-- In the order in which they happened; what happened at once, in the order of the run.
local function sort_by_end(entries)
  local place = {}
  for i, entry in ipairs(entries) do
    place[entry] = i
  end
  table.sort(entries, function(a, b)
    local first, second = a.ended or math.huge, b.ended or math.huge
    if first ~= second then
      return first < second
    end
    return place[a] < place[b]
  end)
end

--- What is to be told of a run that is over: `failed` and `cancelled` (entries), `shown` (groups of failures
--- with `entries`, `blocked` (the first names) and `blocked_count`), and how many were `ok`, `not_run`
--- (because of the others) and `skipped` (because they were not wanted).
function groups.read(run)
  local told = { failed = {}, cancelled = {}, ended_badly = {}, shown = {}, ok = 0, not_run = 0, skipped = 0 }
  count(run, told)
  local dependents = #told.ended_badly > 0 and dependents_of(run) or {}
  walk_below(dependents, told.ended_badly, function(entry)
    if entry.state == "skipped" then
      told.skipped, told.not_run = told.skipped - 1, told.not_run + 1
    end
  end)
  sort_by_end(told.failed)
  if #told.failed > 0 then
    told.shown = order(group(told.failed), dependents, told.failed)
  end
  return told
end

return groups
