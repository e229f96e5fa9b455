-- SPDX-License-Identifier: MIT
--- Texts for the prompt: escaped bytes, colours, widths, counts.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: what text.quote and text.plain give moves no cursor, rings no bell and is valid UTF-8.
---@module "tutti.repl.text"
local layout = require("tutti.report.layout")

local text = {}

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

-- The bytes that are no part of a character as \xNN. `escape`: the pattern of the ASCII ones to be escaped.
local function escaped(value, escape)
  local parts, from = {}, 1
  while from <= #value do
    local _, bad = utf8.len(value, from)
    local valid = value:sub(from, (bad or #value + 1) - 1):gsub(escape, escape_byte)
    parts[#parts + 1] = valid:gsub("[\xC2\xE2][\x80-\xBF]+", escape_hidden)
    if not bad then
      break
    end
    parts[#parts + 1] = ("\\x%02x"):format(value:byte(bad))
    from = bad + 1
  end
  return table.concat(parts)
end

--- The first `most` bytes or a little less, so that no character is cut in two.
function text.head(value, most)
  if #value <= most then
    return value
  end
  local at = most + 1
  while at > most - 3 and (value:byte(at) & 0xC0) == 0x80 do
    at = at - 1
  end
  return value:sub(1, (value:byte(at) & 0xC0) == 0x80 and most or at - 1)
end

--- A string as Lua reads it back; of a longer one the first `most` bytes, and how many follow.
function text.quote(value, most)
  local head = text.head(value, most)
  local quoted = "\"" .. escaped(head, "[%c\\\"\127]") .. "\""
  local left = #value - #head
  return left > 0 and ("%s... %s more bytes"):format(quoted, layout.count(left)) or quoted
end

--- A string as it is, newlines and tabs included; other control bytes are escaped.
function text.plain(value, most)
  local head = text.head(value, most)
  local left = #value - #head
  local shown = escaped(head, "[%z\1-\8\11-\31\127]")
  return left > 0 and ("%s\n... %s more bytes"):format(shown, layout.count(left)) or shown
end

--- The same in one line.
function text.line(value, most)
  local head = text.head(value, most)
  return escaped(head, "[%c\127]") .. (#head < #value and "..." or "")
end

local CODES = { string = "32", number = "33", word = "35", dim = "2", bad = "31", good = "32", name = "1",
  busy = "36" }

--- Give a text a colour, or leave it.
function text.paint(shown, colour, has_colours)
  return has_colours and ("\27[%sm%s\27[0m"):format(CODES[colour], shown) or shown
end

text.columns, text.count, text.cut = layout.columns, layout.count, layout.cut

--- 0.25 -> "0.2 s", 75 -> "1m15s".
function text.age(seconds)
  return seconds < 60 and ("%.1f s"):format(seconds) or layout.duration(seconds)
end

return text
