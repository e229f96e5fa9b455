-- SPDX-License-Identifier: MIT
--- :trace
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands.trace"
local core = require("tutti.core")
local text = require("tutti.repl.text")
local trace = require("tutti.repl.trace")

local command = {}

local path -- of the trace that is on

local function off(prompt)
  local events, lost, why = trace.off()
  if not events then
    return false, "no trace is on"
  elseif lost > 0 or why then
    return false, ("%s: %s events were written, %s were lost: %s"):format(path or "the trace",
      text.count(events), text.count(lost), why or "not enough memory")
  end
  prompt.write(("%s: %s event%s; https://ui.perfetto.dev opens it\n"):format(path or "the trace",
    text.count(events), events == 1 and "" or "s"), "report")
end

--- :trace on FILE | off
function command.trace(prompt, argument)
  if argument == "off" then
    return off(prompt)
  end
  local name = argument:match("^on%s+(.+)$")
  if not name then
    return false, ("\"on FILE\" or \"off\" was expected, got \"%s\""):format(argument)
  end
  name = name:gsub("^~/", (os.getenv("HOME") or "~") .. "/")
  local ok, err = core.protected.pcall(trace.on, name)
  if not ok then
    return false, tostring(err.message):gsub("^.-trace%.on: ", "")
  end
  path = name
  prompt.write(("tracing into %s until :trace off\n"):format(name), "report")
end

return command
