-- SPDX-License-Identifier: MIT
--- Tells people, while runs of graphs go on, how far they are: the live view, plain lines, or JSON events.
---
---     require("tutti.progress").start()      -- by whoever begins the first run; later calls do nothing
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: in a library, with `-q` (of which the command line makes "none") and with --progress=none
--- nothing listens and nothing is loaded.
---@module "tutti.progress"
local session = require("tutti.session")

local progress = {}

local MODULES = {
  tty = "tutti.progress.live",
  plain = "tutti.progress.plain",
  json = "tutti.progress.events",
}

--- Listen to runs from now on, as the command line asked for.
function progress.start()
  local name = MODULES[session.progress]
  progress.start = function() end
  if session.is_program and name then
    require("tutti.watch").add(require(name))
  end
end

return progress
