-- SPDX-License-Identifier: MIT
--- Runs graphs of tasks on a pool of threads and an event loop. See the README.
---@module "tutti"
local core = require("tutti.core")
local errors = require("tutti.errors")
local options = require("tutti.options")
local scope = require("tutti.scope")

local tutti = {}

for _, name in ipairs({ "spawn", "parallel", "task", "all", "settle", "any", "race", "sleep", "checkpoint",
  "now", "buffer", "channel", "register", "semaphore", "event", "current", "cancelled", "defer" }) do
  tutti[name] = core[name]
end
tutti.scope, tutti.timeout, tutti.shield = scope.scope, scope.timeout, scope.shield

-- ---- starting ------------------------------------------------------------------------------

-- The frames between a start and the line to note: what calls `start_checked`, and what called that.
local FROM_C = 4 -- start_checked, the helper, the C function, the user
local FROM_LUA = 3 -- start_checked, the function of this module, the user

local check_function = options.check_function

local function start_checked(start, checked, level, f, ...)
  checked.level = level
  local task
  if checked.attempts then
    task = require("tutti.attempts").start(checked.attempts, start, checked, f, ...)
  else
    task = start(checked, f, ...)
  end
  return task
end

local function with_options(what, start)
  return function(given, f, ...)
    if type(given) ~= "table" or core.is_task(given) then
      core.usage(("%s: a function was expected, or options and a function, got %s")
        :format(what, core.is_task(given) and "a task" or type(given)), 3)
    end
    if options.is_recipe(given) then
      core.usage(what .. ": a recipe is started by calling it: recipe(...)", 3)
    end
    local checked = options.task(what, given, 3)
    if given[1] ~= nil then
      core.usage(what .. ": the function comes behind the options (tutti.task{ f, ... } takes both in one "
        .. "table)", 3)
    end
    check_function(what, f, 3)
    if given.args ~= nil or given.on ~= nil then
      core.usage(("%s: options \"args\" and \"on\" belong to tutti.task"):format(what), 3)
    end
    local task = start_checked(start, checked, FROM_C, f, ...)
    return task
  end
end

core.helper("spawn_with_options", with_options("tutti.spawn", core.start))
core.helper("parallel_with_options", with_options("tutti.parallel", core.start_parallel))

local function starter(what, on, level)
  if on == "pool" then
    return core.start_parallel
  elseif on ~= nil and on ~= "loop" then
    core.usage(("%s: option \"on\" must be \"loop\" or \"pool\", got \"%s\"")
      :format(what, tostring(on)), level + 1)
  elseif on == "loop" and core.is_worker then
    core.usage(("%s: on = \"loop\" cannot be asked for inside a pool task: its functions live on this "
      .. "worker; leave \"on\" out, or let the script start it"):format(what), level + 1)
  end
  return core.start
end

-- The supervisor starts tasks as tutti.task does.
options.starter, options.start_checked = starter, start_checked

-- The full form: tutti.task{ f, after = {t1, t2}, on = "loop" | "pool", args = {...}, ... }. The C half reads
-- plain options by itself; this reads all others, and finds the mistakes.
core.helper("task_with_options", function(spec)
  if type(spec) ~= "table" then
    core.usage(("tutti.task: a table { f, ... } was expected, got %s"):format(type(spec)), 3)
  end
  local checked = options.task("tutti.task", spec, 3)
  check_function("tutti.task", spec[1], 3)
  local start = starter("tutti.task", spec.on, 3)
  local args = spec.args or {}
  local task = start_checked(start, checked, FROM_C, spec[1], table.unpack(args, 1, args.n or #args))
  return task
end)

--- A C function that the host registered, on the pool: tutti.native([opts,] name, ...)
---@nodiscard
function tutti.native(given, ...)
  local task
  if type(given) == "string" then
    task = start_checked(core.start_native, {}, FROM_LUA, given, ...)
  elseif type(given) == "table" then
    local checked = options.task("tutti.native", given, 2)
    if type((...)) ~= "string" then
      core.usage(("tutti.native: the name of a registered function was expected, got %s")
        :format(type((...))), 2)
    end
    task = start_checked(core.start_native, checked, FROM_LUA, ...)
  else
    core.usage(("tutti.native: a name was expected, got %s"):format(type(given)), 2)
  end
  return task
end

-- ---- recipes -------------------------------------------------------------------------------

local recipe_meta = { __name = "tutti.recipe" }
recipe_meta.__index = recipe_meta

--- Is `value` a recipe? Its `spec` is what it was made of.
function options.is_recipe(value)
  return type(value) == "table" and getmetatable(value) == recipe_meta
end

--- A definition that can be started any number of times: tutti.recipe{ name =, f, ... }
function tutti.recipe(spec)
  if type(spec) ~= "table" then
    core.usage(("tutti.recipe: a table { f, ... } was expected, got %s"):format(type(spec)), 2)
  end
  options.task("tutti.recipe", spec, 2)
  check_function("tutti.recipe", spec[1], 2)
  local copy = {}
  for key, value in pairs(spec) do
    copy[key] = value
  end
  return setmetatable({ spec = copy }, recipe_meta)
end

--- Start one execution; the arguments follow those of the recipe.
function recipe_meta:__call(...)
  local spec = self.spec
  local checked = options.task("recipe", spec, 2)
  local start = starter("recipe", spec.on, 2)
  local given = spec.args or {}
  local args = table.pack(table.unpack(given, 1, given.n or #given))
  local more = table.pack(...)
  table.move(more, 1, more.n, args.n + 1, args)
  local task = start_checked(start, checked, FROM_LUA, spec[1], table.unpack(args, 1, args.n + more.n))
  return task
end

--- A changed copy.
function recipe_meta:with(changes)
  if not options.is_recipe(self) or type(changes) ~= "table" then
    core.usage(("recipe:with: a table of options was expected, as in recipe:with{ name = ... }, got %s")
      :format(options.is_recipe(self) and type(changes) or "no recipe before it"), 2)
  end
  local spec = {}
  for key, value in pairs(self.spec) do
    spec[key] = value
  end
  for key, value in pairs(changes) do
    spec[key] = value
  end
  return tutti.recipe(spec)
end

-- ---- awaiting ------------------------------------------------------------------------------

--- Members of `list` in the order in which they settle; leaving the loop early cancels the rest.
function tutti.completed(list, opts)
  local gather = core.completed_new(list, opts)
  local closer = setmetatable({}, { __close = function() core.completed_close(gather) end })
  return function() return core.completed_next(gather) end, nil, nil, closer
end

local function refuse_uv(what, level)
  if core.is_testing() then
    core.usage(what .. " is real time, on the loop outside tutti.testing: in a test use tutti.fs, "
      .. "tutti.exec and tutti.sleep, or do this part before or after it", level + 1)
  end
end

--- tutti.await(task), or tutti.await(f, ...) for a luv function that takes a callback.
---@async
function tutti.await(what, ...)
  if core.is_task(what) then
    return what:await()
  end
  refuse_uv("tutti.await with a luv function", 2)
  return require("tutti.uv").await(what, ...)
end

--- Outside any task (stock lua5.4): run until nothing is left, then raise what nobody owned.
function tutti.run()
  core.run()
  errors.raise_unowned(core.take_failures())
end

-- ---- on first use --------------------------------------------------------------------------

local LATE = {
  args = "args",
  current_run = "graph",
  every = "background",
  exec = "process",
  fs = "fs",
  graph = "graph",
  map = "combine",
  reduce = "combine",
  sh = "process",
  signal = "background",
  stats = "tasks",
  supervisor = "supervisor",
  tasks = "tasks",
  testing = "testing",
  uv = "uv",
}

setmetatable(tutti, {
  __names = LATE, -- for completion (repl/complete.lua)
  __index = function(_, name)
    local module = LATE[name]
    if not module then
      return core.protected[name] -- pcall, xpcall, rawpcall, coroutine: see engine/lua/protect.c
    end
    if name == "uv" then
      refuse_uv("tutti.uv", 2)
    end
    local value = require("tutti." .. module).exports[name]
    if name ~= "uv" then -- that is asked for each time, since a test refuses it
      rawset(tutti, name, value)
    end
    return value
  end,
})

return tutti
