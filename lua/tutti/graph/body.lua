-- SPDX-License-Identifier: MIT
--- What a task of a graph runs: its function on the results of what it needs.
---
--- In mode "loop" one body, made for the whole run, takes the entry as its argument. In mode "pool" the
--- function itself is sent; but what has `when`, `timeout` or `retry` keeps a task of this state around it,
--- which decides here and awaits the part on the pool.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.graph.body"
local core = require("tutti.core")
local errors = require("tutti.errors")
local watch = require("tutti.watch")

local body = {}

local now, hears = core.now, watch.hears

-- ---- arguments -----------------------------------------------------------------------------

local function argument(entry, node)
  if node.run_on_skip then
    return entry.task
  end
  return entry.value
end

-- f receives the first result of each of what it needs, in order; with run_on_skip the handles.
local function arguments(run, node)
  local by_name, needs = run.entries, node.needs
  local count = #needs
  local values = { n = count }
  for i = 1, count do
    values[i] = argument(by_name[needs[i]], node)
  end
  return values
end

-- ---- around the function -------------------------------------------------------------------

local function finish(entry, ...)
  local count = select("#", ...)
  entry.value = (...)
  if count > 1 then
    entry.values = table.pack(...)
  end
  return ...
end

-- The function on the pool, for a task of this state that waits for it.
local function awaited_on_pool(node)
  return function(...)
    local task <const> = core.start_parallel({ name = node.name, priority = node.spec.priority, quiet = true,
      same_place = true }, node.f, ...)
    return task:await()
  end
end

local function function_of(run, node)
  return (node.on or run.mode) == "pool" and awaited_on_pool(node) or node.f
end

-- The attempts of this entry, which tell of each that is to be tried again.
local function attempts_of(run, entry, attempts)
  local copy = {}
  for key, value in pairs(attempts) do
    copy[key] = value
  end
  copy.told = function(err, delay)
    run.tries[entry] = (run.tries[entry] or 0) + 1
    if hears.task_retries then
      hears.task_retries(run, entry, err, delay)
    end
  end
  return copy
end

-- A task with `when`, `timeout`, `retry`, more than two needs, or a part on the pool.
local function run_whole(run, entry, node)
  local values = arguments(run, node)
  if node.when then
    local go, why = node.when(table.unpack(values, 1, values.n))
    if not go then
      run.because[entry] = why ~= nil and tostring(why) or "its condition does not hold"
      return
    end
  end
  local f = function_of(run, node)
  if node.spec.attempts then
    local attempts = attempts_of(run, entry, node.spec.attempts)
    return finish(entry, require("tutti.attempts").run(attempts, f, table.unpack(values, 1, values.n)))
  end
  return finish(entry, f(table.unpack(values, 1, values.n)))
end

local function begin(run, entry)
  entry.state, entry.began = "running", now()
  run.counts.running = run.counts.running + 1
  if hears.task_begins then
    hears.task_begins(run, entry)
  end
end

--- The body of all tasks of a run that run in this state: body(entry).
function body.new(run)
  local counts = run.counts
  return function(entry)
    local node = entry.node
    if hears.task_begins then
      begin(run, entry)
    else
      entry.state, entry.began = "running", now()
      counts.running = counts.running + 1
    end
    local needs = node.needs
    local count = #needs
    if count > 2 or node.when or node.run_on_skip or node.spec.attempts
      or (node.on or run.mode) == "pool" then
      return run_whole(run, entry, node)
    elseif count == 0 then
      return finish(entry, node.f())
    end
    local by_name = run.entries
    if count == 1 then
      return finish(entry, node.f(by_name[needs[1]].value))
    end
    return finish(entry, node.f(by_name[needs[1]].value, by_name[needs[2]].value))
  end
end

-- ---- on the pool ---------------------------------------------------------------------------

--- Does this node need a task of this state around it?
function body.needs_loop(node)
  return node.when ~= nil or node.spec.attempts ~= nil or node.run_on_skip ~= nil
end

-- The handles of what it needs, if all of that was on the pool as well: then the results go from worker to
-- worker and are never read here.
local function handles_of(run, node)
  local by_name, handles = run.entries, {}
  for i, name in ipairs(node.needs) do
    local need = by_name[name]
    if not run.remote[need] then
      return nil
    end
    handles[i] = need.handle
  end
  return #handles > 0 and handles or nil
end

--- Start the entry's function as a task of the pool, which becomes its handle.
function body.start_on_pool(run, entry, place)
  local node = entry.node
  local opts = { name = node.name, priority = node.spec.priority }
  local task
  opts.after = handles_of(run, node)
  if opts.after then
    task = core.start_parallel(opts, node.f)
  else
    local values = arguments(run, node)
    task = core.start_parallel(opts, node.f, table.unpack(values, 1, values.n))
  end
  core.graph_set_place(task, place)
  -- All of it before listeners hear: an entry without a handle makes one when it is asked.
  entry.handle, run.owners[task], run.remote[entry] = task, entry, true
  begin(run, entry)
end

--- Raise `transfer` if the function of a node that is to run on the pool cannot cross.
function body.check_sendable(nodes, mode)
  local known = {}
  for _, node in ipairs(nodes) do
    if (node.on or mode) == "pool" and not known[node.f] then
      known[node.f] = true
      local ok, err = pcall(core.check_sendable, "g:run", node.f, 1)
      if not ok then
        local where = node.line and (", at " .. node.line) or ""
        error(errors.new({ kind = "transfer", place = node.line, message =
          ("g:run: task \"%s\" cannot run on the pool: %s%s"):format(node.name, err.message, where) }), 0)
      end
    end
  end
end

return body
