-- SPDX-License-Identifier: MIT
--- Checks of options: an unknown one is an error that names it and the nearest known one.
---@module "tutti.options"
local core = require("tutti.core")

local options = {}

-- How many letters must be changed, added, removed, or exchanged with the next one.
local function distance(a, b)
  local before, above
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    before, above, row = above, row, { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local changes = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        changes = math.min(changes, before[j - 2] + 1)
      end
      row[j] = changes
    end
  end
  return row[#b]
end

--- The known word nearest to `word`, or nil when none is near: a third of its letters may be wrong, of a
--- short one a single one, but not all.
---@param known table<string, any> # its keys are the words
function options.nearest(word, known)
  local best, least = nil, math.min(math.max((#word + 1) // 3, 1) + 1, math.max(#word, 1))
  for candidate in pairs(known) do
    local d = distance(word, candidate)
    if d < least or (d == least and best and candidate < best) then
      best, least = candidate, d
    end
  end
  return best
end

--- Raise `usage` for a key of `given` that is not in `known`. `level` as for `error`, of the caller.
---@param what string # the function, for the message
function options.check(what, given, known, level)
  for key in pairs(given) do
    if type(key) ~= "number" and known[key] == nil then
      local near = options.nearest(tostring(key), known)
      local hint = near and (" (did you mean \"%s\"?)"):format(near) or ""
      core.usage(("%s: unknown option \"%s\"%s"):format(what, tostring(key), hint), level + 1)
    end
  end
end

--- Raise `usage` unless option `name` has the type (or is nil).
function options.check_type(what, given, name, wanted, level)
  local value = given[name]
  if value ~= nil and type(value) ~= wanted then
    local message = ("%s: option \"%s\" must be a %s, got %s"):format(what, name, wanted, type(value))
    core.usage(message, level + 1)
  end
end

local function is_callable(value)
  local meta = type(value) ~= "function" and getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

--- Raise `usage` unless `f` can be called.
function options.check_function(what, f, level)
  if not is_callable(f) then
    local hint = core.is_task(f) and " (that is a task already: await it, or put it into \"after\")" or ""
    core.usage(("%s: a function was expected, got %s%s"):format(what, type(f), hint), level + 1)
  end
end

local TASK = { name = true, after = true, on = true, args = true, timeout = true, retry = true,
  priority = true, detach = true, run_on_skip = true }
local PRIORITY = { high = 0, normal = 1, low = 2 }
local AFTER_MAX = 100000

local function check_after(what, after, level)
  if type(after) ~= "table" then
    local got = core.is_task(after) and "a task (after = { task })" or type(after)
    core.usage(("%s: option \"after\" must be a list of tasks, got %s"):format(what, got), level + 1)
  end
  local count, copy = 0, {}
  for _ in pairs(after) do
    count = count + 1
  end
  if count ~= #after then
    core.usage(("%s: option \"after\" must be a list without holes (a nil, or a key that is no "
      .. "position, is in it)"):format(what), level + 1)
  end
  if count > AFTER_MAX then
    core.usage(("%s: %d tasks in \"after\" are more than a function can take results from (%d): use "
      .. "after = { tutti.all(list) }"):format(what, count, AFTER_MAX), level + 1)
  end
  for i, task in ipairs(after) do
    if not core.is_task(task) then
      core.usage(("%s: element %d of \"after\" is a %s, not a task"):format(what, i, type(task)), level + 1)
    end
    copy[i] = task
  end
  return count > 0 and copy or nil
end

-- Position 1 is the function. What stands behind it would silently be nothing.
local function check_positions(what, given, level)
  for key in pairs(given) do
    if type(key) == "number" and key ~= 1 then
      core.usage(("%s: element %s of the table is no option (arguments of the function are args = { ... })")
        :format(what, key), level + 1)
    end
  end
end

local ARGS_MAX = 250000

local function check_args(what, args, level)
  local n = args and args.n
  local count = type(n) == "number" and math.tointeger(n)
  if n ~= nil and (not count or count < 0 or count > ARGS_MAX) then
    core.usage(("%s: option \"args\": its n, the number of arguments, must be an integer from 0 to "
      .. "%d, got %s"):format(what, ARGS_MAX, tostring(n)), level + 1)
  end
end

--- Check the options of spawn, parallel, task, native and recipe.
---@return table # a fresh table in the form that the C half reads
function options.task(what, given, level)
  options.check(what, given, TASK, level + 1)
  check_positions(what, given, level + 1)
  options.check_type(what, given, "name", "string", level + 1)
  options.check_type(what, given, "detach", "boolean", level + 1)
  options.check_type(what, given, "run_on_skip", "boolean", level + 1)
  options.check_type(what, given, "args", "table", level + 1)
  check_args(what, given.args, level + 1)
  local priority = PRIORITY[given.priority or "normal"]
  if not priority then
    core.usage(("%s: option \"priority\" must be \"high\", \"normal\" or \"low\", got \"%s\"")
      :format(what, tostring(given.priority)), level + 1)
  end
  local checked = { name = given.name, priority = priority }
  checked.detach = given.detach or nil
  checked.run_on_skip = given.run_on_skip or nil
  if given.timeout ~= nil or given.retry ~= nil then
    checked.attempts = require("tutti.attempts").check(what, given, level + 1)
  end
  if given.after ~= nil then
    checked.after = check_after(what, given.after, level + 1)
  end
  return checked
end

-- ---- durations and sizes -------------------------------------------------------------------

local TEXTS_MAX = 1000

-- What the C half calls for a text: its value, or nil and what is wrong. Programs use few texts many times.
local function reader(grammar)
  local known, count = {}, 0
  return function(text)
    local value = known[text]
    if not value then
      local read, err = require("tutti.grammar." .. grammar).parse(text)
      if not read then
        return nil, err.message
      end
      value = read
      known, count = count < TEXTS_MAX and known or {}, count < TEXTS_MAX and count + 1 or 1
      known[text] = value
    end
    return value
  end
end

core.helper("read_duration", reader("duration"))
core.helper("read_size", reader("size"))

return options
