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
--- Invariant: what nobody listens to is not in `watch.hears`, so a run asks one field per event and no more.
---@module "tutti.watch"

local core = require("tutti.core")
local say = require("tutti.say")

local watch = {}

--- Event -> function that tells all who listen: watch.hears.task_begins(run, entry). Nil if nobody does.
watch.hears = {}

local EVENTS = { "run_begins", "task_added", "task_begins", "task_retries", "task_ends", "run_ends" }
local listeners = {}

local pcall = core.protected.rawpcall -- listeners do not wait, so nothing has to be let through

-- One that raises is told of once and then left out: a view that is broken must not break the run.
local function refuse(listener, event, err)
  watch.remove(listener)
  say(("tutti: what listens to runs of graphs failed in %s, and is left out from now on: %s\n")
    :format(event, tostring(err)))
end

local function teller(event)
  local list = {}
  for _, listener in ipairs(listeners) do
    list[#list + 1] = listener[event] and listener or nil
  end
  if #list == 0 then
    return nil
  elseif #list == 1 then -- as in most runs
    local only, hear = list[1], list[1][event]
    return function(run, what, err, delay)
      local ok, message = pcall(hear, run, what, err, delay)
      if not ok then
        refuse(only, event, message)
      end
    end
  end
  return function(run, what, err, delay)
    for i = 1, #list do
      local listener = list[i]
      local ok, message = pcall(listener[event], run, what, err, delay)
      if not ok then
        refuse(listener, event, message)
      end
    end
  end
end

local function arrange(changed)
  listeners = changed -- a fresh list, since an event may be on its way through the old one
  for _, event in ipairs(EVENTS) do
    watch.hears[event] = teller(event)
  end
end

--- Take a listener out; nothing if it is not one.
function watch.remove(listener)
  local kept = {}
  for _, other in ipairs(listeners) do
    kept[#kept + 1] = other ~= listener and other or nil
  end
  arrange(kept)
end

--- From now on `listener` hears of all runs of this state.
---@param listener table
function watch.add(listener)
  local more = table.move(listeners, 1, #listeners, 1, {})
  more[#more + 1] = listener
  arrange(more)
end

return watch
