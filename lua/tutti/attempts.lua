-- SPDX-License-Identifier: MIT
--- Options `timeout` and `retry` of tasks: the function runs in a scope of its own, again if need be.
---
---     task -- attempt 1 (a scope: its time limit, what it started) -- delay -- attempt 2 -- ...
---
--- Layer: the Lua half. Thread: the state in which the task runs.
--- Invariant: what an attempt started has ended before the next one begins; the task's own cancellation ends
--- it at once, whatever attempts are left.
---@module "tutti.attempts"
local backoff = require("tutti.backoff")
local core = require("tutti.core")
local options = require("tutti.options")

local attempts = {}

local RETRY = { times = true, backoff = true, on = true }

-- ---- reading -------------------------------------------------------------------------------

local function refuse(what, level, message, ...)
  core.usage(("%s: option \"retry\": %s"):format(what, message:format(...)), level + 1)
end

local function read_times(what, times, level)
  if math.type(times) ~= "integer" or times < 0 then
    refuse(what, level + 1, "the number of further attempts must be an integer, 0 or more, got %s",
      type(times) == "number" and tostring(times) or type(times))
  end
  return times
end

local function read_retry(what, plan, given, level)
  if type(given) == "number" then
    plan.times, plan.backoff = read_times(what, given, level + 1), backoff.DEFAULT
    return
  elseif type(given) ~= "table" then
    refuse(what, level + 1, "a number, or { times =, backoff =, on = }, was expected, got %s", type(given))
  end
  options.check(what .. ": option \"retry\"", given, RETRY, level + 1)
  if #given > 0 then
    refuse(what, level + 1, "it has fields times, backoff and on, and no list")
  end
  plan.times = read_times(what, given.times, level + 1)
  plan.backoff = backoff.check(what .. ": option \"retry\"", given.backoff, level + 1)
  if given.on ~= nil then
    options.check_function(what .. ": option \"retry\", \"on\"", given.on, level + 1)
    plan.on = given.on
  end
end

--- What `timeout` and `retry` of the options say, checked; nil if nothing. `level` as for core.usage.
function attempts.check(what, given, level)
  local plan = { times = 0 }
  if given.timeout ~= nil then
    plan.timeout = core.duration(given.timeout, what .. ": option \"timeout\"", level + 1)
  end
  if given.retry ~= nil then
    read_retry(what, plan, given.retry, level + 1)
  end
  return (plan.timeout or plan.times > 0) and plan or nil
end

-- ---- running -------------------------------------------------------------------------------

-- A plain task's own rules: what nobody awaited of what it started fails it at its end.
local function scope_of(plan, attempt)
  local name = core.current():name()
  if plan.times > 0 then
    name = ("%s, attempt %d"):format(name, attempt)
  end
  return { name = name, timeout = plan.timeout, collect = true, plain = true }
end

-- Whether there is to be another attempt after `err`; if so, waits for its time.
local function wait_for_next(plan, attempt, err)
  if attempt > plan.times or plan.on and not plan.on(err) then
    return false
  end
  local delay = backoff.delay(plan.backoff, attempt)
  if plan.told then
    plan.told(err, delay)
  end
  core.sleep(delay)
  return true
end

local function run_again(plan, attempt, f, ...)
  local results = table.pack(pcall(core.scope, scope_of(plan, attempt), f, ...))
  if results[1] then
    return results
  end
  local err = results[2]
  if core.cancelled() then
    error(err, 0) -- the task's own: never tried again
  end
  err = core.error_with(err, "attempt", attempt)
  if not wait_for_next(plan, attempt, err) then
    error(err, 0)
  end
  return nil
end

--- The body of a task with these options: f(...) as `plan` says. Crosses to workers by name.
function attempts.run(plan, f, ...)
  if plan.times == 0 then
    return core.scope(scope_of(plan, 1), f, ...)
  end
  for attempt = 1, math.maxinteger do
    local results = run_again(plan, attempt, f, ...)
    if results then
      return table.unpack(results, 2, results.n)
    end
  end
end

-- ---- starting ------------------------------------------------------------------------------

--- Start a task by core.start, core.start_parallel or core.start_native with the function wrapped up.
--- `checked.level` counts from the caller of this function.
function attempts.start(plan, start, checked, f, ...)
  checked.level = checked.level + 1
  local task
  if start == core.start_parallel then
    checked.functions = 3 -- run, plan and f; what it comes after and the arguments follow
    task = start(checked, attempts.run, plan, f, ...)
  elseif start == core.start then
    task = start(checked, function(...) return attempts.run(plan, f, ...) end, ...)
  else
    task = core.start(checked, function(...)
      return attempts.run(plan, function(...)
        local try <const> = start({ name = checked.name, priority = checked.priority, quiet = true,
          same_place = true }, f, ...)
        return try:await()
      end, ...)
    end, ...)
  end
  return task
end

return attempts
