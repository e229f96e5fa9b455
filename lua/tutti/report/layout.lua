-- SPDX-License-Identifier: MIT
--- The pieces that a report is put together from: durations, lists of names, labelled lines, colours.
---
--- Layer: the Lua half. Thread: any; pure functions.
---@module "tutti.report.layout"
local escape = require("tutti.escape")
local width = require("tutti.width")

local layout = {}

-- ---- numbers -------------------------------------------------------------------------------

--- 0.0003 -> "<1ms", 0.0123 -> "12ms", 1.24 -> "1.2s", 130 -> "2m10s", 7320 -> "2h02m".
function layout.duration(seconds)
  if seconds < 0.0005 then
    return "<1ms"
  elseif seconds < 0.9995 then
    return ("%dms"):format(math.floor(seconds * 1000 + 0.5))
  elseif seconds < 59.95 then
    return ("%.1fs"):format(seconds)
  end
  local whole = math.floor(seconds + 0.5)
  if whole < 3600 then
    return ("%dm%02ds"):format(whole // 60, whole % 60)
  end
  return ("%dh%02dm"):format(whole // 3600, whole % 3600 // 60)
end

--- 1204 -> "1,204".
function layout.count(n)
  local text = ("%d"):format(n)
  repeat
    local done
    text, done = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until done == 0
  return text
end

--- 1 -> "1 task", 18 -> "18 tasks".
function layout.tasks(n)
  return layout.count(n) .. (n == 1 and " task" or " tasks")
end

-- ---- names ---------------------------------------------------------------------------------

--- Columns of a text, colours not counted.
local function columns(text)
  return width.of((text:gsub("\27%[[%d;]*m", "")))
end

layout.columns = columns

--- No longer than `most` columns: of what is longer, beginning and end.
function layout.elide(text, most)
  if columns(text) <= most then
    return text
  end
  local tail = (most - 1) // 2
  return width.head(text, most - 1 - tail) .. "…" .. width.tail(text, tail)
end

--- No longer than `most` columns: of what is longer, the beginning.
function layout.cut(text, most)
  if columns(text) <= most then
    return text
  end
  return width.head(text, most - 1) .. "…"
end

local NAMES_MAX, NAME_COLUMNS = 5, 40

--- "a, b, c (+15)": as many of the first names as fit into `room` columns, at least one.
---@param names string[] # the first few, or all
---@param total integer # how many there are
---@param room integer
function layout.names(names, total, room)
  local shown, used = {}, 0
  for i = 1, math.min(#names, NAMES_MAX) do
    local name = layout.elide(escape.line(names[i]), NAME_COLUMNS)
    local more = total > i and #(" (+%d)"):format(total - i) or 0
    used = used + columns(name) + (i > 1 and 2 or 0)
    if i > 1 and used + more > room then
      break
    end
    shown[i] = name
  end
  local rest = total - #shown
  return table.concat(shown, ", ") .. (rest > 0 and (" (+%s)"):format(layout.count(rest)) or "")
end

--- Names of entries from the `from`-th on, at most `most`.
function layout.names_of(entries, from, most)
  local names = {}
  for i = from, math.min(#entries, from + most - 1) do
    names[#names + 1] = entries[i].name
  end
  return names
end

-- ---- lines ---------------------------------------------------------------------------------

local CODES = { red = "31;1", yellow = "33", green = "32", dim = "2", bold = "1" }
local LABEL_COLUMNS = 9
local INDENT = 2 + LABEL_COLUMNS
local NO_TERMINAL_WIDTH = 100

-- `text` behind `head` in lines of at most `most` columns, broken at blanks; further lines begin with
-- `indent` blanks. A word that is longer stays whole, so that it can be copied.
local function wrap(head, text, most, indent)
  local lines, line, gap = {}, head, ""
  for word in text:gmatch("[^ ]+") do
    if gap ~= "" and columns(line) + 1 + columns(word) > most then
      lines[#lines + 1] = line
      line, gap = (" "):rep(indent), ""
    end
    line, gap = line .. gap .. word, " "
  end
  lines[#lines + 1] = line
  return lines
end

--- What a report is written on: lines, a width, and colours or none.
---@param options { width: integer?, colours: boolean? }
function layout.new_page(options)
  local page = { lines = {}, options = options, width = options.width or NO_TERMINAL_WIDTH }
  function page.paint(text, colour)
    return options.colours and ("\27[%sm%s\27[0m"):format(CODES[colour], text) or text
  end
  function page.add(line)
    page.lines[#page.lines + 1] = line
  end
  --- A line of words behind `head`; on a terminal no wider than that, if its words allow it.
  function page.flow(head, text, indent)
    if not options.width or columns(head .. text) <= options.width then
      page.add(head .. text)
      return
    end
    for _, line in ipairs(wrap(head, text, options.width, indent)) do
      page.add(line)
    end
  end
  local function label_of(name)
    return "  " .. page.paint(name, "dim") .. (" "):rep(LABEL_COLUMNS - #name)
  end
  --- "  at       pipeline.lua:88"
  function page.label(name, text)
    page.add(text == "" and "  " .. page.paint(name, "dim") or label_of(name) .. text)
  end
  --- The same of words that may be broken into lines.
  function page.label_flow(name, text)
    page.flow(label_of(name), text, INDENT)
  end
  return page
end

--- Columns that are left in a labelled line after `text`.
function layout.room(page, text)
  return page.width - INDENT - columns(text)
end

return layout
