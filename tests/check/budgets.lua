-- SPDX-License-Identifier: MIT
-- Sizes: fails over the limit, reports (as TAP comments) what is over the aim.
-- An exception is a line in ALLOWED with its reason.

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local FILE_LINES_AIM, FILE_LINES_MAX = 500, 800
local FUNCTION_LINES_AIM, FUNCTION_LINES_MAX = 25, 70
local PARAMETERS_MAX = 5

-- "path" or "path:function" = reason
local ALLOWED = {
  ["lua/meta/tutti.lua"] = "the annotations of all that require gives, which editors read as one",
  ["engine/value/encode.c:tutti__value_encode"] = "values, options, result and message are one call",
  ["engine/lua/export.c:handle_encode"] = "callback of struct tutti__value_ops: three results",
  ["tests/fuzz/fuzz_value.c:fuzz_handle_encode"] = "callback of struct tutti__value_ops: three results",
  ["tests/unit/test_value.h:test_handle_encode"] = "callback of struct tutti__value_ops: three results",
}

local function is_within(key, number, limit, what)
  local text = ("%s: %d %s (limit %d)"):format(key, number, what, limit)
  return number <= limit or ALLOWED[key] ~= nil, text
end

--- How many parameters a signature has: commas outside inner brackets.
local function count_parameters(signature)
  local list = signature:match("(%b())%s*$")
  if not list or list:match("^%(%s*%)$") or list:match("^%(%s*void%s*%)$") then
    return 0
  end
  local _, commas = list:sub(2, -2):gsub("%b()", ""):gsub(",", "")
  return commas + 1
end

--- Functions of a C file as { name, first, last, parameters }. House style makes this simple: the
--- brace that opens a function's body, and the one that closes it, stand alone in column one.
local function c_functions(lines)
  local found = {}
  for first, line in ipairs(lines) do
    local start = first - 1
    while line == "{" and start > 1 and not lines[start]:match("^[%w_]") do
      start = start - 1
    end
    local signature = table.concat(lines, " ", math.max(start, 1), first - 1)
    local name = signature:match("([%w_]+)%s*%b()%s*$")
    if line == "{" and name then
      local last = first
      while lines[last] and lines[last] ~= "}" do
        last = last + 1
      end
      local parameters = count_parameters(signature)
      found[#found + 1] = { name = name, lines = last - first - 1, parameters = parameters }
    end
  end
  return found
end

--- Named functions of a Lua file: to the `end` that stands as far in as the `function` does.
local function lua_functions(lines)
  local found = {}
  for first, line in ipairs(lines) do
    local indent, name, list = line:match("^(%s*)l?o?c?a?l?%s?function ([%w_.:]+)(%b())%s*$")
    if name then
      local last = first
      while lines[last] and lines[last] ~= indent .. "end" do
        last = last + 1
      end
      local parameters = count_parameters(list)
      found[#found + 1] = { name = name, lines = last - first - 1, parameters = parameters }
    end
  end
  return found
end

local over_aim = 0
local function note_aim(text, number, aim)
  if number > aim then
    over_aim = over_aim + 1
    print(("# over the aim of %d: %s (%d)"):format(aim, text, number))
  end
end

local function check_file(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  local bad = {}
  local function check(...)
    local pass, text = is_within(...)
    if not pass then
      bad[#bad + 1] = text
    end
  end
  check(path, #lines, FILE_LINES_MAX, "lines")
  note_aim(path, #lines, FILE_LINES_AIM)
  for _, func in ipairs(path:match("%.lua$") and lua_functions(lines) or c_functions(lines)) do
    local key = path .. ":" .. func.name
    check(key, func.lines, FUNCTION_LINES_MAX, "lines")
    check(key, func.parameters, PARAMETERS_MAX, "parameters")
    note_aim(key, func.lines, FUNCTION_LINES_AIM)
  end
  tap.case(#bad == 0, table.concat(bad, "\n"))
end

for _, path in ipairs(shell.lines(
  "find engine lua scripts tests -name '*.[ch]' -o -name '*.lua' -o -name '*.cpp' | sort")) do
  check_file(path)
end
print(("# %d over the aim"):format(over_aim))
tap.rule("files, functions and parameters are within their limits")
tap.finish()
