-- SPDX-License-Identifier: MIT
--- One failure of a run, or several equal ones, as a block of a report.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: every part has a limit and says how much it left out.
---@module "tutti.report.failure"
local clean = require("tutti.report.clean")
local core = require("tutti.core")
local errors = require("tutti.errors")
local escape = require("tutti.escape")
local layout = require("tutti.report.layout")
local output = require("tutti.report.output")
local rerun = require("tutti.report.rerun")

local names_of, room = layout.names_of, layout.room

local failure = {}

local OUTPUT_LINES = { [0] = 12, 50, math.maxinteger } -- by -v and -vv
local CAUSE_LINES_MAX = 12
local TRACE_LINES_MAX = 12
local RERUN_NAMES_MAX = 5

-- ---- what happened, and where ---------------------------------------------------------------

-- "attempt 2/3", or nil of a task that has one.
local function attempt_of(entry)
  local plan = entry.node.spec and entry.node.spec.attempts
  local most = plan and plan.times and plan.times + 1 or 1
  local at = entry.attempts or 1
  return (most > 1 or at > 1) and ("attempt %d/%d"):format(at, math.max(most, at)) or nil
end

local function add_head(page, entry)
  local parts = { page.paint("FAILED", "red"), page.paint(escape.line(entry.name), "bold") }
  parts[#parts + 1] = attempt_of(entry)
  parts[#parts + 1] = entry.elapsed and layout.duration(entry.elapsed)
  page.add(table.concat(parts, "  "))
end

-- The message; of several errors in one, all of them. The task's name stands in the head already.
local function cause_text(err)
  local fields = core.error_fields(err)
  if fields.kind ~= "group" or not fields.errors then
    return errors.text(err)
  end
  return (tostring(err):gsub("^(%d+ tasks? failed)[^\n]*", "%1", 1)) -- the first of them is in the list
end

local function add_cause(page, err)
  local left = page.options.quiet and 1 or CAUSE_LINES_MAX
  local text = escape.message(cause_text(err))
  for line in text:gmatch("[^\n]+") do
    if left == 0 then
      page.add("  ...")
      return
    end
    local blanks, words = line:match("^(%s*)(.*)$")
    page.flow("  " .. blanks, words, #blanks + 4)
    left = left - 1
  end
end

-- The line of a script, to remind of what stands there; nil if it cannot be read.
local function source_line(place)
  local path, number = place:match("^(.*):(%d+)$")
  local file = path and io.open(path)
  if not file then
    return nil
  end
  local at, found = 0, nil
  for line in file:lines() do
    at = at + 1
    if at == tonumber(number) then
      found = line
      break
    end
  end
  file:close()
  found = found and clean.line(found):match("^%s*(.-)%s*$")
  return found ~= "" and found or nil
end

local function add_places(page, node)
  if not node.line then
    return
  end
  local text = escape.line(node.line)
  local source = source_line(node.line)
  local left = room(page, text) - 2
  if source and left >= 20 then
    text = text .. "  " .. page.paint(layout.cut(source, left), "dim")
  end
  page.label("at", text)
  if node.caller then
    page.label("called", "from " .. escape.line(node.caller))
  end
end

-- Kinds whose traceback says no more than their message and the lines above.
local UNTRACED = { exit = true, timeout = true, cancelled = true, skipped = true, group = true }

-- Frames of the joined traceback that say something new. `known` are places that have been shown.
local function news_in(trace, known)
  local news, count = {}, 0
  for _, line in ipairs(trace) do
    local place = line:match("^\t(.-:%d+):")
    if place and not known[place] then
      count = count + 1
    end
    if line ~= "stack traceback:" and not (place and known[place] and line:find(": started task ", 1, true))
      and not line:find("^\t%[C%]: in function '?error'?$") then
      news[#news + 1] = line
    end
  end
  return count > 0 and news or {}
end

local function add_traceback(page, entry, err)
  local fields = core.error_fields(err)
  if UNTRACED[fields.kind] then
    return
  end
  local at = errors.text(err):match("^([^\n]-:%d+): ")
  local news = news_in(errors.trace_lines(err), { [at or ""] = true, [entry.node.line or ""] = true })
  for i = 1, math.min(#news, TRACE_LINES_MAX) do
    local line = escape.message(news[i]):gsub("[\t\n]", "  ")
    page.label(i == 1 and "trace" or "", (line:gsub("^ +", "")))
  end
  if #news > TRACE_LINES_MAX then
    page.label("", ("... %d more"):format(#news - TRACE_LINES_MAX))
  end
end

-- ---- the way to it -------------------------------------------------------------------------

local WORDS = { done = "ok", skipped = "not run" }

local function step_text(entry)
  local word = WORDS[entry.state] or entry.state
  local time = entry.elapsed and " " .. layout.duration(entry.elapsed) or ""
  return ("%s (%s%s)"):format(layout.elide(escape.line(entry.name), 40), word, time)
end

-- Of the tasks that `entry` needs, the one that ended last: that is why it did not run earlier.
local function last_need(run, entry)
  local last
  for _, name in ipairs(entry.node.needs or {}) do
    local need = run.entries[name]
    if need and (not last or (need.ended or -1) > (last.ended or -1)) then
      last = need
    end
  end
  return last
end

local PATH_TAIL = 3 -- of a long path, the root and this many before the task itself

local function add_path(page, run, entry)
  local steps = {}
  local at = last_need(run, entry)
  while at do
    steps[#steps + 1] = at
    at = last_need(run, at)
  end
  if #steps == 0 then
    return
  end
  local words = { step_text(steps[#steps]) }
  local from = math.min(#steps - 1, PATH_TAIL)
  if #steps - 1 - from > 0 then
    words[2] = ("... %s more"):format(layout.count(#steps - 1 - from))
  end
  for i = from, 1, -1 do
    words[#words + 1] = step_text(steps[i])
  end
  words[#words + 1] = layout.elide(escape.line(entry.name), 40)
  local label, line = "path", words[1]
  for i = 2, #words do -- broken between steps
    if layout.columns(words[i]) + 4 > room(page, line) then
      page.label(label, line .. " ->")
      label, line = "", words[i]
    else
      line = line .. " -> " .. words[i]
    end
  end
  page.label(label, line)
end

-- ---- output, blocked, again ----------------------------------------------------------------

local function add_output(page, err, is_first_of_several)
  local most = OUTPUT_LINES[page.options.verbose or 0] or OUTPUT_LINES[2]
  local name, lines, total = output.last_lines(err, most, page.options.colours)
  if not name then
    return
  end
  local whose = is_first_of_several and " of the first" or ""
  local text
  if total and total == #lines then
    text = whose:match("%S.*") or ""
  elseif total then
    text = ("last %s of %s lines%s"):format(layout.count(#lines), layout.count(total), whose)
  else
    text = ("last lines%s"):format(whose)
  end
  page.label(name, text)
  for _, line in ipairs(lines) do
    page.add("    " .. page.paint("|", "dim") .. " " .. line)
  end
end

local EQUAL = { [0] = "with the same failure: ", "with the same message: ", "with a similar message: " }

local function add_others(page, group)
  local more = #group.entries - 1
  if more > 0 then
    local text = ("%s more %s"):format(layout.count(more), EQUAL[group.looseness])
    page.label_flow("also", text .. layout.names(names_of(group.entries, 2, 10), more, room(page, text)))
  end
end

local function add_blocked(page, group)
  if group.blocked_count > 0 then
    local text = layout.tasks(group.blocked_count) .. ": "
    page.label_flow("blocks", text .. layout.names(group.blocked, group.blocked_count, room(page, text)))
  end
end

local function add_rerun(page, group)
  local command = page.options.command
  if not command then
    return
  end
  local is_part = #group.entries > RERUN_NAMES_MAX
  local names = names_of(group.entries, 1, is_part and 1 or RERUN_NAMES_MAX)
  local note = is_part and ("  # the first of %d"):format(#group.entries) or ""
  local line = rerun.line(command, names)
  if escape.line(line) == line then -- else it could not be copied from the screen
    page.label("re-run", line .. note)
  end
end

--- Add the block of a group (report/groups.lua) to the page.
function failure.add(page, run, group)
  local entry = group.entries[1]
  local err = entry.error
  add_head(page, entry)
  add_cause(page, err)
  if not page.options.quiet then
    add_places(page, entry.node)
    add_traceback(page, entry, err)
    add_path(page, run, entry)
    add_output(page, err, group.looseness > 0 and #group.entries > 1)
  end
  add_others(page, group)
  if not page.options.quiet then
    add_blocked(page, group)
    add_rerun(page, group)
    page.add("")
  end
end

return failure
