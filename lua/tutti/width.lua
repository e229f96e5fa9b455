-- SPDX-License-Identifier: MIT
--- How many columns of a terminal a text takes: wide characters two, marks that stand on others none.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: of a text that is no valid UTF-8 each byte counts as one column, and nothing raises.
---@module "tutti.width"

local width = {}

-- First and last of each block, ascending: East Asian letters and signs, emoji.
local WIDE = { 0x1100, 0x115F, 0x231A, 0x231B, 0x23E9, 0x23EC, 0x2E80, 0x303E, 0x3041, 0xA4CF, 0xA960, 0xA97C,
  0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE30, 0xFE6F, 0xFF01, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F,
  0x1F680, 0x1F6FF, 0x1F900, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x3FFFD }
local NONE = { 0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x610, 0x61A, 0x64B, 0x65F, 0x200B, 0x200F,
  0x20D0, 0x20FF, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F }

local function is_in(blocks, code)
  for i = 1, #blocks, 2 do
    if code <= blocks[i + 1] then
      return code >= blocks[i]
    end
  end
  return false
end

local function columns_of(code)
  if code < 0x300 then
    return 1
  end
  return is_in(NONE, code) and 0 or is_in(WIDE, code) and 2 or 1
end

--- The columns of a text without control characters.
function width.of(text)
  local count = utf8.len(text)
  if not count then
    return #text
  elseif not text:find("[\xCC-\xF4]") then
    return count
  end
  local columns = 0
  for _, code in utf8.codes(text) do
    columns = columns + columns_of(code)
  end
  return columns
end

--- The beginning of a text, of at most so many columns.
function width.head(text, most)
  if not utf8.len(text) then
    return text:sub(1, most)
  end
  local columns = 0
  for at, code in utf8.codes(text) do
    columns = columns + columns_of(code)
    if columns > most then
      return text:sub(1, at - 1)
    end
  end
  return text
end

--- The end of a text, of at most so many columns.
function width.tail(text, most)
  if not utf8.len(text) then
    return text:sub(math.max(1, #text - most + 1))
  end
  local left = width.of(text)
  for at, code in utf8.codes(text) do
    if left <= most then
      return text:sub(at)
    end
    left = left - columns_of(code)
  end
  return ""
end

return width
