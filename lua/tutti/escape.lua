-- SPDX-License-Identifier: MIT
--- Texts of scripts - names, tags, descriptions, messages - made fit to be shown: what a terminal would
--- act on is written as Lua writes it in a string.
---
--- What programs wrote is another matter (report/clean.lua): there a terminal's orders are left out.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: what these give moves no cursor, rings no bell and is valid UTF-8; a text with nothing in it
--- to escape comes back as it is.
---@module "tutti.escape"

local escape = {}

local NAMED = { ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t", ["\v"] = "\\v", ["\\"] = "\\\\", ["\""] = "\\\"" }

local function escape_byte(char)
  return NAMED[char] or ("\\x%02x"):format(char:byte())
end

-- Characters that are valid and not for showing: C1 controls, and those that turn the direction of writing.
local function is_hidden(code)
  return code >= 0x80 and code <= 0x9F or code >= 0x200E and code <= 0x200F
    or code >= 0x2028 and code <= 0x202E or code >= 0x2066 and code <= 0x2069
end

local function escape_hidden(bytes)
  return (bytes:gsub(utf8.charpattern, function(char)
    local code = utf8.codepoint(char)
    return is_hidden(code) and ("\\u{%x}"):format(code) or nil
  end))
end

-- The bytes that are no part of a character as \xNN. `which`: the pattern of the ASCII ones to be escaped.
local function escaped(text, which)
  if not text:find("[%c\127-\255\\\"]") then
    return text
  end
  local parts, from = {}, 1
  while from <= #text do
    local _, bad = utf8.len(text, from)
    local valid = text:sub(from, (bad or #text + 1) - 1):gsub(which, escape_byte)
    parts[#parts + 1] = valid:gsub("[\xC2\xE2][\x80-\xBF]+", escape_hidden)
    if not bad then
      break
    end
    parts[#parts + 1] = ("\\x%02x"):format(text:byte(bad))
    from = bad + 1
  end
  return table.concat(parts)
end

--- The inside of a string as Lua reads it back.
---@param text string
function escape.string(text)
  return escaped(text, "[%c\\\"\127]")
end

--- One line: newlines and tabs too are escaped. For names, tags, places.
---@param text string
function escape.line(text)
  return escaped(text, "[%c\127]")
end

--- Lines: newlines and tabs stay.
---@param text string
function escape.lines(text)
  return escaped(text, "[%z\1-\8\11-\31\127]")
end

--- The same for messages of errors, which may quote what a program wrote: colours and the carriage returns of
--- its lines are left out.
---@param text string
function escape.message(text)
  return escape.lines((text:gsub("\27%[[%d;:]*m", ""):gsub("\r+\n", "\n"):gsub("\r+$", "")))
end

return escape
