-- SPDX-License-Identifier: MIT
--- Says, in the program, what went wrong in each run of a graph when it ends.
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: nothing else of the report is loaded before something has failed.
---@module "tutti.report.listen"
local say = require("tutti.say")
local session = require("tutti.session")
local watch = require("tutti.watch")

local listen = {}

-- The line that runs parts of this graph again: there is one if the script has returned it.
local function command_for(run)
  return run.graph == session.graph and require("tutti.report.rerun").command(session) or nil
end

-- What ends because its output is not read any more ends in silence.
local NO_READER = "nobody reads the output any more"

local listener = {}

function listener.run_ends(run, result)
  local counts = run.counts
  if counts.failed == 0 and (counts.cancelled == 0 or run.why_cancelled == NO_READER) then
    return
  end
  run.reported = true
  say(require("tutti.report").text(run, result, {
    width = session.width and session.width(),
    colours = session.color,
    quiet = session.quiet,
    verbose = session.verbose,
    command = command_for(run),
  }), true)
end

local is_on

--- Listen to runs from now on; later calls do nothing.
function listen.start()
  if session.is_program and not is_on then
    is_on = true
    watch.add(listener)
  end
end

return listen
