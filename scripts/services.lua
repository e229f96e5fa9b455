-- SPDX-License-Identifier: MIT
-- Runs the services of a project side by side, restarts those that die, and stops them all in reverse
-- order on Ctrl-C.
--
--   ./tutti run scripts/services.lua [--for DURATION] [PROCFILE]
--
-- PROCFILE (default: ./Procfile) has a service a line: `NAME: COMMAND` must go on and is started again
-- whenever it ends; `NAME?: COMMAND` may go. A service that does not stay up is started again after longer
-- and longer pauses; after five times without a healthy ten seconds in between it is given up: then all is
-- stopped, status 1, unless it may go. What may go is done when it ends with 0. Ctrl-C and TERM stop the
-- last one first, each with its whole process group: TERM, and KILL after five seconds.
--
-- args: --for 3s scripts/services/Procfile
-- expect: clock | started
-- expect: tally | started
-- expect: flaky | started
-- expect: ...
-- expect: flaky | lost the connection
-- expect: ...
-- expect: flaky | started again
-- expect: ...
-- expect:       | --for 3s is over: stopping
-- expect: ...
-- expect: tally | stopped
-- expect: ...
-- expect: clock | stopped
local tutti = require("tutti")
local procfile = require("services.procfile")

local MAX_RESTARTS, HEALTHY_AFTER, GRACE = 5, "10s", "5s"
local USAGE = "usage: services.lua [--for DURATION] [PROCFILE]\n"

local function refuse(message)
  io.stderr:write("services: ", message, "\n")
  os.exit(2)
end

local path, lasting
local words = { ... }
local at = 1
while words[at] do
  if words[at] == "--for" then
    at = at + 1
    lasting = words[at] or refuse("--for wants a duration, such as 30s\n" .. USAGE)
  elseif words[at] == "--help" or words[at] == "-h" then
    io.write(USAGE)
    os.exit(0)
  elseif words[at]:sub(1, 1) == "-" or path then
    refuse(("unexpected word \"%s\"\n%s"):format(words[at], USAGE))
  else
    path = words[at]
  end
  at = at + 1
end
path = path or "Procfile"

local readable, text = pcall(tutti.fs.read, path)
if not readable then
  refuse((text.message:gsub("^fs%.read", "cannot read")))
end
local services, problem = procfile.parse(text)
if not services then
  refuse(("%s, %s"):format(path, problem))
end

local width, must_go_on = 5, false
for _, service in ipairs(services) do
  width, must_go_on = math.max(width, #service.name), must_go_on or not service.may_go
end

local function say(name, line)
  print(("%-" .. width .. "s | %s"):format(name, line))
end
if lasting and not pcall(tutti.timeout, lasting, function() end) then
  refuse(("--for wants a duration, such as 30s, not \"%s\""):format(lasting))
end
io.stdout:setvbuf("line")

-- One run of a service: a fresh execution of what is stored, each time the supervisor starts it.
local function runner(service)
  local function say_line(line)
    say(service.name, line)
  end
  local started = "started"
  return function()
    say_line(started)
    started = "started again"
    local is_stopped = true -- as long as nothing else has happened
    tutti.defer(function() -- after the process has ended
      if is_stopped then
        say_line("stopped")
      end
    end)
    local result = tutti.exec({ "/bin/sh", "-c", service.command, stdout = say_line, stderr = say_line,
      check = false, grace = GRACE }):await()
    is_stopped = false
    local how = result.signal and "was ended by " .. result.signal
      or result.code ~= 0 and "ended with status " .. result.code
    if how then
      error(how, 0) -- the supervisor says so, and when it starts again
    end
    say_line(service.may_go and "ended, and is done" or "ended, though it must go on")
  end
end

local function stop_signal()
  local what = tutti.race({ tutti.signal("SIGINT"), tutti.signal("SIGTERM"),
    lasting and tutti.spawn(tutti.sleep, lasting) }):await()
  say("", ("%s: stopping"):format(what == "SIGINT" and "Ctrl-C" or what or "--for " .. lasting .. " is over"))
end

local supervisor = tutti.supervisor({ name = "services" })
for _, service in ipairs(services) do
  supervisor:start({ name = service.name, runner(service),
    restart = service.may_go and "on_failure" or "always", max_restarts = MAX_RESTARTS,
    on_exit = must_go_on and "keep" or "all", -- when each may go and is gone, so is the supervisor
    healthy_after = HEALTHY_AFTER, on_giveup = service.may_go and "drop" or "fail" })
end
supervisor:shutdown_on_exit("ctrl_c", stop_signal)
local ok, err = supervisor:pawait()
if not ok then
  io.stderr:write("services: ", err.message, "\n")
  os.exit(1)
end
