-- SPDX-License-Identifier: MIT
--- The short way for what most runs consist of: mode "loop", no `jobs`, tasks with no option but `needs`.
---
--- It does what graph/run.lua and graph/body.lua do for a task that succeeds, with what the run needs of its
--- tables at hand. Whatever else happens to a task is left to them.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `run.is_plain` holds until a task is added or the run stops; then no more goes this way.
---@module "tutti.graph.plain"
local core = require("tutti.core")
local entries = require("tutti.graph.entry")
local watch = require("tutti.watch")

local plain = {}

local now, hears = core.now, watch.hears

local DONE = 4 -- a state as the C half numbers it

--- Does this way serve the run?
function plain.serves(graph, opts)
  return opts.mode == "loop" and not opts.jobs and not graph.has_options
end

-- ---- a task --------------------------------------------------------------------------------

local function finish(entry, ...)
  entry.value = (...)
  if select("#", ...) > 1 then
    entry.values = table.pack(...)
  end
  return ...
end

local function with_all(run, entry, f)
  local plan, list, values, count = run.plan, run.list, {}, 0
  for k = plan.from[entry.index], plan.from[entry.index + 1] - 1 do
    count = count + 1
    values[count] = list[plan.needs[k]].value
  end
  return finish(entry, f(table.unpack(values, 1, count)))
end

--- body(entry), as body.new gives one.
function plain.body(run)
  local counts, list, from, needs = run.counts, run.list, run.plan.from, run.plan.needs
  local functions, indices = run.graph.functions, run.plan.indices
  return function(entry)
    entry.state, entry.began = "running", now()
    counts.running = counts.running + 1
    local tell = hears.task_begins
    if tell then
      tell(run, entry)
    end
    local index = entry.index
    local f, at = functions[indices[index]], from[index]
    local count = from[index + 1] - at
    if count == 2 then
      return finish(entry, f(list[needs[at]].value, list[needs[at + 1]].value))
    elseif count == 1 then
      return finish(entry, f(list[needs[at]].value))
    elseif count == 0 then
      return finish(entry, f())
    end
    return with_all(run, entry, f)
  end
end

-- ---- starts and ends -----------------------------------------------------------------------

--- start(entry): all that it needs is done.
function plain.start(run)
  local graph_start, store, indices, body = core.graph_start_plain, run.graph.store, run.plan.indices,
    plain.body(run)
  return function(entry)
    entry.state = "ready"
    if entry.handle then -- it was asked for before its time
      core.graph_release(entry.handle)
      return
    end
    local handle = graph_start(entry, store, indices[entry.index], body)
    if entry.state == "ready" then -- of a run that has been cancelled it has ended already
      entry.handle = handle
    end
  end
end

--- ended(entry, state): as the function of run.lua, `slowly`, to which it leaves all but successes.
function plain.ended(run, start, slowly)
  local list, counts, edges, first = run.list, run.counts, run.plan.edges, run.plan.first
  return function(entry, number)
    if number ~= DONE or not run.is_plain then
      slowly(entry, number)
      return
    end
    local time, index = now(), entry.index
    entry.state, entry.ended, entry.handle = "done", time, false
    if time - entry.began >= entries.LONG then
      run.has_long = true
    end
    counts.running, counts.succeeded = counts.running - 1, counts.succeeded + 1
    local left = run.left - 1
    run.left = left
    if run.estimate then
      run.estimate:count(entry, -1)
    end
    local tell = hears.task_ends
    if tell then
      tell(run, entry)
    end
    for k = first[index], first[index + 1] - 1 do
      local dependent = list[edges[k]]
      local waits = dependent.left - 1
      dependent.left = waits
      if waits == 0 and dependent.state == "waiting" then
        start(dependent)
      end
    end
    if left == 0 then
      core.wake(run.handle)
    end
  end
end

return plain
