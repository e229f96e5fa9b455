-- SPDX-License-Identifier: MIT
--- Tasks of graphs that wait for tasks of graphs.
---
---     A, inside a gate, awaits B, which waits at the gate for A to leave      A lends its place to B
---     A awaits B, which needs A                                               A's await raises kind "cycle"
---
--- Nothing is looked at but who begins to wait while a run has gates or handles of tasks that have not begun;
--- of these, who was found to wait for such a task is looked at again when one more has to wait at a gate.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a place is lent only by a task that waits for the very task that needs it, at this moment.
---@module "tutti.graph.lend"
local core = require("tutti.core")
local entries = require("tutti.graph.entry")
local errors = require("tutti.errors")
local gate = require("tutti.graph.gate")

local lend = {}

local SETTLED = entries.SETTLED

-- Tasks that were found to wait for a task of a graph that has not begun, or for a run.
local waiters = setmetatable({}, { __mode = "k" })
local is_due = false -- they have to be looked at again

-- Handle -> ticket, of those that have lent a place.
local lenders = setmetatable({}, { __mode = "k" })

-- ---- what it waits for ---------------------------------------------------------------------

-- What a task waits for in the end: the tickets at gates that have to be let in before it can go on, and all
-- entries on the way. It may wait for a task that has not begun, which needs one that runs, which waits ...
local function blocked_by(handle, runs)
  local found = { tickets = {}, entries = {} }
  local stack = {}

  local function add_ticket(ticket)
    if not found.tickets[ticket] then
      found.tickets[ticket] = true
      found.tickets[#found.tickets + 1] = ticket
    end
  end

  local function add(entry)
    if not found.entries[entry] and not SETTLED[entry.state] then
      found.entries[entry] = true
      stack[#stack + 1] = entry
    end
  end

  local function follow(task)
    for _, what in ipairs(core.graph_waits_for(task) or {}) do
      local run = runs[what]
      if not run then
        add(what)
      else -- a whole run
        for ticket in pairs(run.queued) do
          add_ticket(ticket)
        end
      end
    end
  end

  follow(handle)
  while #stack > 0 do
    local entry = table.remove(stack)
    local ticket = entry.run.tickets[entry]
    ticket = ticket and (ticket.returning or ticket)
    if ticket and ticket.waits_at then
      add_ticket(ticket)
    elseif entry.state == "running" and entry.handle and not entry.run.remote[entry] then
      follow(entry.handle)
    end
    for _, name in ipairs(entry.node.needs) do
      add(entry.run.entries[name])
    end
  end
  table.sort(found.tickets, function(a, b) return a.seq < b.seq end)
  return found
end

-- ---- circles -------------------------------------------------------------------------------

-- The names on a way from `root` through what waits and what that needs back to it, in running order.
local function path_of(root, runs)
  local from, queue, i = {}, { root }, 1

  local function reach(entry, by)
    if not from[entry] and not SETTLED[entry.state] then
      from[entry] = by
      queue[#queue + 1] = entry
    end
  end

  while queue[i] and not from[root] do
    local at = queue[i]
    if at.state == "running" and at.handle and not at.run.remote[at] then
      for _, what in ipairs(core.graph_waits_for(at.handle) or {}) do
        if not runs[what] then
          reach(what, at)
        end
      end
    end
    for _, name in ipairs(at.node.needs) do
      reach(at.run.entries[name], at)
    end
    i = i + 1
  end
  local names, at = { root.name }, from[root]
  while at and at ~= root do
    names[#names + 1] = at.name
    at = from[at]
  end
  names[#names + 1] = root.name
  return names
end

local function break_circle(root, runs)
  local names = path_of(root, runs)
  local message = ("await can never end: what is awaited needs this task (%s)")
    :format(table.concat(names, " -> "))
  local err = errors.new({ kind = "cycle", path = names, task = root.name, message = message })
  core.graph_break(root.handle, err)
end

-- ---- lending -------------------------------------------------------------------------------

local function holders_of(found)
  local list = {}
  for ticket in pairs(found.holders) do
    list[#list + 1] = ticket
  end
  table.sort(list, function(a, b) return a.seq < b.seq end)
  return list
end

-- Who waits for what this ticket is of lends it the places that it holds.
local function lend_to(ticket, runs)
  for _, found in ipairs(ticket.gates) do
    for _, holder in ipairs(holders_of(found)) do
      local handle = holder.entry.handle
      if ticket.waits_at and handle and not holder.run.remote[holder.entry]
        and blocked_by(handle, runs).tickets[ticket] then
        lenders[handle] = holder
        core.graph_lent(handle)
        gate.lend(holder, found)
      end
    end
  end
end

local function examine(handle, runs)
  local found = blocked_by(handle, runs)
  waiters[handle] = (next(found.entries) or found.tickets[1] or core.graph_waits_for(handle)) and true or nil
  for entry in pairs(found.entries) do
    if entry.handle == handle then
      break_circle(entry, runs)
      return
    end
  end
  for _, ticket in ipairs(found.tickets) do
    if ticket.waits_at then
      lend_to(ticket, runs)
    end
  end
end

--- One more has to wait at a gate. Returns whether somebody has to be looked at again.
function lend.queued()
  is_due = next(waiters) ~= nil
  return is_due
end

--- Look at who has begun to wait. `runs`: handle -> run.
function lend.look(runs)
  local begun = core.graph_waiters()
  local list = {}
  for i = 1, #begun do
    list[i], begun[i] = begun[i], nil
  end
  if is_due then
    is_due = false
    for handle in pairs(waiters) do
      list[#list + 1] = handle
    end
  end
  for _, handle in ipairs(list) do
    examine(handle, runs)
  end
end

-- A task that has lent a place wants to go on: may it? One that is cancelled may, for its cleanup.
core.helper("graph_take_back", function(handle, is_cancelled)
  local ticket = lenders[handle]
  local has = not ticket or gate.take_back(ticket, is_cancelled)
  if not has and lend.queued() then
    core.wake(ticket.run.handle)
  end
  return has
end)

return lend
