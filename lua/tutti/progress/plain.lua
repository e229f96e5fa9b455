-- SPDX-License-Identifier: MIT
--- Progress as lines, for logs: one at the end of each task, one for a task that has run for 5 s, every 30 s
--- one that names what runs, and a summary.
---
---     [ 12/200] compile main.c  1.2s
---     [ 13/200] FAILED link  0.3s: exec "cc" ended with status 1
---     [ 13/200] 2 running: fetch 1m05s, unpack 7s
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: at most LINES_MAX lines a second are about ends of tasks; those left out are counted.
---@module "tutti.progress.plain"
local core = require("tutti.core")
local counts = require("tutti.progress.counts")
local running = require("tutti.progress.running")
local say = require("tutti.say")
local view = require("tutti.session").view

local plain = {}

local LINES_MAX = 25
local SLOW_SECONDS, HEARTBEAT_SECONDS, NAMES_MAX = 5, 30, 5

local runs = 0
local told = {}            -- entry -> true: it has been said that it is slow
local spoken_at = 0        -- when the last line was written
local second, lines, left_out = 0, 0, 0

local function head(run)
  local total = tostring(run.total)
  return ("[%" .. #total .. "d/%s] "):format(counts.done(run), total)
end

local function tell(run, text)
  spoken_at = core.now()
  say(head(run) .. text .. "\n")
end

-- ---- ends of tasks -------------------------------------------------------------------------

local function flush(run)
  if left_out > 0 then
    tell(run, ("and %d more"):format(left_out))
    left_out = 0
  end
end

-- May a line about an end be written now?
local function has_room(run)
  local now = math.floor(core.now())
  if now ~= second then
    flush(run)
    second, lines = now, 0
  end
  lines = lines + 1
  return lines <= LINES_MAX
end

local function tell_end(run, entry)
  if not has_room(run) then
    left_out = left_out + 1
    return
  end
  local time = counts.duration(entry.elapsed or 0)
  local name = counts.name(entry.name)
  if entry.state == "failed" then
    tell(run, ("FAILED %s  %s: %s"):format(name, time, counts.cause(entry)))
  else
    tell(run, ("%s  %s"):format(name, time))
  end
end

-- ---- what runs for long --------------------------------------------------------------------

-- "4 running: fetch 1m05s, unpack 7s and 2 more"
local function heartbeat(now)
  local list, all, seen, of = {}, 0, {}, nil
  for entry, run in running.oldest() do
    of = of or run
    if not seen[run] then
      seen[run], all = true, all + run.counts.running
    end
    if #list == NAMES_MAX then
      break
    end
    list[#list + 1] = ("%s %s"):format(counts.name(entry.name), counts.duration(now - entry.began))
  end
  if of then
    local more = all > #list and (" and %d more"):format(all - #list) or ""
    tell(of, ("%d running: %s%s"):format(all, table.concat(list, ", "), more))
  end
end

-- Tell of those that have become slow. Returns when the next one may be.
local function tell_slow(now)
  local said = 0
  for entry, run in running.oldest() do
    local age = now - entry.began
    if age < SLOW_SECONDS then
      return SLOW_SECONDS - age
    elseif not told[entry] then
      told[entry], said = true, said + 1
      tell(run, ("%s is running, for %s now"):format(counts.name(entry.name), counts.duration(age)))
      if said == NAMES_MAX then
        break
      end
    end
  end
  return SLOW_SECONDS
end

local function look()
  local now = core.now()
  local due = tell_slow(now)
  if now - spoken_at >= HEARTBEAT_SECONDS then
    heartbeat(now)
  end
  if runs > 0 then
    view.touch(math.max(0.1, due))
  end
end

view.listen(look)

-- ---- events --------------------------------------------------------------------------------

function plain.run_begins()
  runs = runs + 1
  spoken_at = core.now()
  view.touch(SLOW_SECONDS)
end

plain.task_begins = running.add

function plain.task_retries(run, entry, err, delay)
  if has_room(run) then
    tell(run, ("%s failed, next attempt in %s: %s"):format(counts.name(entry.name),
      counts.duration(delay or 0), counts.cause({ error = err })))
  end
end

function plain.task_ends(run, entry)
  if told[entry] then
    told[entry] = nil
  end
  local state = entry.state
  if state ~= "done" and state ~= "failed" then
    return
  elseif lines >= LINES_MAX and entry.ended < second + 1 then
    left_out = left_out + 1 -- as most are of many short ones
  else
    tell_end(run, entry)
  end
end

function plain.run_ends(run)
  runs = runs - 1
  flush(run)
  local line = counts.summary(run, core.now() - run.began)
  if line then
    say(line)
  end
end

return plain
