-- SPDX-License-Identifier: MIT
--- One execution of a plan.
---
---     g:run --> the run's task: starts what needs nothing, then sleeps until all has settled
---                   | owns
---                   v
---               tasks of the graph (graph/body.lua is what they run) --end--> ended(): counts down those
---                                                                             that need it, and starts them
---
--- There is no barrier: who comes to nothing left starts, or waits at a gate (gate.lua) for its turn. What
--- other tasks ask for (`fresh`, who waits for whom) is done in the run's own task, which they wake.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: counts.running + settled + waiting + ready = total; `left` is how many have not settled.
---@module "tutti.graph.run"
local body = require("tutti.graph.body")
local core = require("tutti.core")
local entries = require("tutti.graph.entry")
local options = require("tutti.options")
local plain = require("tutti.graph.plain")
local result = require("tutti.graph.result")
local session = require("tutti.session")
local watch = require("tutti.watch")

-- Most runs need nothing of these, and a short script should begin soon.
local function on_use(name)
  return setmetatable({}, {
    __index = function(self, key)
      self[key] = require(name)[key]
      return rawget(self, key)
    end,
  })
end

local gate, lend = on_use("tutti.graph.gate"), on_use("tutti.graph.lend")

local NUMBER, STATE, SETTLED = entries.NUMBER, entries.STATE, entries.SETTLED
local now, hears = core.now, watch.hears

local methods = {}
local run_meta = { __name = "tutti.run", __names = setmetatable({ entries = true }, { __index = methods }) }

--- run.entries: the entries by name, made when somebody asks.
function run_meta:__index(key)
  if key ~= "entries" then
    return methods[key]
  end
  local by_name = {}
  for _, entry in ipairs(self.list) do
    by_name[entry.name] = entry
  end
  self.entries = by_name
  return by_name
end

function run_meta:__tostring()
  return ("run %d of graph \"%s\" (%d of %d tasks left)"):format(self.id, self.name, self.left, self.total)
end

-- Handle of a run's task -> the run.
local runs = setmetatable({}, { __mode = "k" })
local count_made = 0
-- The run that began last: for the prompt, which keeps it; a script does not.
local latest, latest_kept = setmetatable({}, { __mode = "v" }), nil

-- ---- starting tasks ------------------------------------------------------------------------

-- The places of tasks as the C half takes them, by "FILE:LINE": most tasks share a few.
local function place_of(run, node)
  local line = node.line
  if not line then
    return 0
  end
  local place = run.places[line]
  if not place then
    place = core.graph_place(line)
    run.places[line] = place
  end
  return place
end

local settle, close -- below

-- Why others are skipped that need `entry`: the entry of which it was skipped itself, or it.
local function root_of(run, entry)
  local because = run.because[entry]
  return type(because) == "table" and because or entry
end

local function start(run, entry)
  local node, handle = entry.node, entry.handle
  if handle then -- it was asked for before its time
    core.graph_release(handle)
    return
  elseif (node.on or run.mode) == "pool" and not body.needs_loop(node) then
    local ok, err = pcall(body.start_on_pool, run, entry, place_of(run, node))
    if not ok then -- a value that it needs cannot cross
      entry.error = err
      settle(run, entry, "failed")
    end
    return
  end
  handle = core.graph_start(entry, node.name, place_of(run, node), node.spec.priority, run.body)
  if not SETTLED[entry.state] then -- of a run that has been cancelled it has ended already
    entry.handle = handle
  end
end

-- From now on the run has to know what tasks wait for.
local function watch_waits(run)
  if not run.watches then
    run.watches = true
    core.graph_watch(run.handle, true)
  end
end

-- All that the entry needs has settled.
local function ready(run, entry)
  entry.state = "ready"
  if run.stopping then
    return
  end
  if run.is_open and not (entry.node.limit or entry.node.resources) then
    start(run, entry)
    return
  end
  local ticket = gate.ticket(run, entry)
  run.tickets[entry] = ticket
  if not ticket or gate.enter(ticket) then
    start(run, entry)
  elseif lend.queued() then
    core.wake(run.handle)
  end
  if ticket then
    watch_waits(run)
  end
end

--- A gate has let the ticket in.
function methods.granted(run, ticket)
  if ticket.returns then
    gate.take_over(ticket)
    core.graph_resume(ticket.entry.handle)
    return
  end
  local list = run.let_in
  list[#list + 1] = ticket.entry
  if not run.is_busy then
    core.wake(run.handle)
  end
end

--- Make the handle of an entry before its time.
function methods.hold(run, entry)
  local node = entry.node
  if run.stopping then
    close(run, entry, "cancelled")
    if hears.task_ends then
      hears.task_ends(run, entry)
    end
    return entries.settled_handle(entry)
  end
  watch_waits(run)
  return core.start_under(run.handle, core.graph_start, entry, node.name, place_of(run, node),
    node.spec.priority, run.body, true)
end

--- Add a task: tutti.current_run():task(name, [options,] f) --> Task. It is counted in the run's totals.
function methods.task(run, name, given, f)
  if getmetatable(run) ~= run_meta then
    core.usage(("run:task: a run was expected, got %s (call it with a colon: run:task(...))")
      :format(type(run)), 2)
  end
  local entry, broken = require("tutti.graph.add")(run, 2, name, given, f)
  if run.estimate then
    run.estimate:count(entry, 1)
  end
  if hears.task_added then
    hears.task_added(run, entry)
  end
  if broken then
    run.because[entry] = root_of(run, broken)
    close(run, entry, "skipped")
    if hears.task_ends then
      hears.task_ends(run, entry)
    end
  elseif entry.left == 0 then
    run.fresh[#run.fresh + 1] = entry
    core.wake(run.handle)
  end
  return entry.task
end

--- Seconds until it ends, as far as can be said; or nil.
function methods.remaining(run)
  return require("tutti.graph.left").remaining(run)
end

-- ---- ends ----------------------------------------------------------------------------------

local COUNTED = { done = "succeeded", failed = "failed", cancelled = "cancelled", skipped = "skipped" }

-- The entry will not run, or has: note it, and free what it held.
function close(run, entry, state)
  local counts = run.counts
  if entry.state == "running" then
    counts.running = counts.running - 1
  end
  entry.state, entry.ended = state, now()
  local counted = COUNTED[state]
  counts[counted] = counts[counted] + 1
  run.left = run.left - 1
  if state == "done" and entry.ended - entry.began >= entries.LONG then
    run.has_long = true
  end
  if run.estimate then
    run.estimate:count(entry, -1)
  end
  local ticket = run.tickets[entry]
  if ticket then
    run.tickets[entry] = nil
    gate.leave(ticket)
  end
end

-- A task that was held, or is being waited for, has to hear of an end that it did not bring about itself.
local function tell_handle(entry)
  local handle = entry.handle
  if handle then
    core.graph_settle(handle, NUMBER[entry.state], entry.error)
  end
end

-- One of those that need `entry` hears of its end; returns true if it is skipped because of it.
local function count_down(run, entry, dependent)
  if SETTLED[dependent.state] then
    return false
  end
  if entry.state ~= "done" and not dependent.node.run_on_skip then
    return true
  end
  local left = dependent.left - 1
  dependent.left = left
  if left == 0 then
    ready(run, dependent)
  end
  return false
end

local function each_dependent(run, entry, visit)
  local plan, list = run.plan, run.list
  local index = entry.index
  local edges, first = plan.edges, plan.first
  if index < #first then -- what was added while it ran stands behind those of the plan
    for k = first[index], first[index + 1] - 1 do
      visit(list[edges[k]])
    end
  end
  for _, dependent in ipairs(run.more[entry] or {}) do
    visit(dependent)
  end
end

-- What needs an entry that did not succeed is skipped in the same moment, and what needs that.
local function skip_below(run, entry)
  local stack = { entry }
  while #stack > 0 do
    local at = table.remove(stack)
    local root = root_of(run, at)
    each_dependent(run, at, function(dependent)
      if count_down(run, at, dependent) then
        run.because[dependent] = root
        close(run, dependent, "skipped")
        tell_handle(dependent)
        if hears.task_ends then
          hears.task_ends(run, dependent)
        end
        stack[#stack + 1] = dependent
      end
    end)
  end
end

local function done(run, entry)
  local plan, list = run.plan, run.list
  local index, edges, first = entry.index, plan.edges, plan.first
  if run.more[entry] or index >= #first then
    each_dependent(run, entry, function(dependent) count_down(run, entry, dependent) end)
    return
  end
  for k = first[index], first[index + 1] - 1 do
    local dependent = list[edges[k]]
    local left = dependent.left - 1
    dependent.left = left
    if left == 0 and dependent.state == "waiting" then
      ready(run, dependent)
    end
  end
end

-- Of a task that runs whatever became of what it needs: what of that did not succeed.
local function root_below(run, entry)
  for _, name in ipairs(entry.node.run_on_skip and entry.node.needs or {}) do
    local need = run.entries[name]
    if need.state == "failed" or need.state == "skipped" then
      return root_of(run, need)
    end
  end
  return nil
end

-- Nothing is started any more, and what ran has ended: what is left is skipped if it needs what did not
-- succeed, and cancelled otherwise.
-- `at_once`: only of what could start by now, and of what somebody has a handle of and may wait for.
local function cancel_rest(run, at_once)
  for _, entry in ipairs(run.list) do
    local state = entry.state
    if state == "ready" or state == "waiting" and (not at_once or entry.handle)
      or state == "running" and not at_once then
      local root = root_below(run, entry)
      run.because[entry] = root
      close(run, entry, root and "skipped" or "cancelled")
      tell_handle(entry)
      if hears.task_ends then
        hears.task_ends(run, entry)
      end
    end
  end
end

local function stop(run)
  run.stopping, run.is_plain = true, false
  run.why_cancelled = "another task failed, and on_failure = \"stop\""
  cancel_rest(run, true)
end

function settle(run, entry, state)
  close(run, entry, state)
  if hears.task_ends then
    hears.task_ends(run, entry)
  end
  if state == "done" then
    done(run, entry)
    return
  end
  skip_below(run, entry)
  if state == "failed" and run.on_failure == "stop" and not run.stopping then
    stop(run)
  end
end

-- Start whom gates have let in; that may let in more.
local function take_let_in(run)
  while run.let_in[1] do
    local list = run.let_in
    run.let_in = {}
    for _, entry in ipairs(list) do
      if not SETTLED[entry.state] and not run.stopping then -- else its place was, or will be, given back
        start(run, entry)
      end
    end
  end
end

local function settle_ended(run, entry, handle, state)
  if state == "done" then
    if run.because[entry] then -- `when` said no
      state = "skipped"
    end
    if not run.remote[entry] then
      entry.handle = false
    end
  else
    entry.value, entry.values = nil, nil
    entry.error = handle and core.graph_error(handle)
    entry.handle = false
  end
  settle(run, entry, state)
end

-- A task has ended. Called by the C half in that moment, on whatever stack; `what` is its entry, or if it was
-- of the pool its handle.
local function ended(run, what, number)
  local entry, handle = run.owners[what], what
  if entry then
    run.owners[what] = nil
  else
    entry, handle = what, what.handle
  end
  if SETTLED[entry.state] then
    return -- by the run itself, before it began
  end
  local was_busy = run.is_busy
  run.is_busy = true
  settle_ended(run, entry, handle, STATE[number])
  if run.let_in[1] then
    take_let_in(run)
  end
  if run.stopping and run.counts.running == 0 then
    cancel_rest(run)
  end
  run.is_busy = was_busy
  if run.left == 0 then
    core.wake(run.handle)
  end
end

-- ---- the run's own task --------------------------------------------------------------------

-- What tasks have added while they ran.
local function take_fresh(run)
  local list = run.fresh
  run.fresh = {}
  for _, entry in ipairs(list) do
    if entry.state == "waiting" and entry.left == 0 then
      ready(run, entry)
    end
  end
end

-- Do what others have asked for, then sleep.
local function step(run)
  take_fresh(run)
  if run.watches then
    lend.look(runs)
  end
  take_let_in(run)
  if run.left > 0 then
    run.is_busy = false
    core.park("g:run")
    run.is_busy = true
  end
end

local function begin(run)
  local list = run.list
  local start_first = run.is_plain and run.start_plain or function(entry) ready(run, entry) end
  for i = 1, run.plan.starts[2] and run.plan.starts[2] - 1 or 0 do
    start_first(list[i])
  end
end

-- What the C half calls at each end.
local function listener_of(run)
  local function slowly(what, number)
    ended(run, what, number)
  end
  if not run.is_plain then
    return slowly
  end
  run.start_plain = plain.start(run)
  return plain.ended(run, run.start_plain, slowly)
end

-- However it ended: nothing of it runs any more.
local function finish(run)
  if run.ended then
    return
  end
  local is_cancelled, reason = core.cancelled()
  if is_cancelled then
    run.was_cancelled, run.why_cancelled = true, reason or "the run was cancelled"
  end
  if run.left > 0 then
    run.stopping = true
    cancel_rest(run)
  end
  run.ended, run.is_over = now(), true
  if run.watches then
    core.graph_watch(run.handle, false)
  end
  run.result = result.new(run)
  if run.has_long then
    require("tutti.graph.history").run_ended(run, run.ended - run.began)
  end
  if hears.run_ends then
    hears.run_ends(run, run.result)
  end
end

local function main(run)
  core.graph_enter(listener_of(run))
  run.handle = core.current()
  runs[run.handle] = run
  core.defer(function() finish(run) end)
  run.is_busy = true
  if hears.run_begins then
    hears.run_begins(run)
  end
  begin(run)
  while run.left > 0 do
    step(run)
  end
  finish(run)
  return run.result
end

-- ---- making a run --------------------------------------------------------------------------

local KNOWN = { mode = true, on_failure = true, jobs = true }

local function word(given, name, first, second, level)
  local value = given[name]
  if value ~= nil and value ~= first and value ~= second then
    core.usage(("g:run: option \"%s\" must be \"%s\" or \"%s\", got %s"):format(name, first, second,
      type(value) == "string" and ("\"%s\""):format(value) or type(value)), level + 1)
  end
  return value or first
end

local function read_jobs(given, mode, level)
  local jobs = given.jobs
  if jobs == nil then
    jobs = session.jobs
  elseif math.type(jobs) ~= "integer" or jobs < 1 then
    core.usage(("g:run: option \"jobs\" must be a whole number, 1 or more, got %s")
      :format(type(jobs) == "number" and tostring(jobs) or type(jobs)), level + 1)
  end
  return jobs or mode == "pool" and 2 * core.workers() or nil
end

-- g:run(), g:run(SELECTOR), g:run{ SELECTOR, jobs = 2 }; a selector may be a list of names.
local function read(given, level)
  local opts = {}
  if type(given) == "table" then
    options.check("g:run", given, KNOWN, level + 1)
    opts.selector = #given > 1 and table.move(given, 1, #given, 1, {}) or given[1]
  elseif given == nil or type(given) == "string" then
    opts.selector, given = given, {}
  else
    core.usage(("g:run: a selector, or a table { SELECTOR, jobs = 2 }, was expected, got %s")
      :format(type(given)), level + 1)
  end
  opts.mode = word(given, "mode", "loop", "pool", level + 1)
  opts.on_failure = word(given, "on_failure", "skip", "stop", level + 1)
  opts.jobs = read_jobs(given, opts.mode, level + 1)
  return opts
end

-- An entry for each node of the plan, in its order.
local function fill(run)
  local waits = run.plan.waits
  local meta, list = run.entry_meta, {}
  for i = 1, #waits do
    list[i] = setmetatable({ state = "waiting", left = waits[i], index = i, handle = false, node = nil,
      value = nil, began = nil, ended = nil }, meta)
  end
  run.list = list
end

local function new(graph, plan, opts)
  count_made = count_made + 1
  local run = { id = count_made, graph = graph, name = graph.name, plan = plan, mode = opts.mode,
    jobs = opts.jobs, on_failure = opts.on_failure, total = #plan.waits, left = #plan.waits,
    counts = { running = 0, succeeded = 0, failed = 0, skipped = 0, cancelled = 0 },
    began = now(), places = {}, owners = {}, let_in = {}, fresh = {},
    estimate = false, ended = false, has_long = false, stopping = false, watches = false, -- as yet
    queued = {},
    because = {}, more = {}, remote = {}, tickets = {}, tries = {} } -- by entry; hardly any has one
  run.jobs_gate = opts.jobs and gate.new("jobs", opts.jobs)
  run.is_open = not run.jobs_gate
  run.is_plain = plain.serves(graph, opts)
  run.entry_meta = entries.meta(run)
  setmetatable(run, run_meta)
  fill(run)
  run.body = body.new(run)
  return run
end

-- In the program those who show runs are there from the first one on.
local function listen()
  listen = function() end
  if session.is_program then
    require("tutti.progress").start()
    require("tutti.report.listen").start()
  end
end

local run = { methods = methods }

--- What g:run does: plan, check, start. `level` is that of the caller's line.
---@return table # the run's task
function run.start(graph, given, level)
  if session.guard then -- `tutti plan`: nothing runs
    return session.guard(graph, given)
  end
  listen()
  local opts = read(given, level + 1)
  local plan = graph:plan(opts.selector)
  local made = new(graph, plan, opts)
  if not made.is_plain then
    body.check_sendable(plan.nodes, opts.mode) -- what can be known to fail is said before anything starts
  end
  latest.run, latest_kept = made, package.loaded["tutti.repl"] and made or nil
  local task = core.start({ name = graph.name, priority = 0, level = 2 }, main, made)
  return task
end

--- The run that the current task belongs to, or nil.
function run.current()
  local task = core.graph_run()
  return task and runs[task]
end

--- The run that was started last, if something still holds it.
function run.latest()
  return latest_kept or latest.run
end

--- The run whose task this is, or nil.
function run.of(task)
  return runs[task]
end

--- The entry of a task of a graph that has not ended, or nil.
function run.entry_of(task)
  local owner = core.owner(task)
  local of = owner and runs[owner]
  for _, entry in ipairs(of and of.list or {}) do
    if rawget(entry, "handle") == task then
      return entry
    end
  end
end

return run
