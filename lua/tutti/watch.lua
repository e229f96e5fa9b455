-- SPDX-License-Identifier: MIT
--- Who listens to runs of graphs: the live view, the failure report, JSON events.
---
---     watch.add{ task_begins = function(run, entry) ... end, run_ends = function(run, result) ... end }
---
--- A listener is a table of functions, each of which may be missing: run_begins(run), task_added(run, entry),
--- task_begins(run, entry), task_retries(run, entry, err, delay), task_ends(run, entry),
--- run_ends(run, result). They are called in the state where the run lives, in the order in which they were
--- added, and must not await; task_begins and task_retries in the task that begins or is tried again, all
--- others in that of the run. Who says at run_ends why a run failed sets run.reported: then nothing more is
--- said of it.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `watch.on` is nil while nobody listens, so that a run asks one field per event and no more.
---@module "tutti.watch"

local core = require("tutti.core")
local say = require("tutti.say")

local watch = { on = nil }

local listeners = {}
local by_event = {} -- event -> list of those who want to hear of it; made anew with each change

local pcall = core.protected.rawpcall -- listeners do not wait, so nothing has to be let through

local function arrange()
  by_event = {}
  for _, listener in ipairs(listeners) do
    for event in pairs(listener) do
      by_event[event] = by_event[event] or {}
      table.insert(by_event[event], listener)
    end
  end
  watch.on = #listeners > 0 and watch.tell or nil
end

--- Take a listener out; nothing if it is not one.
function watch.remove(listener)
  for i, other in ipairs(listeners) do
    if other == listener then
      table.remove(listeners, i)
      break
    end
  end
  arrange()
end

--- One that raises is told of once and then left out: a view that is broken must not break the run.
local function refuse(listener, event, err)
  watch.remove(listener)
  say(("tutti: what listens to runs of graphs failed in %s, and is left out from now on: %s\n")
    :format(event, tostring(err)))
end

--- Tell all who listen: watch.on("task_begins", run, entry) where `watch.on` is set.
function watch.tell(event, run, what, err, delay)
  local list = by_event[event]
  for i = 1, list and #list or 0 do
    local listener = list[i]
    local ok, message = pcall(listener[event], run, what, err, delay)
    if not ok then
      refuse(listener, event, message)
    end
  end
end

--- From now on `listener` hears of all runs of this state.
---@param listener table
function watch.add(listener)
  listeners[#listeners + 1] = listener
  arrange()
end

return watch
