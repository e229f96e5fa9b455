-- SPDX-License-Identifier: MIT
--- Traces: which task ran when on which thread, in a file that https://ui.perfetto.dev opens.
---
---     local trace = require("tutti.repl.trace")
---     trace.on("run.json")
---     ...
---     trace.off()            --> how many events, how many were lost, why
---
--- Each run of a task, from a wait to the next, is a slice on the row of its thread; each task is a row of
--- its own from its first run to its end, and so are programs and C functions from their start. The events
--- are written while it goes on, also those of pool threads, until `off` or the end of the engine.
---
--- Layer: the Lua half. Thread: any state's home.
---@module "tutti.repl.trace"
local core = require("tutti.core")

local trace = {}

local BEGUN_MAX = 100000 -- tasks that go on already: so many have a row from the begin of the trace

--- Begin. Raises `usage` if a trace is on already, `io` if there can be no such file.
---@param path string
function trace.on(path)
  if type(path) ~= "string" or path == "" then
    core.usage(("trace.on: the name of a file was expected, got %s"):format(type(path)), 2)
  end
  local ok, why = core.trace_on(path)
  if not ok then
    core.usage(("trace.on: \"%s\": %s"):format(path, why), 2)
  end
  for _, node in ipairs(core.tree(BEGUN_MAX)) do
    if node.kind == "task" and node.task ~= core.current() then
      core.trace_begun(node.task)
    end
  end
end

--- End it.
---@return integer? events # nil: none was on
---@return integer? lost # that could not be written
---@return string? why
function trace.off()
  return core.trace_off()
end

return trace
