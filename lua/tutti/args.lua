-- SPDX-License-Identifier: MIT
--- tutti.args: the arguments that a script takes, declared with types, defaults and help.
---
---     local args = tutti.args({ target = { "string", default = "all", help = "what to build" } })
---     tutti run build.lua --arg target=docs
---
--- A mistake in the declarations raises `usage` at the call. One on the command line is the command line's:
--- the program says what is wrong, all of it at once, and ends with status 2.
---
--- Layer: lua. Thread: the state's home; a pool thread has no command line.
--- Invariant: of what is returned each argument with a default, or that is required, has a value of its type.
---@module "tutti.args"
local core = require("tutti.core")
local options = require("tutti.options")
local say = require("tutti.say")
local session = require("tutti.session")

local WHAT = "tutti.args"
local BAD_COMMAND_LINE = 2

-- ---- types ---------------------------------------------------------------------------------

local BOOLEANS = { ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false }

-- A duration or a size: a number, or a text with units. Else nil, and what is wrong if that can be said.
local function quantity(grammar)
  return function(given)
    local number = tonumber(given)
    if number then
      return number >= 0 and number or nil
    elseif type(given) ~= "string" then
      return nil
    end
    local value, err = require("tutti.grammar." .. grammar).parse(given)
    return value, err and err.message
  end
end

-- Bytes are counted: 64KiB is the integer 65536.
local function whole_if_so(read)
  return function(given)
    local value, why = read(given)
    return value and math.tointeger(value) or value, why
  end
end

local function only(kind)
  return function(value)
    if type(value) == kind then
      return value
    end
  end
end

local function whole_number(value)
  return type(value) == "number" and math.tointeger(value) or nil
end

-- `read` makes a value of a text, `check` one of what stands in the declaration; nil: it is none.
local TYPES = {
  string = { words = "a text", zero = "", read = only("string"), check = only("string") },
  integer = { words = "a whole number", zero = 0, check = whole_number,
    read = function(text) return whole_number(tonumber(text)) end },
  number = { words = "a number", zero = 0, check = only("number"), read = tonumber },
  boolean = { words = "true or false", zero = false, check = only("boolean"),
    read = function(text) return BOOLEANS[text] end },
  duration = { words = "a duration such as 0.5, 250ms or 1m30s", zero = 0, read = quantity("duration") },
  size = { words = "a size such as 4096 or 64KiB", zero = 0, read = whole_if_so(quantity("size")) },
}
TYPES.duration.check, TYPES.size.check = TYPES.duration.read, TYPES.size.read

-- ---- declarations --------------------------------------------------------------------------

local FIELDS = { default = true, help = true, choices = true, required = true }

local function shown(value)
  return type(value) == "string" and ("\"%s\""):format(value) or tostring(value)
end

-- A value of the declaration itself.
local function declared_value(where, kind, value, level)
  local checked, problem = TYPES[kind].check(value)
  if checked == nil then
    core.usage(("%s must be %s, got %s%s"):format(where, TYPES[kind].words,
      type(value) == "table" and "a table" or shown(value), problem and ": " .. problem or ""), level + 1)
  end
  return checked
end

local function check_choices(where, kind, choices, level)
  if choices == nil then
    return nil
  end
  if type(choices) ~= "table" or #choices == 0 then
    core.usage(("%s: option \"choices\" must be a list of values"):format(where), level + 1)
  end
  local checked = {}
  for i, choice in ipairs(choices) do
    checked[i] = declared_value(("%s: choice %d"):format(where, i), kind, choice, level + 1)
  end
  return checked
end

local function is_chosen(argument, value)
  if not argument.choices then
    return true
  end
  for _, choice in ipairs(argument.choices) do
    if choice == value then
      return true
    end
  end
  return false
end

local function choices_text(argument)
  local words = {}
  for i, choice in ipairs(argument.choices) do
    words[i] = tostring(choice)
  end
  return table.concat(words, ", ")
end

local function check_type(where, given, level)
  local kind = given[1]
  if not TYPES[kind] then
    local near = type(kind) == "string" and options.nearest(kind, TYPES)
    core.usage(("%s: its type comes first: \"string\", \"integer\", \"number\", \"boolean\", \"duration\" or "
      .. "\"size\"; got %s%s"):format(where, kind == nil and "none" or shown(kind),
      near and (" (did you mean \"%s\"?)"):format(near) or ""), level + 1)
  end
  return kind
end

local function check_argument(name, given, level)
  if type(name) ~= "string" or not name:find("^[%a_][%w_-]*$") then
    core.usage(("%s: the name of an argument was expected (letters, digits, _ and -), got %s")
      :format(WHAT, shown(name)), level + 1)
  end
  local where = ("%s: argument \"%s\""):format(WHAT, name)
  if type(given) ~= "table" then
    core.usage(("%s: a table such as { \"string\", default = \"x\", help = \"...\" } was expected, got %s")
      :format(where, type(given)), level + 1)
  end
  options.check(where, given, FIELDS, level + 1)
  options.check_type(where, given, "help", "string", level + 1)
  options.check_type(where, given, "required", "boolean", level + 1)
  local kind = check_type(where, given, level + 1)
  local argument = { name = name, type = kind, help = given.help, required = given.required or nil }
  argument.choices = check_choices(where, kind, given.choices, level + 1)
  if given.default ~= nil then
    if given.required then
      core.usage(("%s: what is required needs no default"):format(where), level + 1)
    end
    argument.default = declared_value(("%s: its default"):format(where), kind, given.default, level + 1)
    argument.shown_default = tostring(given.default)
    if not is_chosen(argument, argument.default) then
      core.usage(("%s: its default must be one of its choices: %s"):format(where, choices_text(argument)),
        level + 1)
    end
  end
  return argument
end

local function by_name(a, b)
  return a.name < b.name
end

local function check_all(declarations, level)
  if type(declarations) ~= "table" then
    core.usage(("%s: a table of arguments was expected, got %s"):format(WHAT, type(declarations)), level + 1)
  end
  local list = {}
  for name, given in pairs(declarations) do
    list[#list + 1] = check_argument(name, given, level + 1)
  end
  table.sort(list, by_name)
  return list
end

-- ---- the command line ----------------------------------------------------------------------

local function about(argument)
  return argument.help and (" (%s)"):format(argument.help) or ""
end

local function read_one(argument, text, values, problems)
  local kind = TYPES[argument.type]
  local value, more = kind.read(text)
  if value == nil then
    problems[#problems + 1] = ("argument \"%s\"%s must be %s, got \"%s\"%s"):format(argument.name,
      about(argument), kind.words, text, more and ": " .. more or "")
  elseif not is_chosen(argument, value) then
    problems[#problems + 1] = ("argument \"%s\"%s must be one of %s, got \"%s\""):format(argument.name,
      about(argument), choices_text(argument), text)
  else
    values[argument.name] = value
  end
end

local function read_given(list, values, problems)
  local known = {}
  for _, argument in ipairs(list) do
    known[argument.name] = argument
  end
  local is_given = {}
  for _, pair in ipairs(session.args) do
    local name, text = pair:match("^([^=]*)=(.*)$")
    if known[name] then
      is_given[name] = true
      read_one(known[name], text, values, problems)
    else
      local near = options.nearest(name, known)
      problems[#problems + 1] = ("unknown argument \"%s\"%s"):format(name,
        near and (" (did you mean \"%s\"?)"):format(near) or "")
    end
  end
  return is_given
end

local function read_missing(list, is_given, values, problems)
  local missing = {}
  for _, argument in ipairs(list) do
    if not is_given[argument.name] then
      values[argument.name] = argument.default
      if argument.required then
        missing[#missing + 1] = ("\n  --arg %s=%s%s"):format(argument.name, argument.type:upper(),
          argument.help and "   " .. argument.help or "")
      end
    end
  end
  if #missing > 0 then
    problems[#problems + 1] = (#missing == 1 and "an argument is missing:" or "arguments are missing:")
      .. table.concat(missing)
  end
end

-- For --help, which must get past the call whatever is missing or wrong.
local function fill(list, values)
  for _, argument in ipairs(list) do
    if values[argument.name] == nil and argument.required then
      values[argument.name] = argument.choices and argument.choices[1] or TYPES[argument.type].zero
    end
  end
end

local function refuse(problems, level)
  if not session.is_program then
    core.usage(("%s: %s"):format(WHAT, table.concat(problems, "\n")), level + 1)
  end
  local file = session.file or "-e"
  local lines = {}
  for i, problem in ipairs(problems) do
    lines[i] = ("tutti: %s: %s\n"):format(file, problem)
  end
  say(("%sTry: %s %s --help\n"):format(table.concat(lines), session.command, file))
  os.exit(BAD_COMMAND_LINE)
end

-- ---- tutti.args ----------------------------------------------------------------------------

local declared = {}

--- The values of the arguments that a script declares: those of the command line, else their defaults.
---@param declarations table<string, table>
---@return table<string, any>
local function args(declarations)
  if core.is_worker then
    core.usage("tutti.args: a pool task has no command line: ask in the script and pass values on", 2)
  end
  local list = check_all(declarations, 2)
  declared = list
  local values, problems = {}, {}
  local is_given = read_given(list, values, problems)
  read_missing(list, is_given, values, problems)
  if session.help then
    fill(list, values)
    if session.is_program and not session.guard then
      require("tutti.program").guard() -- what the script starts, or its end, prints the page
    end
  elseif #problems > 0 then
    refuse(problems, 2)
  end
  return values
end

return {
  exports = { args = args },
  --- The arguments that the script has declared, for --help: a list, sorted by name, of { name =, type =,
  --- help =, choices =, required =, default =, shown_default = (as it was written) }.
  declared = function() return declared end,
}
