-- SPDX-License-Identifier: MIT
--- `--list` and `tutti plan`, as text on stdout.
---
--- On a terminal columns are as wide as they need to be and lines are cut to its width; elsewhere a list has
--- fields between tabs.
---
--- Layer: lua. Thread: the program's loop state.
---@module "tutti.program.show"
local escape = require("tutti.escape")
local session = require("tutti.session")
local width = require("tutti.width")

local show = {}

local NAME_MAX = 32 -- columns for names; longer ones push the rest of their line

local function plural(count, what)
  return ("%d %s%s"):format(count, what, count == 1 and "" or "s")
end

-- The first line of a text, without tabs.
local function one_line(text)
  return escape.line(((text or ""):match("^[^\n]*"):gsub("%s+", " ")))
end

local function joined(names, from, to)
  return escape.line(table.concat(names, ", ", from, to))
end

local function pad(text, columns)
  return text .. (" "):rep(columns - width.of(text))
end

-- Cut a text to so many columns, between characters; there is no such limit without a terminal.
local function cut(text, columns)
  if not session.columns or width.of(text) <= columns then
    return text
  end
  return width.head(text, columns - 1) .. "…"
end

local function name_column(nodes)
  local widest = 0
  for _, node in ipairs(nodes) do
    local columns = width.of(escape.line(node.name))
    if columns > widest and columns <= NAME_MAX then
      widest = columns
    end
  end
  return widest
end

--- Print { name, text } in two columns.
function show.print_rows(rows, column)
  local lines = {}
  for i, row in ipairs(rows) do
    local line = ("  %s  %s"):format(pad(row[1], column), row[2]):gsub("%s+$", "")
    lines[i] = cut(line, session.columns)
  end
  if #lines > 0 then
    io.write(table.concat(lines, "\n"), "\n")
  end
end

-- ---- --list --------------------------------------------------------------------------------

-- Nodes of the plan in the order in which they were added.
local function by_index(plan)
  local nodes = table.move(plan.nodes, 1, #plan.nodes, 1, {})
  table.sort(nodes, function(a, b) return a.index < b.index end)
  return nodes
end

--- The tasks of a plan with their descriptions and tags, in order of addition, as rows.
function show.rows(plan)
  local rows = {}
  local nodes = by_index(plan)
  for i, node in ipairs(nodes) do
    local tags = node.tags and #node.tags > 0 and "[" .. joined(node.tags) .. "]" or ""
    local text = one_line(node.description)
    rows[i] = { escape.line(node.name), text == "" and tags or tags == "" and text or text .. "  " .. tags }
  end
  return rows, name_column(nodes)
end

--- NAME, description and tags between tabs: three fields always, for other programs.
local function print_fields(plan)
  for _, node in ipairs(by_index(plan)) do
    local tags = escape.line(table.concat(node.tags or {}, ","))
    io.write(node.name, "\t", one_line(node.description), "\t", tags, "\n")
  end
end

function show.list(plan)
  if not session.columns then
    return print_fields(plan)
  end
  io.write(("%s: %s\n"):format(escape.line(plan.graph.name), plural(#plan.nodes, "task")))
  show.print_rows(show.rows(plan))
end

-- ---- tutti plan ----------------------------------------------------------------------------

local NAMES_MAX = 4 -- names in a list of them; the rest are counted

local function some(names)
  if #names <= NAMES_MAX + 1 then
    return joined(names)
  end
  return ("%s and %d more"):format(joined(names, 1, NAMES_MAX), #names - NAMES_MAX)
end

-- Why a task is in the plan: it was selected, or others need it.
local function reason(plan, node)
  if not plan.selected then
    return nil
  elseif plan.selected[node.name] then
    return "selected"
  end
  return "needed by " .. some(plan:dependents(node.name))
end

local UNITS = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 } }

-- 1073741824 -> "1GiB", if that says the same.
local function size_text(bytes)
  for _, unit in ipairs(UNITS) do
    local amount = bytes / unit[2]
    if amount >= 1 and amount * 10 % 1 == 0 then
      return ("%.14g%s"):format(amount, unit[1])
    end
  end
  return ("%.14g bytes"):format(bytes)
end

local function amounts(node)
  local list = {}
  for name, amount in pairs(node.resources or {}) do
    list[#list + 1] = ("%s %s"):format(name, name == "mem" and size_text(amount) or ("%.14g"):format(amount))
  end
  table.sort(list)
  return list
end

-- What is to be known of a task before it runs.
local function about(plan, node)
  local parts = { reason(plan, node) }
  local function add(format, value)
    if value then
      parts[#parts + 1] = format:format(value)
    end
  end
  add("after %s", #node.needs > 0 and some(node.needs) or nil)
  add("if its condition holds", node.when)
  add("also if those fail", node.run_on_skip)
  add("limit %s", node.limit and escape.line(node.limit))
  for _, amount in ipairs(amounts(node)) do
    add("%s", escape.line(amount))
  end
  return table.concat(parts, "; ")
end

local DESCRIPTION_MIN, DESCRIPTION_MAX = 12, 30

-- How many columns descriptions have: on a terminal a third of what names leave, and longer ones are cut;
-- elsewhere those that are longer push the rest of their line. Nil: no task of the plan has one.
local function description_column(plan, names)
  local most = DESCRIPTION_MAX
  if session.columns then
    most = math.max(DESCRIPTION_MIN, math.min(most, (session.columns - names - 6) // 3))
  end
  local has_any, widest = false, 0
  for _, node in ipairs(plan.nodes) do
    local columns = width.of(one_line(node.description))
    has_any = has_any or columns > 0
    widest = math.max(widest, session.columns and math.min(columns, most) or columns <= most and columns or 0)
  end
  return has_any and widest or nil
end

-- Behind the name: what the task is, and what is to be known of it. `column`: of descriptions, or nil.
local function plan_row(plan, node, column)
  local text = about(plan, node)
  if column then
    text = pad(cut(one_line(node.description), column), column) .. "  " .. text
  end
  return { escape.line(node.name), text }
end

local function print_critical_path(plan)
  local names, seconds = plan:critical_path()
  if #names == 0 then
    return
  end
  local measure = seconds and ("%.3g s"):format(seconds) or plural(#names, "task")
  io.write(("\ncritical path (%s): %s\n"):format(measure, escape.line(table.concat(names, " -> "))))
end

local function print_plan(plan, selector)
  local steps = plan.steps
  local what = type(selector) ~= "string" and ""
    or (selector:find("\"", 1, true) and " of %s" or " of \"%s\""):format(escape.line(selector))
  io.write(("plan%s of graph \"%s\": %s in %s\n"):format(what, escape.line(plan.graph.name),
    plural(#plan.nodes, "task"), plural(#steps, "step")))
  local column = name_column(plan.nodes)
  local second = description_column(plan, column)
  local by_name = plan.graph.by_name
  for i, names in ipairs(steps) do
    io.write(("\nstep %d\n"):format(i))
    local rows = {}
    for k, name in ipairs(names) do
      rows[k] = plan_row(plan, by_name[name], second)
    end
    show.print_rows(rows, column)
  end
  print_critical_path(plan)
end

--- Print a plan: form is "text", "json", "dot" or "mermaid".
function show.plan(plan, form, selector)
  if form == "text" then
    return print_plan(plan, selector)
  end
  local text = plan[form](plan)
  io.write(text, text:sub(-1) == "\n" and "" or "\n")
end

return show
