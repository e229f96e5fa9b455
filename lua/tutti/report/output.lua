-- SPDX-License-Identifier: MIT
--- The last lines that a failed program wrote.
---
--- Layer: the Lua half. Thread: any; pure functions.
---@module "tutti.report.output"
local clean = require("tutti.report.clean")
local core = require("tutti.core")

local output = {}

local LINE_BYTES_MAX = 1000

local function is_blank(text)
  return type(text) ~= "string" or not text:find("%S")
end

-- The last `most` lines of `text`, and how many it has.
local function last_of(text, most)
  text = text:gsub("%s+$", "")
  local _, newlines = text:gsub("\n", "\n")
  local from = #text + 1
  local lines = {}
  while #lines < most and from > 0 do
    local before = from - 1
    while before > 0 and text:byte(before) ~= 10 do
      before = before - 1
    end
    table.insert(lines, 1, text:sub(before + 1, from - 1))
    from = before
  end
  return lines, newlines + 1
end

local function shorten(line)
  if #line <= LINE_BYTES_MAX then
    return line
  end
  return ("%s ... (%d bytes more)"):format(line:sub(1, LINE_BYTES_MAX), #line - LINE_BYTES_MAX)
end

-- The stream to show: its name, its text, and whether that is all of it.
local function stream_of(fields)
  local result = type(fields.result) == "table" and fields.result or {}
  if not is_blank(result.stderr) and not result.truncated then
    return "stderr", result.stderr, true
  elseif not is_blank(fields.tail) then
    return "stderr", fields.tail, false
  elseif not is_blank(result.stdout) then
    return "stdout", result.stdout, not result.truncated
  end
end

--- What a process with this error wrote last: the stream's name, a list of lines fit to be shown, and how
--- many lines there were in all (nil if that is not known). Nil when there is nothing.
---@param err any
---@param most integer # lines
---@param keeps_colours boolean?
function output.last_lines(err, most, keeps_colours)
  local name, text, is_all = stream_of(core.error_fields(err) or {})
  if not name then
    return nil
  end
  local lines, total = last_of(text, most)
  for i, line in ipairs(lines) do
    lines[i] = clean.line(shorten(line), keeps_colours)
  end
  return name, lines, is_all and total or nil
end

return output
