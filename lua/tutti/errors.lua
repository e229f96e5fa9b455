-- SPDX-License-Identifier: MIT
--- Error objects: what they show, and how they cross between states.
---
--- The object itself is made in C (engine/lua/error.c) and cannot be changed by scripts; here it gets
--- its fields, its text and its traceback.
---@module "tutti.errors"
local core = require("tutti.core")
local describe = require("tutti.describe")
local say = require("tutti.say")

local errors = {}

local fields_of = core.error_fields

-- ---- tracebacks ----------------------------------------------------------------------------

-- Frames that say nothing to a reader of the script: the engine's own trampoline and Lua half.
local function is_internal(line)
  return line:find("^\t%[C%]: in %?$")
    or line:find("^\t%[C%]: in function <0x")
    or line:find("^\t%[C%]: in %w+ 'tutti%.core%.")
    or line:find("^\t%[C%]: in %w+ 'tutti__") -- what the Lua half calls by such a name
    or line:find("^\ttutti/[%w_/]+%.lua:")
    or line:find("^\t%(%.%.%.tail calls%.%.%.%)$")
end

local function frames(stack)
  local kept = {}
  for line in stack:gmatch("[^\n]+") do
    if line ~= "stack traceback:" and not is_internal(line) then
      kept[#kept + 1] = line
    end
  end
  return kept
end

local function add_started(lines, of)
  if of.started then
    lines[#lines + 1] = ("\t%s: started task \"%s\""):format(of.started, of.task or "?")
  end
end

-- The line of the script that awaited, and what started the task that did.
local function add_awaited(lines, awaited)
  for _, by in ipairs(awaited or {}) do
    for _, frame in ipairs(frames(by.stack or "")) do
      if not frame:find("^\t%[C%]") then
        lines[#lines + 1] = "awaited by:"
        lines[#lines + 1] = frame
        add_started(lines, by)
        break
      end
    end
  end
end

local BELOW_MAX = 5 -- errors of a group whose own lines are in its traceback

-- Where it rose, what started the task, who awaited it; then the same of what it came from.
local function trace_lines(err, is_below)
  local fields = fields_of(err)
  local lines = { "stack traceback:" }
  table.move(frames(fields.stack or ""), 1, 1000, #lines + 1, lines)
  add_started(lines, fields)
  add_awaited(lines, fields.awaited)
  local below = is_below and {} or fields.errors or { fields.cause }
  for i = 1, math.min(#below, BELOW_MAX) do
    if fields_of(below[i]) then
      lines[#lines + 1] = (fields.cause and "because of: " or "failed: ") .. errors.text(below[i])
      local more = trace_lines(below[i], true)
      table.move(more, 2, #more, #lines + 1, lines)
    end
  end
  return lines
end

--- The lines of `err.traceback` below the message.
function errors.trace_lines(err)
  return trace_lines(err)
end

local function traceback(err)
  return errors.text(err) .. "\n" .. table.concat(trace_lines(err), "\n")
end

-- ---- text ----------------------------------------------------------------------------------

local function first_place(fields)
  for _, line in ipairs(frames(fields.stack or "")) do
    local place = line:match("^\t(.-:%d+):")
    if place then
      return place
    end
  end
  return fields.place or fields.started
end

-- Kinds whose message says nothing of the line it rose at.
local PLACED = { error = true, io = true, exit = true, timeout = true }

--- The message, with the place if it does not carry one.
function errors.text(err)
  local fields = fields_of(err)
  local message = tostring(fields.message)
  if not PLACED[fields.kind] or message:find("^[^\n]-:%d+: ") then
    return message
  end
  local place = first_place(fields)
  return place and place .. ": " .. message or message
end

local function indent(text)
  return (text:gsub("\n", "\n    "))
end

local DEPTH_MAX = 4 -- of groups in groups that are shown; the rest can be had from `errors`
local SHOWN_MAX = 20 -- errors below a group, of all depths together

-- `typed`: the name of the task that need not be said.
local function head_line(err, typed)
  local fields = fields_of(err)
  local text = errors.text(err)
  if fields.task and fields.task ~= typed then
    local attempt = (fields.attempt or 1) > 1 and (", attempt %d"):format(fields.attempt) or ""
    text = ("%s (task \"%s\"%s)"):format(text, fields.task, attempt)
  end
  return text
end

local show

-- `room.left` is how many more lines of the kind "- ..." the whole text may have; `room.output` makes what
-- programs wrote fit to be shown, if it is to be.
local function show_below(list, lines, depth, room)
  if depth > DEPTH_MAX then
    lines[#lines + 1] = "  - ..."
    return
  end
  for i, child in ipairs(list) do
    if room.left <= 0 then
      lines[#lines + 1] = ("  - ... and %d more"):format(#list - i + 1)
      return
    end
    room.left = room.left - 1
    local text = fields_of(child) and show(child, depth + 1, room) or core.text_of(child) or "?"
    lines[#lines + 1] = "  - " .. indent(text)
  end
end

function show(err, depth, room, typed)
  local fields = fields_of(err)
  local lines = { head_line(err, typed) }
  if fields.tail and #fields.tail > 0 then
    local output = room.output and room.output(fields.tail) or fields.tail
    lines[#lines + 1] = "  its last output: " .. indent(output)
  end
  show_below(fields.errors or {}, lines, depth, room)
  return table.concat(lines, "\n")
end

--- What `tostring` of an error gives, fit to be shown; but of the task called `typed` it is not said that it
--- began there.
function errors.shown(err, typed)
  local clean, escape = require("tutti.report.clean"), require("tutti.escape")
  return escape.message(show(err, 1, { left = SHOWN_MAX, output = clean.text }, typed))
end

-- ---- what scripts see ----------------------------------------------------------------------

local function refuse_change(_, key)
  core.usage(("an error object cannot be changed (field \"%s\")"):format(tostring(key)), 2)
end

-- A list of an error object that can be read like any other (#, ipairs, pairs), and not be changed.
local function frozen(list)
  local function next_of(_, key)
    return next(list, key)
  end
  return setmetatable({}, {
    __index = list,
    __len = function() return #list end,
    __pairs = function(view) return next_of, view, nil end,
    __newindex = refuse_change,
    __metatable = "tutti.error",
  })
end

local INTERNAL = { awaited = true, said = true }

-- List -> its view: the same one each time, so that it is as good a value as the list itself.
local views = setmetatable({}, { __mode = "k" })

local function view_of(list)
  views[list] = views[list] or frozen(list)
  return views[list]
end

local meta = core.error_metatable
meta.__name = "tutti.error"
meta.__metatable = "tutti.error"
meta.__names = { kind = true, message = true, task = true, traceback = true, cause = true, errors = true,
  attempt = true, value = true, result = true, reason = true, code = true, errno = true, path = true,
  position = true }
function meta.__tostring(err)
  return show(err, 1, { left = SHOWN_MAX })
end

-- "cannot deploy: " .. err, as with the strings that Lua raises.
function meta.__concat(a, b)
  for i = 1, 2 do
    local value = select(i, a, b)
    if type(value) ~= "string" and type(value) ~= "number" and not fields_of(value) then
      error(("attempt to concatenate a %s value"):format(type(value)), 2)
    end
  end
  return tostring(a) .. tostring(b)
end

function meta.__index(err, key)
  if key == "traceback" then
    return traceback(err)
  end
  local fields = fields_of(err)
  if key == "errors" and fields.errors then
    return view_of(fields.errors)
  elseif key == "path" and type(fields.path) == "table" then
    return table.move(fields.path, 1, #fields.path, 1, {})
  elseif INTERNAL[key] then
    return nil
  end
  return fields[key]
end
meta.__newindex = refuse_change

--- Make an error object. `fields.kind` and `fields.message` are mandatory.
function errors.new(fields)
  local current = core.current()
  fields.task = fields.task or (current and current:name())
  return core.error_new(fields)
end

--- Is `value` an error object?
function errors.is(value)
  return fields_of(value) ~= nil
end

-- ---- between states ------------------------------------------------------------------------

-- An error object crosses as the table of its fields (engine/lua/export.c); what may not cross in it
-- is described there.

local SENT = { "kind", "message", "task", "started", "stack", "place", "awaited", "reason", "code",
  "errno", "path", "attempt", "tail", "position", "said" }
local LEAVES_MAX = 1000

local leaves

-- For one that is too large or too deep to cross: without values, and of its errors the bottom ones.
core.helper("shorten_error", function(err)
  local fields, short = fields_of(err), {}
  for _, name in ipairs(SENT) do
    short[name] = fields[name]
  end
  short.cause = fields.cause and fields.cause ~= err and core.error_new({ kind = fields.cause.kind,
    message = fields.cause.message, task = fields.cause.task, started = fields.cause.started })
  if fields.kind == "group" and fields.errors then
    short.errors = {}
    for i, leaf in ipairs(leaves(err, {})) do
      local of = fields_of(leaf) or { kind = "error", message = describe.value(leaf) }
      short.errors[i] = i <= LEAVES_MAX and core.error_new({ kind = of.kind, message = of.message,
        task = of.task, started = of.started, stack = of.stack, said = of.said }) or nil
    end
  end
  return core.error_new(short)
end)

--- What a task of another state failed with, as this state shows it. `started` is where it was started
--- here, which the worker does not know.
core.helper("received_error", function(err, started)
  local fields = fields_of(err)
  if not fields then
    return core.error_new({ kind = "error", message = describe.value(err), value = err, started = started })
  end
  fields.started = fields.started or started
  for _, by in ipairs(fields.awaited or {}) do
    by.started = by.started or started
  end
  return err
end)

-- ---- said at once --------------------------------------------------------------------------

-- Has each error at the bottom of this one been said? From now on they have.
local function say_all(err, fresh)
  local fields = fields_of(err)
  if not fields then
    return fresh
  elseif fields.kind == "group" and fields.errors then
    for _, child in ipairs(fields.errors) do
      fresh = say_all(child, fresh)
    end
    return fresh
  end
  fresh = fresh or not fields.said
  fields.said = true
  return fresh
end

--- Task -> function(name, text): hears, in place of stderr, of failures below it that nobody awaits.
errors.listeners = setmetatable({}, { __mode = "k" })

-- The listener of the nearest task or scope from `owner` up that has one.
local function listener_of(owner)
  while owner and not errors.listeners[owner] do
    owner = core.owner(owner)
  end
  return owner and errors.listeners[owner]
end

-- Detached task -> the listener of what started it: its owner is the root, but who typed it wants to hear.
local starters = setmetatable({}, { __mode = "k" })

core.helper("note_starter", function(task)
  starters[task] = listener_of(core.current())
end)

--- Is there something in this error that nobody has been told yet? From now on everybody has.
function errors.take_news(err)
  return say_all(err, false)
end

--- One line for a failure with nobody waiting. Of a group whose members have been said, each when it
--- happened, there is nothing new to say. `owner`: whose child the task was, nil: the root's.
core.helper("report", function(task, err, owner)
  if not say_all(err, false) then
    return
  end
  local tell = next(errors.listeners) and listener_of(owner) or starters[task] or require("tutti.unowned").say
  tell(task:name(), errors.text(err):match("^[^\n]*"))
end)

-- ---- the end of a script -------------------------------------------------------------------

--- A task that had not ended when its state was closed.
core.helper("say_pending", function(name)
  say(("tutti: task \"%s\" was still pending when the Lua state was closed: cancelled\n")
    :format(require("tutti.escape").line(name)))
end)

local WRONG = { usage = true, missing = true, cycle = true }

-- The errors at the bottom of a group of groups, or of what was skipped: what really went wrong.
function leaves(err, list)
  local fields = fields_of(err)
  if not fields then
    return list
  end
  local below = fields.kind == "group" and fields.errors or fields.kind == "skipped" and { fields.cause }
  if not below or #below == 0 then
    if not list[err] then
      list[err] = true
      list[#list + 1] = err
    end
    return list
  end
  for _, child in ipairs(below) do
    leaves(child, list)
  end
  return list
end

local REPORTED_MAX = 5

-- One error as a person wants it: what, in which task, the last output, where, started and awaited where.
local function whole_text(err)
  return errors.shown(err) .. "\n" .. table.concat(trace_lines(err), "\n")
end

-- Errors that say the same, whatever their tasks are called, are one group.
local function say_groups(list)
  local alike = require("tutti.report.alike")
  local groups = alike.group(list, function(err)
    return alike.without_name(errors.text(err) .. (fields_of(err).tail or ""), fields_of(err).task or "")
  end)
  local left = #list
  for i = 1, math.min(#groups, REPORTED_MAX) do
    local group = groups[i]
    say(("tutti: %s\n"):format(whole_text(group[1])))
    if #group > 1 then
      say(("tutti: and %d more that failed like this\n"):format(#group - 1))
    end
    left = left - #group
  end
  if left > 0 then
    say(("tutti: and %d more\n"):format(left))
  end
end

local function count_unowned()
  local unowned = package.loaded["tutti.unowned"]
  if unowned then
    unowned.finish()
  end
end

-- Reasons of which the program has said what is to be said when the signal came.
local SAID = { ["interrupted (Ctrl-C)"] = true, ["terminated (SIGTERM)"] = true, ["hung up (SIGHUP)"] = true,
  ["nobody reads the output any more"] = true } -- what ends by that ends in silence

--- Say why the script ended; returns the exit status (design 3).
core.helper("script_report", function(err, made)
  io.stdout:flush()
  if err.kind == "cancelled" then
    if not SAID[err.reason] then
      say(("tutti: %s\n"):format(errors.text(err)))
    end
    return 1
  end
  count_unowned()
  local list = leaves(err, {})
  local only_cycles = true -- then all that went wrong is how the script was written
  for _, leaf in ipairs(list) do
    only_cycles = only_cycles and leaf.kind == "cycle"
  end
  local status = (WRONG[err.kind] or only_cycles or made == 0) and 3 or 1
  if list[1] ~= err then
    local what = err.kind == "group" and ("%d task%s failed"):format(#list, #list == 1 and "" or "s")
      or errors.text(err):match("^[^\n]*")
    say(("tutti: %s\n"):format(what))
  end
  say_groups(list)
  return status
end)

--- Raise one `group` for a list of tasks that failed with nobody awaiting; an empty one raises nothing.
--- So do runs of graphs with failures whose results nobody has read.
function errors.raise_unowned(failed)
  local result = package.loaded["tutti.graph.result"] -- without it nothing has been run
  local list = result and result.take_unread() or {}
  if #failed + #list == 0 then
    return
  end
  count_unowned()
  if #failed == 0 and #list == 1 then
    error(list[1], 0)
  end
  for _, task in ipairs(failed) do
    local _, err = task:pawait()
    list[#list + 1] = err
  end
  local message = ("%d task%s failed with nobody awaiting: %s"):format(#list, #list == 1 and "" or "s",
    tostring(list[1].message))
  error(errors.new({ kind = "group", message = message, errors = list }), 0)
end

return errors
