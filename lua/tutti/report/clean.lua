-- SPDX-License-Identifier: MIT
--- What programs wrote, made fit to be shown: no byte of it moves a cursor, rings, or breaks the encoding.
--- Texts of the script are shown with their bytes escaped (escape.lua).
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: the result is valid UTF-8 and has no control character but newline, tab and, where colours were
--- asked for, the escape sequences that set them.
---@module "tutti.report.clean"

local clean = {}

local UNKNOWN = "\u{FFFD}" -- the sign that Unicode has for what could not be read

-- Escape sequences in the forms that ECMA-48 gives them; the last forms take what is left of a broken one.
local TITLE = "\27%][^\7\27]*\7"
local SEQUENCES = { "\27[%]PX^_][^\27]*\27\\", "\27%[[0-?]*[ -/]*[@-~]", "\27%[[0-?]*[ -/]*$",
  "\27[ -/]*[0-~]", "\27" }
local COLOUR = "\27%[([%d;:]*)m"
-- While the others are taken out, a colour stands between these two.
local OPEN, CLOSE = "\1", "\2"

local function drop_sequences(text)
  for _, form in ipairs(SEQUENCES) do
    text = text:gsub(form, "")
  end
  return text
end

-- A line that was written over by means of carriage returns, or backspaces, as a terminal would show its end.
local function overwrite(line)
  line = line:gsub("\r+$", "")
  line = line:match("[^\r]*$")
  local count = 1
  while count > 0 do
    line, count = line:gsub("[^\1\2\8]\8", "", 1)
  end
  return (line:gsub("\8", ""))
end

-- Codes that are valid and yet not for showing: C1 controls, and those that turn the direction of writing.
local function is_shown(code)
  return not (code >= 0x80 and code <= 0x9F or code >= 0x202A and code <= 0x202E
    or code >= 0x2066 and code <= 0x2069)
end

local function replace_hidden(text)
  return (text:gsub("[\xC2\xE2][\x80-\xBF]+", function(bytes)
    local code = utf8.codepoint(bytes)
    return not is_shown(code) and UNKNOWN .. bytes:sub(#utf8.char(code) + 1) or nil
  end))
end

--- Valid UTF-8: each byte that cannot be read becomes U+FFFD.
function clean.utf8(text)
  local parts, from = {}, 1
  while true do
    local _, bad = utf8.len(text, from)
    parts[#parts + 1] = replace_hidden(text:sub(from, (bad or #text + 1) - 1))
    if not bad then
      return table.concat(parts)
    end
    parts[#parts + 1] = UNKNOWN
    from = bad + 1
  end
end

--- One line (no newline in it), fit to be shown. With `keeps_colours` its colours stay, and end with it.
---@param line string
---@param keeps_colours boolean?
function clean.line(line, keeps_colours)
  line = line:gsub(TITLE, ""):gsub("[%z\1-\7\11-\12\14-\26\28-\31\127]", "?"):gsub("\n", " ")
  if keeps_colours then
    line = line:gsub(COLOUR, OPEN .. "%1" .. CLOSE)
  end
  line = clean.utf8(overwrite(drop_sequences(line)))
  local shown, colours = line:gsub(OPEN, "\27["):gsub(CLOSE, "m")
  return colours > 0 and shown .. "\27[0m" or shown
end

--- Several lines, each as clean.line leaves it.
---@param text string
---@param keeps_colours boolean?
function clean.text(text, keeps_colours)
  return (text:gsub("[^\n]+", function(line) return clean.line(line, keeps_colours) end))
end

return clean
