-- SPDX-License-Identifier: MIT
--- Texts for values that were raised.
---
--- Layer: lua. Thread: the state's home.
--- Invariant: nothing here raises, whatever the metamethods of a value do.
---@module "tutti.describe"
local core = require("tutti.core")

local describe = {}

local MESSAGES = { "message", "msg", "error", "err", "reason", "description", "text" }
local CODES = { "code", "errno", "status", "kind", "type", "name" }
local TABLE_BYTES = 160 -- of what a table holds

-- What people put into a table that they raise: a message, and a code; else what it holds, as the prompt
-- shows it, in one line.
local function table_text(value)
  local text, code
  for _, key in ipairs(MESSAGES) do
    local found = rawget(value, key)
    text = text or (type(found) == "string" and found or nil)
  end
  for _, key in ipairs(CODES) do
    local found = rawget(value, key)
    local plain = type(found) == "string" or type(found) == "number"
    code = code or (plain and ("%s %s"):format(key, found) or nil)
  end
  if text then
    return code and ("%s (%s)"):format(text, code) or text
  end
  return require("tutti.repl.show").value(value, { is_raw = true, width = math.huge, room = TABLE_BYTES })
end

-- The type's own name, as Lua's messages give it: "FILE*".
local function type_name(value)
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name or nil
end

local function has_tostring(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

-- "userdata (FILE*)", "function (FILE:LINE)": says of what type a value is.
local function kind_text(value)
  local name = type_name(value)
  if type(value) == "function" then
    local info = debug.getinfo(value, "S")
    name = info.what == "C" and "C" or ("%s:%d"):format(info.short_src, info.linedefined)
  end
  return name and ("%s (%s)"):format(type(value), name) or type(value)
end

--- One text for whatever was raised.
function describe.value(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    return tostring(value)
  elseif kind == "nil" or kind == "boolean" then
    return ("an error was raised with the value %s, which says nothing"):format(value)
  elseif has_tostring(value) then
    return core.text_of(value) or ("(a %s value whose __tostring failed)"):format(kind)
  elseif kind == "table" then
    return table_text(value)
  end
  return ("an error was raised with a %s"):format(kind_text(value))
end

core.helper("describe", describe.value)

return describe
