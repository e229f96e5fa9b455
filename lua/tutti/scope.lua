-- SPDX-License-Identifier: MIT
--- Scopes: what is started in one ends in it. Deadlines and shields are scopes too.
---@module "tutti.scope"
local core = require("tutti.core")
local options = require("tutti.options")

local scope = {}

local KNOWN = { name = true, timeout = true, on_failure = true, limit = true }
local ON_FAILURE = { cancel = false, collect = true }

local function check_options(given)
  local what = "tutti.scope"
  options.check(what, given, KNOWN, 3)
  options.check_type(what, given, "name", "string", 3)
  local collect = ON_FAILURE[given.on_failure or "cancel"]
  if collect == nil then
    core.usage(("%s: option \"on_failure\" must be \"cancel\" or \"collect\", got \"%s\"")
      :format(what, tostring(given.on_failure)), 3)
  end
  local limit = given.limit
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 1 or limit > 2 ^ 31) then
    core.usage(("%s: option \"limit\" must be a whole number from 1 on, got %s")
      :format(what, tostring(limit)), 3)
  end
  local timeout = given.timeout and core.duration(given.timeout, "tutti.scope: option \"timeout\"")
  return { name = given.name, collect = collect, limit = limit, timeout = timeout }
end

local function check_body(what, f)
  local meta = type(f) ~= "function" and getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    core.usage(("%s: a function was expected, got %s"):format(what, type(f)), 3)
  end
end

-- Outside any task (stock lua5.4) the scope is a task of its own, and the caller runs the loop.
local function run(checked, f, ...)
  if core.current() then
    return core.scope(checked, f, ...)
  end
  return core.start({ name = checked.name, quiet = true }, core.scope, checked, f, ...):await()
end

--- Run f(s); what is started in it ends before it returns. tutti.scope([opts,] f)
---@async
function scope.scope(given, f)
  if type(given) == "function" or f == nil and type(given) ~= "table" then
    given, f = {}, given
  elseif type(given) ~= "table" then
    core.usage(("tutti.scope: options must be a table, got %s"):format(type(given)), 2)
  end
  local checked = check_options(given)
  check_body("tutti.scope", f)
  return run(checked, f)
end

--- Run f(...) with a time limit; what it started is cancelled and joined then. Raises kind "timeout".
---@async
function scope.timeout(limit, f, ...)
  local seconds = core.duration(limit, "tutti.timeout")
  check_body("tutti.timeout", f)
  return run({ name = "tutti.timeout", timeout = seconds, plain = true }, f, ...)
end

--- Run f(...) although the task has been cancelled, for cleanup that awaits. The time limit is mandatory.
---@async
function scope.shield(limit, f, ...)
  local seconds = core.duration(limit, "tutti.shield")
  check_body("tutti.shield", f)
  return run({ name = "tutti.shield", timeout = seconds, shield = true, plain = true }, f, ...)
end

-- ---- methods of the handle -----------------------------------------------------------------

local function method(what, load)
  local start
  core.scope_methods[what] = function(self, ...)
    start = start or load(require("tutti"))
    core.scope_turn(self, what)
    return core.scope_start(self, what, start, ...)
  end
end

method("spawn", function() return core.spawn end)
method("parallel", function() return core.parallel end)
method("task", function(tutti) return tutti.task end)
method("exec", function(tutti) return tutti.exec end)

return scope
