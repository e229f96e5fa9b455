-- SPDX-License-Identifier: MIT
--- The nodes of a graph: what g:task takes, checked.
---
---     { index, name, f, needs, spec, line, caller,               always (caller may be nil)
---       run_on_skip, when, limit, resources, description, tags, estimate, on,    nil unless asked for
---       measured }                                   seconds that it took when it last ran in this process
---
--- `needs` is a list of names without duplicates, `spec` has `priority` (0 first) and, with a time limit or
--- further attempts, `attempts` (see attempts.lua); `on` is "loop" or "pool" if this task is to run there
--- whatever the mode of the run.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: nodes share NO_NEEDS and PLAIN, so nobody changes a `needs` or `spec` in place.
---@module "tutti.graph.node"
local core = require("tutti.core")
local options = require("tutti.options")

local node = {}

local CONTROL = "[\0-\31\127]"
local NO_NEEDS = {}
local PLAIN = { priority = 1 }
node.NO_NEEDS, node.PLAIN = NO_NEEDS, PLAIN

local KNOWN = { args = true, description = true, estimate = true, limit = true, needs = true, on = true,
  priority = true, resources = true, retry = true, run_on_skip = true, tags = true, timeout = true,
  when = true }
-- Options of other tasks that have no sense in a graph.
local INSTEAD = {
  after = "the tasks of a graph wait for names: say needs = { NAME, ... }",
  detach = "the tasks of a graph belong to its run, which ends after all of them",
  name = "its name is the first argument",
}
local OF_TASK = { "priority", "retry", "run_on_skip", "timeout" }

local function refuse(name, level, message, ...)
  core.usage(("g:task \"%s\": %s"):format(name, message:format(...)), level + 1)
end

local function shown(value)
  return type(value) == "string" and ("\"%s\""):format(value) or type(value)
end

-- ---- names and lists -----------------------------------------------------------------------

--- Raise `usage` unless `name` can be the name of a task, or of what `thing` says. `level` as for core.usage.
function node.check_name(what, name, level, thing)
  thing = thing or "task"
  if type(name) ~= "string" then
    core.usage(("%s: the name of the %s was expected, got %s"):format(what, thing, type(name)), level + 1)
  elseif name == "" then
    core.usage(("%s: the name of a %s cannot be empty"):format(what, thing), level + 1)
  elseif name:find(CONTROL) then
    core.usage(("%s: the name %q has a control character in it (position %d)")
      :format(what, name, name:find(CONTROL)), level + 1)
  end
end

-- Are there keys in `list` that are not among 1, 2, ... #list?
local function has_other_keys(list, count)
  local found = 0
  for _ in pairs(list) do
    found = found + 1
  end
  return found ~= count
end

local function check_word(name, option, list, i, level)
  local word = list[i]
  if type(word) ~= "string" or word == "" then
    local hint = core.is_task(word) and " (a task of a graph is named, not its handle)" or ""
    refuse(name, level + 1, "element %d of \"%s\" must be a name, got %s%s", i, option,
      word == "" and "an empty text" or type(word), hint)
  end
end

-- A copy of the list of words, without duplicates.
local function read_words(name, option, list, level)
  if type(list) ~= "table" then
    local example = type(list) == "string" and (": say %s = { \"%s\" }"):format(option, list) or ""
    refuse(name, level + 1, "option \"%s\" must be a list of names, got %s%s", option, shown(list), example)
  end
  local count = #list
  if has_other_keys(list, count) then
    refuse(name, level + 1, "option \"%s\" must be a list without holes (a nil, or a key that is no "
      .. "position, is in it)", option)
  end
  local copy, seen = {}, {}
  for i = 1, count do
    check_word(name, option, list, i, level + 1)
    if not seen[list[i]] then
      seen[list[i]] = true
      copy[#copy + 1] = list[i]
    end
  end
  return copy
end

-- Most have one or two: then without a table to find duplicates by.
local function read_needs(name, needs, level)
  if type(needs) == "table" then
    local a, b, c = needs[1], needs[2], needs[3]
    if type(a) == "string" and a ~= "" and c == nil and a ~= b then
      if b == nil and next(needs, 1) == nil and next(needs) == 1 then
        return { a }
      elseif type(b) == "string" and b ~= "" and next(needs) == 1 and next(needs, 2) == nil then
        return { a, b }
      end
    elseif next(needs) == nil then
      return NO_NEEDS
    end
  end
  return read_words(name, "needs", needs, level + 1)
end

-- ---- options -------------------------------------------------------------------------------

local function check_known(name, given, level)
  for key in pairs(given) do
    if not KNOWN[key] then
      if INSTEAD[key] then
        refuse(name, level + 1, "option \"%s\" is not one of a graph's task: %s", key, INSTEAD[key])
      elseif type(key) == "number" then
        refuse(name, level + 1, "its options have an element %s; the function comes after the options: "
          .. "g:task(NAME, { ... }, f)", tostring(key))
      end
      options.check(("g:task \"%s\""):format(name), { [key] = true }, KNOWN, level + 1)
    end
  end
end

local function read_spec(name, given, level)
  local asked
  for _, option in ipairs(OF_TASK) do
    if given[option] ~= nil then
      asked = asked or {}
      asked[option] = given[option]
    end
  end
  if not asked then
    return PLAIN
  end
  local checked = options.task(("g:task \"%s\""):format(name), asked, level + 1)
  if checked.attempts == nil and checked.priority == PLAIN.priority then
    return PLAIN
  end
  return { priority = checked.priority, attempts = checked.attempts }
end

local function read_amount(name, resource, value, level)
  if resource == "mem" then
    return core.size(value, ("g:task \"%s\": resource \"mem\""):format(name), level + 1)
  elseif type(value) ~= "number" or not (value > 0 and value < math.huge) then
    refuse(name, level + 1, "resource \"%s\" must be a number above 0, got %s", resource,
      type(value) == "number" and tostring(value) or shown(value))
  end
  return value
end

local function read_resources(name, given, level)
  if given == nil then
    return nil
  elseif type(given) ~= "table" then
    refuse(name, level + 1, "option \"resources\" must be a table such as { cpu = 2, mem = \"1GiB\" }, "
      .. "got %s", shown(given))
  end
  local amounts
  for resource, value in pairs(given) do
    if type(resource) ~= "string" then
      refuse(name, level + 1, "option \"resources\" must be a table such as { cpu = 2, mem = \"1GiB\" }: "
        .. "\"%s\" is no name", tostring(resource))
    end
    amounts = amounts or {}
    amounts[resource] = read_amount(name, resource, value, level + 1)
  end
  return amounts
end

local function check_text(name, given, option, level)
  options.check_type(("g:task \"%s\""):format(name), given, option, "string", level + 1)
  return given[option]
end

local function read_place(name, on, level)
  if on ~= nil and on ~= "loop" and on ~= "pool" then
    refuse(name, level + 1, "option \"on\" must be \"loop\" or \"pool\", got %s", shown(on))
  end
  return on
end

local function read_options(made, given, level)
  local name = made.name
  check_known(name, given, level + 1)
  made.spec = read_spec(name, given, level + 1)
  made.run_on_skip = given.run_on_skip or nil
  made.description = check_text(name, given, "description", level + 1)
  made.limit = check_text(name, given, "limit", level + 1)
  made.on = read_place(name, given.on, level + 1)
  if given.when ~= nil then
    options.check_function(("g:task \"%s\": option \"when\""):format(name), given.when, level + 1)
    made.when = given.when
  end
  if given.tags ~= nil then
    made.tags = read_words(name, "tags", given.tags, level + 1)
  end
  if given.estimate ~= nil then
    made.estimate = core.duration(given.estimate, ("g:task \"%s\": option \"estimate\""):format(name),
      level + 1)
  end
  made.resources = read_resources(name, given.resources, level + 1)
end

-- ---- functions -----------------------------------------------------------------------------

-- A recipe's options, changed by those that are given with it.
local function merge_recipe(recipe, given)
  local merged = {}
  for key, value in pairs(recipe.spec) do
    if type(key) ~= "number" and key ~= "name" then
      merged[key] = value
    end
  end
  for key, value in pairs(given or {}) do
    merged[key] = value
  end
  return merged, recipe.spec[1]
end

-- `args` follow the results of what it needs.
local function with_args(f, args)
  local count = args.n or #args
  if count == 0 then
    return f
  end
  return function(...)
    local all = table.pack(...)
    table.move(args, 1, count, all.n + 1, all)
    return f(table.unpack(all, 1, all.n + count))
  end
end

local function read_function(name, f, args, level)
  options.check_function(("g:task \"%s\""):format(name), f, level + 1)
  if type(f) ~= "function" then
    local callable = f
    f = function(...) return callable(...) end
  end
  if args ~= nil then
    options.check_type(("g:task \"%s\""):format(name), { args = args }, "args", "table", level + 1)
    f = with_args(f, args)
  end
  return f
end

local function has_only_needs(given)
  local first = next(given)
  return first == nil or first == "needs" and next(given, first) == nil
end

-- ---- one node ------------------------------------------------------------------------------

local function read_slowly(made, given, f, level)
  if options.is_recipe(f) then
    given, f = merge_recipe(f, given)
  end
  if given ~= nil and type(given) ~= "table" then
    refuse(made.name, level + 1, "a table of options, or a function, was expected, got %s", type(given))
  end
  made.f = read_function(made.name, f, given and given.args, level + 1)
  if given then
    read_options(made, given, level + 1)
  end
end

--- What g:task(name, given, f) declares, as a node; and whether it has no option but `needs`. `level` is that
--- of the caller's line.
function node.read(index, name, given, f, level)
  node.check_name("g:task", name, level + 1)
  local needs, line, caller = NO_NEEDS, core.places()
  if type(given) == "table" and given.needs ~= nil then
    needs = read_needs(name, given.needs, level + 1)
  end
  local made = { index = index, name = name, f = f, needs = needs, spec = PLAIN, line = line,
    caller = caller }
  local is_plain = type(f) == "function"
    and (given == nil or type(given) == "table" and has_only_needs(given))
  if not is_plain then
    read_slowly(made, given, f, level + 1)
  end
  return made, is_plain
end

return node
