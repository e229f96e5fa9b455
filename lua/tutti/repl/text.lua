-- SPDX-License-Identifier: MIT
--- Texts for the prompt: cut and escaped, colours, widths, counts.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: what text.quote and text.plain give moves no cursor, rings no bell and is valid UTF-8.
---@module "tutti.repl.text"
local escape = require("tutti.escape")
local layout = require("tutti.report.layout")

local text = {}

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
  local quoted = "\"" .. escape.string(head) .. "\""
  local left = #value - #head
  return left > 0 and ("%s... %s more bytes"):format(quoted, layout.count(left)) or quoted
end

--- A string as it is, newlines and tabs included; other control bytes are escaped.
function text.plain(value, most)
  local head = text.head(value, most)
  local left = #value - #head
  local shown = escape.lines(head)
  return left > 0 and ("%s\n... %s more bytes"):format(shown, layout.count(left)) or shown
end

--- The same in one line.
function text.line(value, most)
  local head = text.head(value, most)
  return escape.line(head) .. (#head < #value and "..." or "")
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
