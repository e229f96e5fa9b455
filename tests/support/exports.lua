-- SPDX-License-Identifier: MIT
-- Prints what tutti offers, a line each, for tests/check/meta.lua: name, type, and of a function the number
-- of its parameters ("?" in C) and whether it takes more. Run by `tutti run`.
local core = require("tutti.core")
local tutti = require("tutti")

local function show(name, value)
  local count, more = "-", "-"
  if type(value) == "function" then
    local info = debug.getinfo(value, "Su")
    count = info.what == "C" and "?" or info.nparams
    more = info.what ~= "C" and info.isvararg and "more" or "-"
  end
  print(name, type(value), count, more)
end

local function show_methods(class, methods, known)
  for name, value in pairs(methods) do
    if not name:find("^__") and not (known and known[name]) then
      show(class .. ":" .. name, value)
    end
  end
end

local function show_object(class, object)
  show_methods(class, debug.getmetatable(object))
end

-- What loads on first use stands in a table that only the module's __index knows.
local function late_names()
  local index = getmetatable(tutti).__index
  for i = 1, math.huge do
    local name, value = debug.getupvalue(index, i)
    if name == "LATE" then
      return value
    elseif not name then
      error("tests/support/exports.lua: lua/tutti/init.lua has no LATE any more")
    end
  end
end

for name in pairs(late_names()) do
  show("tutti." .. name, tutti[name])
end
for name, value in pairs(tutti) do
  if not late_names()[name] then
    show("tutti." .. name, value)
  end
end
for name, value in pairs(tutti.fs) do
  show("fs." .. name, value)
end
local plain = { await = 1, pawait = 1, cancel = 1, state = 1, is_done = 1, name = 1, id = 1 }
show_methods("Task", { await = core.task_methods.await, pawait = core.task_methods.pawait,
  cancel = core.task_methods.cancel, state = core.task_methods.state, is_done = core.task_methods.is_done,
  name = core.task_methods.name, id = core.task_methods.id })
show_methods("Supervisor", core.task_methods, plain)
show_methods("Scope", core.scope_methods)
show_object("Channel", tutti.channel())
show_object("Semaphore", tutti.semaphore(1))
show_object("Permit", tutti.semaphore(1):acquire())
show_object("Event", tutti.event())
show_object("Buffer", tutti.buffer(8))
show_object("View", tutti.buffer(8):view("u8"))
show_methods("Recipe", getmetatable(tutti.recipe({ print })))
local graph = tutti.graph("exports")
show_methods("Graph", getmetatable(graph).__index)
show_methods("Plan", require("tutti.graph.plan").methods)
show_methods("Run", require("tutti.graph.run").methods, { granted = 1, hold = 1 })
show_methods("Result", require("tutti.graph.result").methods)
