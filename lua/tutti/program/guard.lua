-- SPDX-License-Identifier: MIT
--- Refuses what would start something or change a file, for a script that is only asked what it would do.
---
--- Layer: lua. Thread: the program's loop state, before the script runs.
--- Invariant: every function of tutti that starts a task or a program, or changes a file, is in a list
--- here; plain io and os calls of the script are its own affair.
---@module "tutti.program.guard"
local core = require("tutti.core")

local guard = {}

local STARTS = { "spawn", "parallel", "task", "native", "exec", "sh", "every", "signal", "map", "reduce",
  "supervisor", "testing" }
local CHANGES = { "write", "append", "mkdir", "remove" }
-- Behind recipes, scopes and whatever took a function before.
local INNER = { "start", "start_parallel", "start_native", "start_under", "exec", "spawn", "parallel",
  "scope_start", "fs_write", "fs_append", "fs_mkdir", "fs_remove" }

--- Let `stop(what, level)` take the place of each; it does not return.
function guard.install(stop)
  local tutti = require("tutti")
  for _, name in ipairs(INNER) do
    core[name] = function()
      stop("a recipe or a scope", 2)
    end
  end
  for _, name in ipairs(STARTS) do
    tutti[name] = function()
      stop("tutti." .. name, 2)
    end
  end
  for _, name in ipairs({ "spawn", "parallel", "task", "exec" }) do
    core.scope_methods[name] = function()
      stop("s:" .. name, 2)
    end
  end
  for _, name in ipairs(CHANGES) do
    tutti.fs[name] = function()
      stop("tutti.fs." .. name, 2)
    end
  end
end

return guard
