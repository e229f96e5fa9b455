-- SPDX-License-Identifier: MIT
--- The children of a supervisor: their list, their delays and limits, how one is stopped, what is said of
--- them on stderr.
---
---     child     running --ends--> backoff --delay--> running      stays in the list
---                  |                 |
---               stopping --ends--> backoff (stopped for another's restart) or gone
---                  | does not end, not even killed
---                stuck
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a child is in `named` exactly while it is in the list; `owners` has each task of the
--- supervisor's that has not been heard of.
---@module "tutti.supervisor.children"
local core = require("tutti.core")
local errors = require("tutti.errors")
local escape = require("tutti.escape")
local say = require("tutti.say")

local children = {}

-- What ended without saying so in this time after it was killed, is stuck.
local KILL_SECONDS = 1
-- Lines on stderr in a second.
local LINES_MAX = 10

-- ---- lines on stderr -----------------------------------------------------------------------

--- Say how many lines were left out.
function children.flush(sup)
  if sup.unsaid > 0 then
    say(("tutti: supervisor \"%s\": and %d more lines of this kind\n")
      :format(escape.line(sup.name), sup.unsaid))
    sup.unsaid = 0
  end
end

--- One line on stderr; not more than a few in a second.
function children.say(sup, text, ...)
  local now = core.now()
  if now - sup.said_at >= 1 then
    children.flush(sup)
    sup.said_at, sup.said = now, 0
  end
  if sup.said >= LINES_MAX then
    sup.unsaid = sup.unsaid + 1
    return
  end
  sup.said = sup.said + 1
  local line = escape.line(escape.message(text:format(...)))
  say(("tutti: supervisor \"%s\": %s\n"):format(escape.line(sup.name), line))
end

--- The first line of an error, with its place.
function children.first_line(err)
  return errors.text(err):match("^[^\n]*")
end

-- ---- the list ------------------------------------------------------------------------------

--- Append a child.
function children.link(sup, child)
  child.prev, child.next = sup.last, nil
  if sup.last then
    sup.last.next = child
  else
    sup.first = child
  end
  sup.last = child
  sup.named[child.name] = child
  sup.count = sup.count + 1
  if child.on_exit == "all" then
    sup.significant = sup.significant + 1
  end
  if sup.grouping then
    sup.late[#sup.late + 1] = child
  end
end

--- Take one out.
function children.unlink(sup, child)
  if child.prev then
    child.prev.next = child.next
  else
    sup.first = child.next
  end
  if child.next then
    child.next.prev = child.prev
  else
    sup.last = child.prev
  end
  if sup.cursor == child then
    sup.cursor = child.prev
  end
  sup.named[child.name] = nil
  sup.count = sup.count - 1
  if child.on_exit == "all" then
    sup.significant = sup.significant - 1
  end
end

-- ---- delays and limits ---------------------------------------------------------------------

--- Forget the delay or limit of a child.
function children.quiet(sup, child)
  if child.timer then
    sup.owners[child.timer] = nil
    child.timer:cancel()
    child.timer = nil
  end
end

--- Call act(sup, child) in `seconds`; it takes the place of the child's last one.
function children.later(sup, child, seconds, name, act)
  children.quiet(sup, child)
  if seconds == math.huge then
    return
  end
  local timer = core.start({ name = ("%s of \"%s\""):format(name, child.name), quiet = true },
    core.sleep, seconds)
  child.timer = timer
  sup.owners[timer] = function()
    child.timer = nil
    act(sup, child)
  end
end

-- ---- stopping one --------------------------------------------------------------------------

--- The child has been stopped, as far as it could be.
function children.leave(sup, child)
  local how = child.killed and "killed" or "stopped"
  children.quiet(sup, child)
  children.unlink(sup, child)
  child.state, child.how = "gone", how
  if sup.goal then
    table.insert(sup.report[how], child.name)
  end
  sup.news = true
end

local function overdue(sup, child)
  if not child.killed then
    child.killed = true
    core.kill(child.task)
    children.later(sup, child, KILL_SECONDS, "kill", overdue)
    return
  end
  child.state = "stuck"
  sup.news = true
  children.say(sup, "\"%s\" does not end, although it has been killed", child.name)
end

local REASON = {
  ["end"] = "its supervisor stops",
  remove = "its supervisor was asked to remove it",
  restart = "its supervisor restarts it with another task",
}

--- Cancel it, kill it if it has not ended in `seconds`; `why` is "end", "remove" or "restart".
function children.stop(sup, child, why, seconds)
  child.state, child.why = "stopping", why
  children.later(sup, child, seconds, "stop", overdue)
  child.task:cancel(REASON[why])
end

--- Give one that is being stopped `seconds` from now on.
function children.hurry(sup, child, seconds)
  if not child.killed then
    children.later(sup, child, seconds, "stop", overdue)
  end
end

return children
