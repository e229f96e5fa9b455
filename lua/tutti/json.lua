-- SPDX-License-Identifier: MIT
--- Values as JSON: what the program prints for other programs. Writes only.
---
---     json.encode({ name = "a", list = { 1, 2 } })               {"list":[1,2],"name":"a"}
---     json.encode(json.object({ "v", 1, "event", "end" }))       {"v":1,"event":"end"}
---
--- A table with elements is an array, json.array({}) an empty one, any other table an object with its keys
--- sorted; json.object keeps the order in which keys and values are given, and leaves out what is nil.
---
--- Layer: the Lua half. Thread: any state.
--- Invariant: the result is one line of valid UTF-8, whatever bytes the texts hold.
---@module "tutti.json"

local json = {}

local DEPTH_MAX = 200 -- tables in tables; a table that holds itself ends here too

--- Stands for null where a nil would leave a hole.
json.null = setmetatable({}, { __name = "tutti.json.null", __tostring = function() return "null" end })

local array_meta = { __name = "tutti.json.array" }
local object_meta = { __name = "tutti.json.object" }

--- Mark a list as an array, also when it is empty. Returns it.
function json.array(list)
  return setmetatable(list, array_meta)
end

--- An object from { key, value, key, value, ... }, in this order; `n` counts when the last value may be nil.
function json.object(list)
  return setmetatable(list, object_meta)
end

-- ---- texts and numbers ---------------------------------------------------------------------

local ESCAPES = { ["\""] = "\\\"", ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t" }
for byte = 0, 31 do
  local char = string.char(byte)
  ESCAPES[char] = ESCAPES[char] or ("\\u%04x"):format(byte)
end
ESCAPES["\127"] = "\\u007f"

local REPLACEMENT = "\u{FFFD}"

--- The text with U+FFFD for each byte that is no part of a character of UTF-8.
function json.valid(text)
  local parts, from = {}, 1
  while true do
    local _, bad = utf8.len(text, from)
    if not bad then
      break
    end
    parts[#parts + 1] = text:sub(from, bad - 1)
    parts[#parts + 1] = REPLACEMENT
    from = bad + 1
  end
  return from == 1 and text or table.concat(parts) .. text:sub(from)
end

local function text_of(text)
  return "\"" .. json.valid(text):gsub("[%z\1-\31\"\\\127]", ESCAPES) .. "\""
end

-- The shortest digits that give the same number again.
local function number_of(number)
  if math.type(number) == "integer" then
    return ("%d"):format(number)
  elseif number ~= number or number == math.huge or number == -math.huge then
    return "null"
  end
  for digits = 15, 17 do
    local text = ("%%.%dg"):format(digits):format(number)
    if tonumber(text) == number then
      return (text:gsub(",", ".")) -- some locales write a comma
    end
  end
end

-- ---- tables --------------------------------------------------------------------------------

local write

local function write_array(list, parts, depth)
  parts[#parts + 1] = "["
  for i = 1, #list do
    parts[#parts + 1] = i > 1 and "," or nil
    write(list[i], parts, depth)
  end
  parts[#parts + 1] = "]"
end

local function write_pair(key, value, parts, depth)
  if parts[#parts] ~= "{" then
    parts[#parts + 1] = ","
  end
  parts[#parts + 1] = text_of(key)
  parts[#parts + 1] = ":"
  write(value, parts, depth)
end

local function write_ordered(list, parts, depth)
  parts[#parts + 1] = "{"
  for i = 1, list.n or #list, 2 do
    if list[i + 1] ~= nil then
      write_pair(list[i], list[i + 1], parts, depth)
    end
  end
  parts[#parts + 1] = "}"
end

local function write_object(object, parts, depth)
  local keys, named = {}, {}
  for key in pairs(object) do
    local name = tostring(key)
    keys[#keys + 1], named[name] = name, key
  end
  table.sort(keys)
  parts[#parts + 1] = "{"
  for _, name in ipairs(keys) do
    write_pair(name, object[named[name]], parts, depth)
  end
  parts[#parts + 1] = "}"
end

local function write_table(value, parts, depth)
  if depth > DEPTH_MAX then
    error("json.encode: more than " .. DEPTH_MAX .. " tables in each other, or a table that holds itself", 0)
  end
  local meta = getmetatable(value)
  if meta == object_meta then
    write_ordered(value, parts, depth + 1)
  elseif meta == array_meta or #value > 0 then
    write_array(value, parts, depth + 1)
  else
    write_object(value, parts, depth + 1)
  end
end

function write(value, parts, depth)
  local kind = type(value)
  if kind == "string" then
    parts[#parts + 1] = text_of(value)
  elseif kind == "number" then
    parts[#parts + 1] = number_of(value)
  elseif kind == "boolean" then
    parts[#parts + 1] = value and "true" or "false"
  elseif value == nil or value == json.null then
    parts[#parts + 1] = "null"
  elseif kind == "table" then
    write_table(value, parts, depth)
  else
    parts[#parts + 1] = text_of(tostring(value))
  end
end

--- The value as one line of JSON. NaN and infinities are null, what has no form in JSON is its text.
function json.encode(value)
  local parts = {}
  write(value, parts, 1)
  return table.concat(parts)
end

return json
