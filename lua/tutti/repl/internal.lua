-- SPDX-License-Identifier: MIT
--- What the prompt keeps to itself: the tasks that it makes for its own use, which :tasks does not show.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: no task that runs a line of the user is in here.
---@module "tutti.repl.internal"

return {
  --- Task -> true.
  tasks = setmetatable({}, { __mode = "k" }),
}
