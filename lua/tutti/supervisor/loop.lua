-- SPDX-License-Identifier: MIT
--- The loop of a supervisor: hears of the ends of its children and decides what they mean.
---
--- Everything happens in the supervisor's own task, one event after the other: others only leave a wish
--- (`goal`, `asked`) and wake it. Delays and limits are tasks that sleep, children of the supervisor too, so
--- that one list brings all events.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: what ended was decided on, or waits in the list of the C half, before the task sleeps.
---@module "tutti.supervisor.loop"
local backoff = require("tutti.backoff")
local children = require("tutti.supervisor.children")
local core = require("tutti.core")
local errors = require("tutti.errors")

local first_line, say = children.first_line, children.say
local later, quiet = children.later, children.quiet
local leave, stop, unlink = children.leave, children.stop, children.unlink

local loop = {}

-- Once the whole budget is spent, what is left has this time to end before it is killed.
local COURTESY_SECONDS = 0.1
-- The clock counts these; as numbers of seconds they are rounded.
local CLOCK_SECONDS = 1e-9
-- Errors that are kept for each child.
local HISTORY_MAX = 100

-- ---- starting and restarting ---------------------------------------------------------------

local decide -- below

local function begin(sup, child)
  local ok, task = pcall(child.launch, child)
  child.began = core.now()
  if not ok then -- its function or an argument cannot be sent any more: a run that failed at once
    decide(sup, child, "failed", task)
    return
  end
  core.copy_place(task, child.task)
  child.task, child.state = task, "running"
  child.killed, child.why = nil, nil
  sup.owners[task] = child
end

local function delay_is_over(sup, child)
  if child.regroup then
    child.delayed = false
    sup.delays = sup.delays - 1
  else
    begin(sup, child)
  end
end

-- Who has to stop and start again with the child? All after one that is marked are marked, but for those
-- that were started since; so many failures at once do not walk the list many times.
local function mark_group(sup, child)
  child.regroup, child.delayed = true, true
  sup.delays = sup.delays + 1
  for _, member in ipairs(sup.late) do
    member.regroup = sup.named[member.name] == member
  end
  sup.late = {}
  local member = child.next
  if sup.strategy == "one_for_all" then
    member = not sup.grouping and sup.first or nil
  end
  while member and (not member.regroup or member == child) do
    member.regroup = true
    member = member.next
  end
  sup.grouping = true
  sup.cursor = sup.last
end

local function plan_restart(sup, child, err)
  child.restarts = child.restarts + 1
  local seconds = backoff.delay(child.backoff, child.restarts)
  local what = err and "failed: " .. first_line(err) or "ended"
  local of = child.max_restarts < math.huge and (" of %d"):format(child.max_restarts) or ""
  say(sup, "\"%s\" %s; restart %d%s in %.3g s", child.name, what, child.restarts, of, seconds)
  child.state = "backoff"
  if sup.strategy ~= "one_for_one" then
    mark_group(sup, child)
  end
  later(sup, child, seconds, "backoff", delay_is_over)
end

-- The members have stopped: start them, in order.
local function start_group(sup)
  local members, child = {}, sup.first
  while child do
    if child.regroup then
      child.regroup = false
      members[#members + 1] = child
    end
    child = child.next
  end
  sup.grouping, sup.late = false, {}
  for _, member in ipairs(members) do
    if sup.grouping then
      return -- one of them could not be started, and has the rest start again with it
    end
    begin(sup, member)
  end
end

-- Stop the members in reverse order, one at a time; then, when the delays are over, start them.
local function advance_group(sup)
  while sup.cursor do
    local child = sup.cursor
    if child.regroup and child.state == "running" then
      stop(sup, child, "restart", child.stop_timeout)
      return
    elseif child.regroup and child.state ~= "backoff" then
      return
    end
    sup.cursor = child.prev
  end
  if sup.delays == 0 then
    start_group(sup)
  end
end

-- ---- what an end means ---------------------------------------------------------------------

local function aim(sup, goal)
  if not sup.goal then
    sup.goal, sup.goal_at = goal, core.now()
  end
end

-- "1 restart", "2 restarts"
local function restarts(child)
  return ("%d restart%s"):format(child.restarts, child.restarts == 1 and "" or "s")
end

local function gave_up_error(sup, child, err, again)
  local message = ("supervisor \"%s\": \"%s\" "):format(sup.name, child.name)
  if child.restarts > 0 then
    message = message .. "is given up after " .. restarts(child)
  elseif again and not err then
    message = message .. "may not be restarted"
  else
    message = message .. "failed"
  end
  message = ("%s: %s"):format(message, err and err.message or "it ended, although it must go on")
  return errors.new({ kind = "error", message = message, cause = child.errors[#child.errors],
    errors = child.errors })
end

local function give_up(sup, child, err, again)
  unlink(sup, child)
  child.state = "gone"
  if child.on_giveup == "fail" then
    sup.failure = gave_up_error(sup, child, err, again)
    aim(sup, "fail")
    return
  end
  say(sup, "\"%s\" is given up%s: %s", child.name, child.restarts > 0 and " after " .. restarts(child) or "",
    err and first_line(err) or "it ended again")
  if child.on_giveup == "shutdown" or child.on_exit == "all" and sup.significant == 0 then
    aim(sup, "shutdown")
  end
end

local function ended_well(sup, child)
  unlink(sup, child)
  child.state = "gone"
  if child.on_exit == "shutdown" or child.on_exit == "all" and sup.significant == 0 then
    aim(sup, "shutdown")
  end
end

local function note_error(child, err)
  if #child.errors >= HISTORY_MAX then
    table.remove(child.errors, 1)
  end
  child.errors[#child.errors + 1] = err
end

-- It ended by itself. A task that somebody else cancelled has not failed.
function decide(sup, child, state, err)
  if core.now() - child.began + CLOCK_SECONDS >= child.healthy_after then
    child.restarts, child.errors = 0, {}
  end
  local failed = state == "failed" or state == "skipped"
  if failed then
    note_error(child, err)
  end
  local again = child.restart == "always" or child.restart == "on_failure" and failed
  if again and child.restarts < child.max_restarts then
    plan_restart(sup, child, failed and err or nil)
  elseif again or failed then
    give_up(sup, child, failed and err or nil, again)
  else
    ended_well(sup, child)
  end
end

-- A child that was to end has ended.
local function stopped(sup, child)
  if child.state == "stopping" and child.why == "restart" and not sup.goal and not child.leaving then
    quiet(sup, child)
    child.state = "backoff"
  else
    leave(sup, child)
  end
end

local function on_end(sup, child, task)
  local state, err = task:state(), nil
  if state ~= "done" then
    local _, raised = task:pawait()
    err = raised
  end
  if child.state == "running" and not sup.goal and not child.leaving then
    decide(sup, child, state, err)
    return
  end
  if state == "failed" then -- it has no say any more, but is not lost
    say(sup, "\"%s\" failed while it was being stopped: %s", child.name, first_line(err))
  end
  stopped(sup, child)
end

-- ---- the loop ------------------------------------------------------------------------------

local function take_events(sup)
  for _, task in ipairs(core.take_ended(sup.task) or {}) do
    local owner = sup.owners[task]
    sup.owners[task] = nil
    if type(owner) == "function" then
      owner()
    elseif owner then
      on_end(sup, owner, task)
    end
  end
end

-- Somebody has asked for these to be removed.
local function remove_asked(sup)
  local asked = sup.asked
  sup.asked = {}
  for _, child in ipairs(asked) do
    child.leaving = true
    if child.regroup and child.delayed then
      sup.delays = sup.delays - 1
    end
    child.regroup = false
    if child.state == "backoff" then
      leave(sup, child)
    elseif child.state == "running" then
      stop(sup, child, "remove", child.stop_timeout)
    end
  end
end

-- The budget is spent: what is left ends now, all at once.
local function out_of_time(sup)
  sup.is_late = true
  local child = sup.last
  while child do
    if child.state == "stopping" then
      children.hurry(sup, child, COURTESY_SECONDS)
    end
    child = child.prev
  end
end

-- Stop the last, and so on; true when nothing is left to stop.
local function advance_stop(sup)
  if not sup.budget then
    sup.budget = { name = sup.name }
    later(sup, sup.budget, math.max(0, sup.goal_at + sup.stop_timeout - core.now()), "stop", out_of_time)
  end
  local child, is_over = sup.last, true
  while child do
    local before = child.prev
    if child.state == "backoff" then
      leave(sup, child)
    elseif child.state == "running" then
      stop(sup, child, "end", sup.is_late and COURTESY_SECONDS or child.stop_timeout)
    end
    if child.state == "stopping" then
      is_over = false
      if not sup.is_late then
        return false
      end
    end
    child = before
  end
  return is_over
end

local function is_over(sup)
  if sup.goal then
    return advance_stop(sup)
  end
  if sup.grouping then
    advance_group(sup)
  end
  if sup.goal then -- a start failed for good
    return advance_stop(sup)
  end
  return sup.count == 0 and (sup.has_begun or core.is_awaited(sup.task))
end

local function tell(sup)
  sup.news = false
  for task in pairs(sup.waiting) do
    sup.waiting[task] = nil
    core.wake(task)
  end
end

-- However it ends: by itself, or because it was cancelled and its children with it.
local function close(sup)
  local child = sup.first
  while child do
    table.insert(sup.report[child.state == "stuck" and "stuck" or "stopped"], child.name)
    child = child.next
  end
  sup.has_ended = true
  for task, owner in pairs(sup.owners) do
    if type(owner) == "function" then
      task:cancel()
    end
  end
  children.flush(sup)
  tell(sup)
end

local closing = { __close = function(guard) close(guard.sup) end }

--- The body of the supervisor's task.
---@async
function loop.run(sup)
  local guard <close> = setmetatable({ sup = sup }, closing)
  core.supervise()
  while true do
    take_events(sup)
    remove_asked(sup)
    if is_over(sup) then
      break
    end
    if sup.news then
      tell(sup)
    end
    core.park("tutti.supervisor")
  end
  if sup.failure then
    error(sup.failure, 0)
  end
  return guard.sup.report
end

--- Ask for an orderly end; the supervisor's task does it.
function loop.ask_stop(sup)
  aim(sup, "stop")
  core.wake(sup.task)
end

--- Ask for the end of one child.
function loop.ask_remove(sup, child)
  table.insert(sup.asked, child)
  core.wake(sup.task)
end

--- Wait until done() is true, in a task; `what` names the operation.
---@async
function loop.wait(sup, what, done)
  while not done() and not sup.has_ended do
    sup.waiting[core.current()] = true
    core.park(what)
  end
end

return loop
