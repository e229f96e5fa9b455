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

local say = require("tutti.say")

local watch = { on = nil }

local listeners = {}

--- Take a listener out; nothing if it is not one.
function watch.remove(listener)
  local kept = {} -- a fresh list, since an event may be on its way through the old one
  for _, other in ipairs(listeners) do
    kept[#kept + 1] = other ~= listener and other or nil
  end
  listeners = kept
  watch.on = #listeners > 0 and watch.tell or nil
end

--- One that raises is told of once and then left out: a view that is broken must not break the run.
local function call(listener, event, ...)
  local f = listener[event]
  if not f then
    return
  end
  local ok, err = xpcall(f, debug.traceback, ...)
  if not ok then
    watch.remove(listener)
    say(("tutti: what listens to runs of graphs failed in %s, and is left out from now on: %s\n")
      :format(event, tostring(err)))
  end
end

--- Tell all who listen: watch.on("task_begins", run, entry) where `watch.on` is set.
function watch.tell(event, ...)
  for _, listener in ipairs(listeners) do
    call(listener, event, ...)
  end
end

--- From now on `listener` hears of all runs of this state.
---@param listener table
function watch.add(listener)
  listeners = table.move(listeners, 1, #listeners, 1, {})
  listeners[#listeners + 1] = listener
  watch.on = watch.tell
end

return watch
