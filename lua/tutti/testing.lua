-- SPDX-License-Identifier: MIT
--- tutti.testing: run a function as the root of a world of its own, with one thread, a clock that jumps and
--- chance from a seed. The C half is engine/lua/testing.c.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.testing"
local core = require("tutti.core")
local errors = require("tutti.errors")
local options = require("tutti.options")

local WHAT = "tutti.testing"
local KNOWN = { seed = true, name = true }
local WAITS_SHOWN = 20

-- ---- options -------------------------------------------------------------------------------

local function check_place(level)
  if core.is_worker then
    core.usage(WHAT .. ": a pool task cannot begin a test: its pool would be the one it runs on; "
      .. "begin it in the script's own state", level + 1)
  elseif core.is_testing() then
    core.usage(WHAT .. ": a test runs already: tests do not nest; start tasks in it, or run the two one "
      .. "after the other", level + 1)
  end
end

local function check(given, f, level)
  if type(given) ~= "table" or core.is_task(given) then
    core.usage(("%s: a table of options { seed = 1 } and a function were expected, got %s")
      :format(WHAT, type(given)), level + 1)
  end
  options.check(WHAT, given, KNOWN, level + 1)
  options.check_type(WHAT, given, "name", "string", level + 1)
  local seed = given.seed == nil and 1 or given.seed
  if math.type(seed) ~= "integer" then
    core.usage(("%s: option \"seed\" must be an integer, got %s"):format(WHAT, tostring(seed)), level + 1)
  end
  if type(f) ~= "function" then
    core.usage(("%s: a function was expected as second argument, got %s"):format(WHAT, type(f)), level + 1)
  end
  return { seed = seed, name = given.name or "test" }
end

-- ---- the outcome ---------------------------------------------------------------------------

-- Nothing is ready, no timer is armed, and yet there are tasks: say what each waits for.
local function raise_stuck(waits)
  local lines = { #waits == 1 and "1 task waits for what can never come:"
    or ("%d tasks wait for what can never come:"):format(#waits) }
  for i = 1, math.min(#waits, WAITS_SHOWN) do
    lines[#lines + 1] = "  " .. waits[i]
  end
  if #waits > WAITS_SHOWN then
    lines[#lines + 1] = ("  and %d more"):format(#waits - WAITS_SHOWN)
  end
  local message = WHAT .. ": " .. table.concat(lines, "\n")
  error(errors.new({ kind = "cycle", message = message, waits = waits }), 0)
end

local function finish(waits, failed, ok, ...)
  if waits then
    raise_stuck(waits)
  elseif not ok then
    error((...), 0)
  end
  errors.raise_unowned(failed)
  return ...
end

--- tutti.testing({ seed = 1 }, f, ...): run f(...) as root task in this state on one thread with a virtual
--- clock, until it and all it started have ended; return its results, or raise its error.
---@param given table # seed (an integer, 1 if not given), name
---@param f function
local function testing(given, f, ...)
  check_place(2)
  return finish(core.testing(check(given, f, 2), f, ...))
end

return { exports = { testing = testing } }
