-- SPDX-License-Identifier: MIT
--- The live view's half in Lua: what runs, and a picture of it when the painter asks (engine/cli/view.h).
---
--- An event makes a picture itself if the last one is old, since a task that begins may keep the loop busy
--- for long; else the painter is told that there is news, once until it has asked. So a run of many short
--- tasks pays for one step in a list per task and for some 15 pictures a second.
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: while a run goes on the painter has been told to ask (`is_told`), or asks in a second by
--- itself.
---@module "tutti.progress.live"
local core = require("tutti.core")
local counts = require("tutti.progress.counts")
local running = require("tutti.progress.running")
local say = require("tutti.say")
local terminal = require("tutti.progress.terminal")
local view = require("tutti.session").view

local live = {}

-- Seconds from one picture to the next.
local PICTURE_SECONDS = 1 / 15
-- Seconds between two questions for the time that is left; a question that takes long is asked more rarely.
-- In a large graph the first one costs too, so it comes when the run has gone on for a while.
local ETA_SECONDS, ETA_SHARE, ETA_TASKS = 0.5, 0.002, 20000
local TICK_SECONDS = 1
local BARS_MAX = 8 -- that the painter takes

local runs = {}    -- those that go on, oldest first
local retries = {} -- entry -> { failed = attempts so far, again = when the next one begins }
local etas = {}    -- run -> { at =, remaining =, again = }
local is_told = false
local due = 0      -- when the next picture may be made by an event

local function touch()
  if not is_told then
    is_told = true
    view.touch()
  end
end

-- ---- the picture ---------------------------------------------------------------------------

-- Seconds that are left, or nil.
local function remaining_of(run, now)
  local eta = etas[run]
  if not eta and now - run.began < run.total / ETA_TASKS then
    return nil
  elseif not eta or now >= eta.again then
    local left = run.remaining and run:remaining()
    local cost = core.now() - now
    eta = { at = now, remaining = left, again = now + math.max(ETA_SECONDS, cost / ETA_SHARE) }
    etas[run] = eta
  end
  return eta.remaining and math.max(0, eta.remaining - (now - eta.at))
end

-- What is said behind a name: its attempt, and what it waits for.
local function note_of(entry, now)
  local notes, retry = {}, retries[entry]
  if retry and now < retry.again then
    return ("attempt %d failed, next in %.0fs"):format(retry.failed, math.ceil(retry.again - now))
  elseif retry then
    notes[1] = ("attempt %d"):format(retry.failed + 1)
  end
  local task = rawget(entry, "handle") -- not entry.task, which makes one
  local waits_for = task and core.waits_for(task)
  if waits_for then
    notes[#notes + 1] = waits_for:find("^sleep") and "sleeps" or "waits for " .. counts.name(waits_for)
  end
  return table.concat(notes, ", ")
end

local function show_bars(now)
  for i = 1, math.min(#runs, BARS_MAX) do
    local run = runs[i]
    local of = run.counts
    view.bar(counts.name(run.name or ""), run.total, counts.done(run), of.failed, of.skipped, of.running,
      now - run.began, remaining_of(run, now))
  end
end

-- Returns how many more there are.
local function show_rows(now)
  local all, shown, room = 0, 0, view.height()
  for _, run in ipairs(runs) do
    all = all + run.counts.running
  end
  for entry in running.oldest() do
    if shown == room then
      break
    end
    view.row(counts.name(entry.name), note_of(entry, now), now - (entry.began or now))
    shown = shown + 1
  end
  return math.max(0, all - shown)
end

local function picture()
  is_told = false
  if #runs == 0 then
    return
  end
  local now = core.now()
  due = now + PICTURE_SECONDS
  terminal.check()
  show_bars(now)
  local more = show_rows(now)
  view.show(math.max(0, #runs - BARS_MAX), more)
  view.touch(TICK_SECONDS)
end

view.listen(picture)

-- ---- events --------------------------------------------------------------------------------

-- Something has happened at that time.
local function news(at)
  if at >= due then
    picture()
  elseif not is_told then
    touch()
  end
end

function live.run_begins(run)
  runs[#runs + 1] = run
  touch()
end

function live.task_begins(run, entry)
  running.add(run, entry)
  news(entry.began)
end

function live.task_ends(_, entry)
  if retries[entry] then
    retries[entry] = nil
  end
  news(entry.ended or 0)
end

function live.task_retries(_, entry, _, delay)
  local before = retries[entry]
  retries[entry] = { failed = (before and before.failed or 0) + 1, again = core.now() + (delay or 0) }
  touch()
end

live.task_added = touch

function live.run_ends(run)
  for i, other in ipairs(runs) do
    if other == run then
      table.remove(runs, i)
      break
    end
  end
  etas[run] = nil
  if #runs > 0 then
    touch()
    return
  end
  view.show(0, 0)
  local line = counts.summary(run, core.now() - run.began)
  if line then
    say(line)
  end
end

return live
