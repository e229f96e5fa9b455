-- SPDX-License-Identifier: MIT
--- Error objects: what they show, and how they cross between states.
---
--- The object itself is made in C (engine/lua/error.c) and cannot be changed by scripts; here it gets
--- its fields, its text and its traceback.
---@module "tutti.errors"
local core = require("tutti.core")

local errors = {}

local fields_of = core.error_fields

-- ---- tracebacks ----------------------------------------------------------------------------

-- Frames that say nothing to a reader of the script: the engine's own trampoline and Lua half.
local function is_internal(line)
  return line:find("^\t%[C%]: in %?$")
    or line:find("^\t%[C%]: in function <0x")
    or line:find("^\t%[C%]: in %w+ 'tutti%.core%.")
    or line:find("^\ttutti/[%w_]+%.lua:")
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

-- Where it rose, what started the task, who awaited it.
local function trace_lines(err)
  local fields = fields_of(err)
  local lines = { "stack traceback:" }
  table.move(frames(fields.stack or ""), 1, 1000, #lines + 1, lines)
  if fields.started then
    lines[#lines + 1] = ("\t%s: started task \"%s\""):format(fields.started, fields.task or "?")
  end
  for _, stack in ipairs(fields.awaited or {}) do
    for _, frame in ipairs(frames(stack)) do
      if not frame:find("^\t%[C%]") then
        lines[#lines + 1] = "awaited by:"
        lines[#lines + 1] = frame
        break
      end
    end
  end
  return lines
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

local function show(err, depth)
  local fields = fields_of(err)
  local lines = { errors.text(err) }
  if fields.task then
    lines[1] = ("%s (task \"%s\")"):format(lines[1], fields.task)
  end
  if fields.tail and #fields.tail > 0 then
    lines[#lines + 1] = "  its last output: " .. indent(fields.tail)
  end
  depth = depth or 1
  if fields.errors and depth > DEPTH_MAX then
    lines[#lines + 1] = "  - ..."
    return table.concat(lines, "\n")
  end
  for _, child in ipairs(fields.errors or {}) do
    lines[#lines + 1] = "  - " .. indent(fields_of(child) and show(child, depth + 1) or tostring(child))
  end
  return table.concat(lines, "\n")
end

local meta = core.error_metatable
meta.__name = "tutti.error"
meta.__metatable = "tutti.error"
function meta.__tostring(err)
  return show(err)
end
function meta.__index(err, key)
  if key == "traceback" then
    return traceback(err)
  end
  return fields_of(err)[key]
end
function meta.__newindex(_, key)
  core.usage(("an error object cannot be changed (field \"%s\")"):format(tostring(key)), 2)
end

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

local CROSSES = { "kind", "message", "task", "started", "stack", "awaited", "reason", "code", "errno",
  "path", "attempt", "tail", "position", "result", "value" }
-- Fields whose values may be of any kind: left out when they cannot cross.
local FREE = { value = true, result = true }

local function pack(err, plain)
  local fields = fields_of(err)
  if not fields then
    return err
  end
  local packed = { ["tutti.error"] = true }
  for _, name in ipairs(CROSSES) do
    if not (plain and FREE[name]) then
      packed[name] = fields[name]
    end
  end
  if fields_of(packed.value) then
    packed.value = nil
  end
  packed.cause = fields.cause and pack(fields.cause, plain)
  if fields.errors then
    packed.errors = {}
    for i, child in ipairs(fields.errors) do
      packed.errors[i] = pack(child, plain)
    end
  end
  return packed
end

local function unpack_error(packed, started)
  if type(packed) ~= "table" or not packed["tutti.error"] then
    return core.error_new({ kind = "error", message = tostring(packed), value = packed })
  end
  packed["tutti.error"] = nil
  packed.started = packed.started or started
  packed.cause = packed.cause and unpack_error(packed.cause)
  for i, child in ipairs(packed.errors or {}) do
    packed.errors[i] = unpack_error(child)
  end
  return core.error_new(packed)
end

core.helper("pack_error", pack)
core.helper("unpack_error", unpack_error)

-- ---- said at once --------------------------------------------------------------------------

--- One line for a failure with nobody waiting. A group has been said already, child by child.
core.helper("report", function(task, err)
  if err.kind == "group" then
    return
  end
  local line = errors.text(err):match("^[^\n]*")
  io.stderr:write(("tutti: task \"%s\" failed with nobody awaiting it: %s\n")
    :format(task:name(), line))
end)

-- ---- the end of a script -------------------------------------------------------------------

local WRONG = { usage = true, missing = true, cycle = true }

-- The errors at the bottom of a group of groups, or of what was skipped: what really went wrong.
local function leaves(err, list)
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

local SHOWN_MAX = 5

-- One error as a person wants it: what, in which task, the last output, where, started and awaited where.
local function describe(err)
  return show(err) .. "\n" .. table.concat(trace_lines(err), "\n")
end

--- Say why the script ended; returns the exit status (design 3).
core.helper("script_report", function(err, made)
  io.stdout:flush()
  local status = (WRONG[err.kind] or made == 0) and 3 or 1
  if err.kind == "cancelled" then
    if err.reason ~= "nobody reads the output any more" then -- what ends by that ends in silence
      io.stderr:write(("tutti: %s\n"):format(errors.text(err)))
    end
    return 1
  end
  local list = leaves(err, {})
  if list[1] ~= err then
    local what = err.kind == "group" and ("%d task%s failed"):format(#list, #list == 1 and "" or "s")
      or errors.text(err):match("^[^\n]*")
    io.stderr:write(("tutti: %s\n"):format(what))
  end
  for i = 1, math.min(#list, SHOWN_MAX) do
    io.stderr:write(("tutti: %s\n"):format(describe(list[i])))
  end
  if #list > SHOWN_MAX then
    io.stderr:write(("tutti: and %d more\n"):format(#list - SHOWN_MAX))
  end
  return status
end)

return errors
