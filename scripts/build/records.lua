-- SPDX-License-Identifier: MIT
--- What is known of earlier builds: for each file that was made, its stamp, the command that made it, the
--- stamps of all it was made from, and what the compiler had to say.
---
--- A line is added when a compiler has ended well, so an interrupted build keeps what it had finished; a line
--- that was cut off has no end mark and does not count. What is not recorded, or is not any more as it was
--- recorded, is made again: half an object never passes for a whole one.
---
---     PATH <tab> STAMP <tab> COMMAND <tab> WARNINGS { <tab> INPUT=STAMP } <tab> . <newline>
---@module "build.records"
local records = {}

local HEAD = "tutti build 1\n"

---@class build.record
---@field stamp string
---@field command string
---@field warnings string
---@field inputs table<integer, string>  # paths, in order
---@field seen table<string, string>     # path to stamp

local function encode(text)
  return (text:gsub("[%c%%=]", function(byte) return ("%%%02x"):format(byte:byte()) end))
end

local function decode(text)
  if not text:find("%", 1, true) then
    return text
  end
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- The records of a text; none of a text of another version.
---@return table<string, build.record>
function records.parse(text)
  local known = {}
  if text:sub(1, #HEAD) ~= HEAD then
    return known
  end
  for line in text:gmatch("([^\n]*)\t%.\n") do
    local path, stamp, command, warnings, rest = line:match("^([^\t]+)\t([^\t]+)\t([^\t]*)\t([^\t]*)(.*)$")
    if path then
      local record = { stamp = stamp, command = decode(command), warnings = decode(warnings), inputs = {},
        seen = {} }
      for input, seen in rest:gmatch("\t([^\t=]+)=([^\t]*)") do
        input = decode(input)
        record.inputs[#record.inputs + 1] = input
        record.seen[input] = seen
      end
      known[decode(path)] = record
    end
  end
  return known
end

--- One record as a line.
function records.line(path, record)
  local fields = { encode(path), record.stamp, encode(record.command), encode(record.warnings) }
  for i, input in ipairs(record.inputs) do
    fields[4 + i] = encode(input) .. "=" .. record.seen[input]
  end
  fields[#fields + 1] = ".\n"
  return table.concat(fields, "\t")
end

--- All of them as the text of a file, sorted by path.
function records.text(known)
  local paths, lines = {}, { HEAD }
  for path in pairs(known) do
    paths[#paths + 1] = path
  end
  table.sort(paths)
  for i, path in ipairs(paths) do
    lines[1 + i] = records.line(path, known[path])
  end
  return table.concat(lines)
end

--- Why a file has to be made (again); nil when it is up to date.
---@param record build.record?
---@param command string
---@param stamps table<string, string>
---@return string? reason
function records.stale(record, path, command, stamps)
  if not record then
    return "new"
  elseif stamps[path] ~= record.stamp then
    return stamps[path] == "-" and "it is gone" or "somebody else has written to it"
  elseif record.command ~= command then
    return "its command has changed"
  end
  for _, input in ipairs(record.inputs) do
    if stamps[input] ~= record.seen[input] then
      return input .. (stamps[input] == "-" and " is gone" or " has changed")
    end
  end
end

return records
