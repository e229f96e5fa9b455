-- SPDX-License-Identifier: MIT
--- `tutti run FILE --help`: what a script says of itself - the comment it begins with, the arguments it
--- declares, the tasks of its graph.
---
--- Layer: lua. Thread: the program's loop state.
---@module "tutti.program.help"
local escape = require("tutti.escape")
local session = require("tutti.session")

local help = {}

-- ---- the comment at the top of FILE --------------------------------------------------------

-- Licences, annotations, and what tests/scripts/run.lua reads.
local function is_boilerplate(text)
  return text:find("^SPDX%-") or text:find("^@") or text:find("^luacheck:") or text:find("^expect~?:")
    or text:find("^same%-as:") or text:find("^args: ") or text:find("^env: ") or text:find("^status: %d+$")
end

-- The lines of the first comment, without dashes; nothing of licences, annotations and expectations.
local function leading_comment(lines)
  local found = {}
  for line in lines do
    local text = line:match("^%-%-+%s?(.*)$")
    if text and not is_boilerplate(text) then
      found[#found + 1] = text
    elseif not text and not line:find("^#!") and (#found > 0 or line:find("%S")) then
      break
    end
  end
  while found[#found] and not found[#found]:find("%S") do
    found[#found] = nil
  end
  return found
end

local function description()
  local lines = session.file and io.lines(session.file)
  return lines and leading_comment(lines) or {}
end

-- ---- arguments -----------------------------------------------------------------------------

local function declared()
  local args = package.loaded["tutti.args"]
  return args and args.declared() or {}
end

local function joined(values)
  local words = {}
  for i, value in ipairs(values) do
    words[i] = tostring(value)
  end
  return table.concat(words, ", ")
end

local function about(argument)
  local parts = { argument.help }
  if argument.choices then
    parts[#parts + 1] = "one of " .. joined(argument.choices)
  end
  if argument.required then
    parts[#parts + 1] = "must be given"
  elseif argument.default ~= nil then
    parts[#parts + 1] = "default " .. argument.shown_default
  end
  return escape.line(table.concat(parts, "; "))
end

local function argument_rows(list)
  local rows, widest = {}, 0
  for i, argument in ipairs(list) do
    rows[i] = { ("%s=%s"):format(argument.name, argument.type:upper()), about(argument) }
    widest = math.max(widest, #rows[i][1])
  end
  return rows, widest
end

-- ---- the page ------------------------------------------------------------------------------

local function print_section(title, rows, column)
  if #rows > 0 then
    io.write("\n", title, ":\n")
    require("tutti.program.show").print_rows(rows, column)
  end
end

local LATE = {
  { "--jobs N", "run at most N tasks at a time" },
  { "--list", "list the tasks and run none" },
  { "--help", "print this" },
}

--- Print the page; `graph` may be nil: a script without one.
function help.print(graph)
  local arguments = declared()
  io.write(("usage: %s %s%s%s\n"):format(session.command, session.file or "CHUNK",
    #arguments > 0 and " [--arg NAME=VALUE]..." or "", graph and " [selector]..." or ""))
  local text = description()
  if #text > 0 then
    io.write("\n", escape.lines(table.concat(text, "\n")), "\n")
  end
  print_section("arguments", argument_rows(arguments))
  if graph then
    local rows, column = require("tutti.program.show").rows(graph:plan())
    print_section(("tasks of graph \"%s\""):format(escape.line(graph.name)), rows, column)
    print_section("options behind FILE", LATE, 10)
  end
end

return help
