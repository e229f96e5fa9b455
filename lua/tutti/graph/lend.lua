-- SPDX-License-Identifier: MIT
--- Tasks of graphs that wait for tasks of graphs.
---
---     A, inside a gate, awaits B, which waits at the gate for A to leave      A lends its place to B
---     A awaits B, which needs A                                              A's await raises kind "cycle"
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

-- Does the task wait for this, in the end?
local function waits_for(handle, what)
  for _, found in ipairs(core.graph_waits_for(handle) or {}) do
    if found == what then
      return true
    end
  end
  return false
end

-- Of an entry that has not begun: the tickets that it, or what it needs, has at gates, and what of that runs.
local function above(entry)
  local run, tickets, running = entry.run, {}, {}
  local stack, seen = { entry }, { [entry] = true }
  while #stack > 0 do
    local at = table.remove(stack)
    local ticket = rawget(at, "ticket")
    if ticket and ticket.waits_at then
      tickets[#tickets + 1] = ticket
    elseif at.state == "running" then
      running[#running + 1] = at
    end
    for _, name in ipairs(at.node.needs) do
      local need = run.entries[name]
      if not SETTLED[need.state] and not seen[need] then
        seen[need] = true
        stack[#stack + 1] = need
      end
    end
  end
  return tickets, running
end

-- ---- circles -------------------------------------------------------------------------------

-- The names from `entry` up to `root`, which it needs, in running order.
local function path_between(root, entry)
  local from, queue, i = { [entry] = entry }, { entry }, 1
  while queue[i] and not from[root] do
    for _, name in ipairs(queue[i].node.needs) do
      local need = entry.run.entries[name]
      if not from[need] then
        from[need] = queue[i]
        queue[#queue + 1] = need
      end
    end
    i = i + 1
  end
  local names, at = { root.name }, root
  while at ~= entry do
    at = from[at]
    names[#names + 1] = at.name
  end
  return names
end

local function break_circle(root, entry)
  local names = path_between(root, entry)
  names[#names + 1] = root.name
  local text = table.concat(names, " -> ")
  core.graph_break(root.handle, errors.new({ kind = "cycle", path = names, task = root.name, message =
    ("await can never end: the task awaited needs this one (%s)"):format(text) }))
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

-- Who waits for `what`, which cannot go on before this ticket is in, lends it the places that it holds.
local function lend_to(ticket, what)
  for _, found in ipairs(ticket.gates) do
    for _, holder in ipairs(holders_of(found)) do
      local handle = holder.entry.handle
      if ticket.waits_at and handle and not holder.entry.is_remote and waits_for(handle, what) then
        lenders[handle] = holder
        core.graph_lent(handle)
        gate.lend(holder, found)
      end
    end
  end
end

local function in_order(queued)
  local list = {}
  for ticket in pairs(queued) do
    list[#list + 1] = ticket
  end
  table.sort(list, function(a, b) return a.seq < b.seq end)
  return list
end

local function help(what, runs)
  local run = runs[what]
  if run then -- it waits for a whole run
    for _, ticket in ipairs(in_order(run.queued)) do
      lend_to(ticket, what)
    end
    return
  end
  local tickets, running = above(what)
  for _, root in ipairs(running) do
    if root.handle and not root.is_remote and waits_for(root.handle, what) then
      break_circle(root, what)
      return
    end
  end
  for _, ticket in ipairs(tickets) do
    lend_to(ticket, what)
  end
end

local function examine(handle, runs)
  local found = core.graph_waits_for(handle)
  waiters[handle] = found and true or nil
  for _, what in ipairs(found or {}) do
    help(what, runs)
  end
end

--- One more has to wait at a gate.
function lend.queued()
  is_due = next(waiters) ~= nil
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
  return not ticket or gate.take_back(ticket, is_cancelled)
end)

return lend
