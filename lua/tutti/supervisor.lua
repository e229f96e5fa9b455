-- SPDX-License-Identifier: MIT
--- tutti.supervisor: restarts tasks by policy. What can be asked of one; what it does is in
--- supervisor/loop.lua.
---
--- A supervisor is a task, with more methods. They stand in the metatables of task handles, from the first
--- supervisor on, and refuse any other task.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `supervisors` has each supervisor of this state under its handle, as long as that is alive.
---@module "tutti.supervisor"
local children = require("tutti.supervisor.children")
local core = require("tutti.core")
local loop = require("tutti.supervisor.loop")
local options = require("tutti.options")
local policy = require("tutti.supervisor.policy")

local supervisors = setmetatable({}, { __mode = "k" })

local STOP_SECONDS = 10

local function refuse(what, level, message, ...)
  core.usage(("%s: %s"):format(what, message:format(...)), level + 1)
end

local CHILD = { name = true, restart = true, max_restarts = true, healthy_after = true, backoff = true,
  on_exit = true, on_giveup = true, stop_timeout = true, on = true, args = true, priority = true,
  timeout = true, retry = true }
-- Those that say how each of its runs is started.
local OF_TASK = { "on", "args", "priority", "timeout", "retry" }

-- ---- one child -----------------------------------------------------------------------------

-- What is stored is the recipe: the function with the options of its tasks.
local function read_recipe(what, given, level)
  local spec, f = {}, given[1]
  if options.is_recipe(f) then
    for key, value in pairs(f.spec) do
      spec[key] = value
    end
    f = spec[1]
  end
  for _, name in ipairs(OF_TASK) do
    if given[name] ~= nil then
      spec[name] = given[name]
    end
  end
  options.check_function(what, f, level + 1)
  spec[1], spec.name = f, given.name or spec.name
  return spec
end

-- Frames between the start in C and the caller of what calls `launch`.
local LAUNCH_LEVEL = 3

-- A fresh execution, whose owner is the supervisor. `level`: whose line is noted; a restart has none.
local function launch(child, level)
  local checked = {}
  for key, value in pairs(child.checked) do
    checked[key] = value
  end
  local args = child.args
  return core.start_under(child.owner, options.start_checked, child.starter, checked,
    LAUNCH_LEVEL + (level or 0), child.f, table.unpack(args, 1, args.n or #args))
end

local function free_name(sup)
  repeat
    sup.nameless = sup.nameless + 1
    local name = "child " .. sup.nameless
    if not sup.named[name] then
      return name
    end
  until false
end

local function new_child(sup, what, given, level)
  local spec = read_recipe(what, given, level + 1)
  local child = { errors = {}, restarts = 0, launch = launch, owner = sup.task, state = "running" }
  policy.read(what, given, child, level + 1)
  spec.name = spec.name or free_name(sup)
  child.checked = options.task(what, spec, level + 1)
  child.starter = options.starter(what, spec.on, level + 1)
  child.f, child.args, child.name = spec[1], spec.args or {}, spec.name
  return child
end

local function start(sup, what, given, level)
  if sup.has_ended then
    refuse(what, level + 1, "supervisor \"%s\" has ended: it can start nothing any more", sup.name)
  elseif sup.goal then
    refuse(what, level + 1, "supervisor \"%s\" is stopping: it can start nothing any more", sup.name)
  end
  local child = new_child(sup, what, given, level + 1)
  if sup.named[child.name] then
    refuse(what, level + 1, "supervisor \"%s\" has a child named \"%s\" already", sup.name, child.name)
  end
  child.task = launch(child, level + 1)
  child.began = core.now()
  sup.owners[child.task] = child
  sup.has_begun = true
  children.link(sup, child)
end

-- ---- methods -------------------------------------------------------------------------------

local methods = {}

local function find(handle, name, level)
  local sup = supervisors[handle]
  if sup then
    return sup
  elseif not core.is_task(handle) then
    core.usage(("%s: a supervisor was expected, got %s (call it with a colon: sup:%s(...))")
      :format(name, type(handle), name), level + 1)
  end
  core.usage(("%s: %s is no supervisor of this Lua state (one is made by tutti.supervisor, and takes orders "
    .. "only there)"):format(name, tostring(handle)), level + 1)
end

--- Start a child: sup:start{ name =, f, restart =, ... }. It belongs to the supervisor.
function methods.start(handle, given)
  local sup = find(handle, "start", 2)
  if type(given) ~= "table" or options.is_recipe(given) then
    refuse("sup:start", 2, "a table { name = NAME, f, ... } was expected, got %s",
      type(given) == "table" and "a recipe" or type(given))
  end
  options.check("sup:start", given, CHILD, 2)
  options.check_type("sup:start", given, "name", "string", 2)
  start(sup, "sup:start", given, 2)
end

-- The short forms; `given` has what they stand for.
local function short_form(handle, method, name, f, given)
  local sup, what = find(handle, method, 3), "sup:" .. method
  if type(name) ~= "string" then
    refuse(what, 3, "the name of the child was expected, got %s", type(name))
  end
  given.name, given[1] = name, f
  given.healthy_after = false
  start(sup, what, given, 3)
end

--- It must go on: restarted whenever it ends, `count` times in all; then the supervisor fails.
function methods.mandatory(handle, name, count, f)
  policy.count("sup:mandatory", "the number of restarts", count, 2)
  short_form(handle, "mandatory", name, f, { restart = "always", max_restarts = count, on_giveup = "fail" })
end

--- It may go: restarted when it fails, `count` times in all; then the others go on without it.
function methods.detachable(handle, name, count, f)
  policy.count("sup:detachable", "the number of restarts", count, 2)
  short_form(handle, "detachable", name, f,
    { restart = "on_failure", max_restarts = count, on_giveup = "drop" })
end

--- When it ends, all ends: in order, or if it failed with its error.
function methods.shutdown_on_exit(handle, name, f)
  short_form(handle, "shutdown_on_exit", name, f, { restart = "never", on_exit = "shutdown" })
end

-- Await without owning the outcome.
local function settled(handle)
  local gather = core.completed_new({ handle }, { cancel = false })
  core.completed_next(gather)
  core.completed_close(gather)
end

local function wait(sup, what, done)
  if core.current() then
    loop.wait(sup, what, done)
  else
    core.start({ name = what, quiet = true }, loop.wait, sup, what, done):await()
  end
end

local function copy(names)
  return table.move(names, 1, #names, 1, {})
end

--- Stop the children, the last one first, and wait for that.
---@async
---@return table # { stopped = names, killed = names, stuck = names }, each in the order in which they ended
function methods.stop(handle)
  local sup = find(handle, "stop", 2)
  if not sup.has_ended then
    loop.ask_stop(sup)
    wait(sup, "sup:stop", function() return false end)
  end
  local report = sup.report
  if #report.stuck == 0 then
    settled(handle)
  end
  return { stopped = copy(report.stopped), killed = copy(report.killed), stuck = copy(report.stuck) }
end

--- Stop one child, for good, and wait for that: "stopped", "killed" or "stuck"; false if there is none.
---@async
function methods.remove(handle, name)
  local sup = find(handle, "remove", 2)
  if type(name) ~= "string" then
    refuse("sup:remove", 2, "the name of a child was expected, got %s", type(name))
  end
  local child = sup.named[name]
  if not child then
    return false
  end
  loop.ask_remove(sup, child)
  wait(sup, "sup:remove", function() return child.state == "gone" or child.state == "stuck" end)
  return child.state == "stuck" and "stuck" or child.how or "stopped"
end

--- The children it has now, in order: { name =, state = "running" | "backoff" | "stopping" | "stuck",
--- restarts =, task = }.
function methods.children(handle)
  local sup, list = find(handle, "children", 2), {}
  local child = sup.first
  while child and not sup.has_ended do
    list[#list + 1] = { name = child.name, state = child.state, restarts = child.restarts, task = child.task }
    child = child.next
  end
  return list
end

for name, method in pairs(methods) do
  core.task_methods[name] = method
  core.remote_methods[name] = method
end

-- ---- making one ----------------------------------------------------------------------------

local STRATEGY = { "one_for_one", "one_for_all", "rest_for_one" }
local KNOWN = { name = true, strategy = true, stop_timeout = true }

--- Make a supervisor: tutti.supervisor{ name =, strategy =, stop_timeout = }. It ends when it has no child
--- left; one that never had any, when somebody awaits it.
---@nodiscard
local function supervisor(given)
  local what = "tutti.supervisor"
  given = given == nil and {} or given
  if type(given) ~= "table" then
    refuse(what, 2, "a table { name = NAME, ... } was expected, got %s", type(given))
  end
  options.check(what, given, KNOWN, 2)
  options.check_type(what, given, "name", "string", 2)
  local sup = {
    name = given.name,
    strategy = policy.word(what, given, "strategy", STRATEGY, 2),
    stop_timeout = policy.duration(what, given, "stop_timeout", STOP_SECONDS, 2),
    named = {}, owners = {}, asked = {}, late = {},
    waiting = setmetatable({}, { __mode = "k" }),
    report = { stopped = {}, killed = {}, stuck = {} },
    count = 0, delays = 0, significant = 0, nameless = 0,
    said = 0, said_at = -math.huge, unsaid = 0,
  }
  -- First of all that is ready: so it has begun before any child of its own runs, and can be cancelled as
  -- one that joins them.
  local handle = core.start({ name = given.name, level = 2, priority = 0 }, loop.run, sup)
  sup.task, sup.name = handle, given.name or handle:name()
  supervisors[handle] = sup
  return handle
end

return { exports = { supervisor = supervisor } }
