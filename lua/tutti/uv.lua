-- SPDX-License-Identifier: MIT
--- luv on the engine's own loop, and tutti.await(f, ...) for its functions that take a callback.
---
--- All of luv is here but what would run or end the loop itself. uv.spawn keeps luv's ways: it forks,
--- and libuv then watches SIGCHLD; tutti.exec does neither.
---@module "tutti.uv"
local core = require("tutti.core")

-- From core.usage to the line that first says tutti.uv; see FIRST_USE_LEVEL in engine/lua/uv.c.
local FIRST_USE_LEVEL = 4

if core.is_worker then
  core.usage("tutti.uv: luv runs on the engine's loop and belongs to the script's state; in a pool task use "
    .. "tutti.fs, tutti.exec and tutti.sleep, or do this part in a task of the script", FIRST_USE_LEVEL)
end

local luv = core.uv_open()

-- ---- refused -------------------------------------------------------------------------------

local REFUSED = {
  run = "the engine runs the loop: await what you wait for, or call tutti.run() outside tasks",
  stop = "the engine runs the loop: end the tasks instead",
  walk = "the loop has handles of the engine that luv knows nothing of",
  loop_close = "the loop belongs to the engine, which closes it when it ends",
}

local function refuse(name, reason)
  return function()
    core.usage(("tutti.uv.%s is refused: %s"):format(name, reason), 2)
  end
end

-- ---- what makes handles --------------------------------------------------------------------

-- Each new handle gets a guard that is younger than it: finalisers run youngest first, so at the end of
-- the state the guard closes the handle before luv frees it.
local function with_guard(...)
  core.uv_guard()
  return ...
end

local function guarded(make)
  return function(...)
    return with_guard(make(...))
  end
end

local uv = {}
for name, value in pairs(luv) do
  local makes_handle = type(value) == "function" and (name:find("^new_") or name == "spawn")
  uv[name] = makes_handle and guarded(value) or value
end
for name, reason in pairs(REFUSED) do
  uv[name] = refuse(name, reason)
end
core.uv_guard() -- requests without a handle, as of uv.fs_stat, need one as well

-- ---- errors of raw callbacks ---------------------------------------------------------------

--- Called with what a raw callback raised: a task that fails with it, and that nobody awaits, so it is
--- said at once and counts in the exit status.
core.helper("callback_failed", function(err)
  core.start({ name = "luv callback", detach = true, level = 0 }, error, err, 0)
end)

return { exports = { uv = uv }, await = core.uv_await }
