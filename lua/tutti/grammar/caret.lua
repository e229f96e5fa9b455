-- SPDX-License-Identifier: MIT
--- Shows where a text stops making sense: position, what was expected, the line, a caret under the place.
---
---     position 11: a task or "(" was expected, got ">>"
---       server >> >> tests
---                 ^
---
--- Layer: lua. Thread: any state; nothing here knows LPeg or the engine.
--- Invariant: any bytes and any position from 1 to #text + 1 give a message of printable text, and the
--- caret stands under the character at the position, also behind tabs, wide characters and bad UTF-8.
---@module "tutti.grammar.caret"
local caret = {}

local COLUMNS_MAX = 72 -- of a line that is shown; a longer one is cut around the place
local COLUMNS_AFTER = 24 -- of them behind the place
local WORD_MAX = 24

-- First and last code points that take no column, and that take two (Unicode 15: marks, wide letters,
-- emoji).
local ZERO = {
  0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x610, 0x61A, 0x64B, 0x65F, 0x93C, 0x93C, 0x94D, 0x94D,
  0xE31, 0xE31, 0xE34, 0xE3A, 0xE47, 0xE4E, 0x1AB0, 0x1AFF, 0x1DC0, 0x1DFF, 0x200B, 0x200F, 0x202A,
  0x202E, 0x2060, 0x2064, 0x20D0, 0x20FF, 0x302A, 0x302D, 0x3099, 0x309A, 0xFE00, 0xFE0F, 0xFE20,
  0xFE2F, 0xFEFF, 0xFEFF, 0x1F3FB, 0x1F3FF, 0xE0100, 0xE01EF,
}
local TWO = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x23E9, 0x23EC, 0x25FD, 0x25FE, 0x2614, 0x2615, 0x26A1, 0x26A1,
  0x2705, 0x2705, 0x274C, 0x274C, 0x2753, 0x2755, 0x2B50, 0x2B50, 0x2E80, 0x303E, 0x3041, 0x33FF,
  0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xA000, 0xA4CF, 0xA960, 0xA97F, 0xAC00, 0xD7A3, 0xF900, 0xFAFF,
  0xFE30, 0xFE6F, 0xFF01, 0xFF60, 0xFFE0, 0xFFE6, 0x16FE0, 0x18CFF, 0x1B000, 0x1B2FF, 0x1F300,
  0x1F64F, 0x1F680, 0x1F6FF, 0x1F900, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x3FFFD,
}

local function is_in(ranges, code)
  for i = 1, #ranges, 2 do
    if code < ranges[i] then
      return false
    elseif code <= ranges[i + 1] then
      return true
    end
  end
  return false
end

--- Columns that a code point takes on a terminal.
function caret.width(code)
  if code < 0x300 then
    return 1
  end
  return is_in(ZERO, code) and 0 or is_in(TWO, code) and 2 or 1
end

-- The character at byte `i`: how it is shown, its columns, and the byte after it. What no terminal should
-- get (a control character, a byte that is no UTF-8) is shown as one "?", a tab as a blank.
local function character(text, i)
  local byte = text:byte(i)
  if byte < 0x80 then
    local shown = byte == 9 and " " or (byte < 32 or byte == 127) and "?" or string.char(byte)
    return shown, 1, i + 1
  end
  local size = byte >= 0xF0 and 4 or byte >= 0xE0 and 3 or 2
  local part = text:sub(i, i + size - 1)
  if byte < 0xC2 or utf8.len(part) ~= 1 then
    return "?", 1, i + 1
  end
  local code = utf8.codepoint(part)
  if code < 0xA0 or code == 0x2028 or code == 0x2029 then
    return "?", 1, i + size
  end
  return part, caret.width(code), i + size
end

-- Where the character begins that byte `i` is a part of, not before `first`.
local function beginning(text, first, i)
  local start = i
  while start > first and i - start < 3 and text:byte(start) >= 0x80 and text:byte(start) < 0xC0 do
    start = start - 1
  end
  local byte = text:byte(start)
  if start < i and byte >= 0xC2 then
    local _, _, after = character(text, start)
    return after > i and start or i
  end
  return i
end

--- The line that holds `position`: number, first byte, last byte (without the line's end).
function caret.line(text, position)
  local number, first = 1, 1
  while true do
    local stop = text:find("\n", first, true)
    if not stop or stop >= position then
      local last = (stop or #text + 1) - 1
      if stop and last >= first and text:byte(last) == 13 and position <= last then
        last = last - 1
      end
      return number, first, last
    end
    number, first = number + 1, stop + 1
  end
end

-- Walk back from `position` for as many columns as fit before the caret: the byte to begin with.
local function cut_front(text, first, position)
  local columns, start = 0, position
  while start > first do
    local before = beginning(text, first, start - 1)
    local _, width = character(text, before)
    if columns + width > COLUMNS_MAX - COLUMNS_AFTER then
      break
    end
    columns, start = columns + width, before
  end
  return start
end

--- The line of `text` around `position`, and blanks up to the column of the place.
---@return string shown
---@return string blanks
function caret.excerpt(text, position)
  local _, first, last = caret.line(text, position)
  local start = cut_front(text, first, position)
  local shown, blanks, columns = {}, "", 0
  if start > first then
    shown[1], columns = "...", 3
  end
  local i = start
  while i <= last and columns < COLUMNS_MAX + 3 do
    if i <= position then
      blanks = (" "):rep(columns)
    end
    local glyph, width, after = character(text, i)
    shown[#shown + 1], columns, i = glyph, columns + width, after
  end
  if position > last then
    blanks = (" "):rep(columns)
  elseif i <= last then
    shown[#shown + 1] = "..."
  end
  return table.concat(shown), blanks
end

--- What stands at `position`, in words: `"tests"`, `">>"`, `the end of the text`.
function caret.found(text, position)
  if position > #text then
    return #text == 0 and "nothing" or "the end of the text"
  end
  local byte = text:byte(position)
  if byte == 10 or byte == 13 then
    return "the end of the line"
  elseif byte < 32 or byte == 127 then
    return byte == 9 and "a tab" or ("byte 0x%02X"):format(byte)
  elseif byte == 34 then
    return "'\"'"
  end
  local run = text:match("^[%w_][%w_.-]*", position) or text:match("^[<>=|&-][<>=|&-]?[>]?", position)
  if run and #run > WORD_MAX then
    run = run:sub(1, WORD_MAX) .. "..."
  elseif not run then
    local glyph = character(text, position)
    if glyph == "?" and byte ~= 63 then
      return ("byte 0x%02X"):format(byte)
    end
    run = glyph
  end
  return ("\"%s\""):format(run)
end

--- The whole message. `problem` says what is wrong at the position.
---@param text string
---@param position integer # 1-based byte, at most #text + 1
---@param problem string
function caret.message(text, position, problem)
  local number, first = caret.line(text, position)
  local place = ("position %d"):format(position)
  if text:find("\n", 1, true) then
    place = ("%s (line %d, column %d)"):format(place, number, position - first + 1)
  end
  local shown, blanks = caret.excerpt(text, position)
  return ("%s: %s\n  %s\n  %s^"):format(place, problem, shown, blanks)
end

return caret
