-- SPDX-License-Identifier: MIT
--- The commands of the prompt: lines that begin with a colon.
---
---     commands.run(prompt, ":why server")
---
--- What each does is in a module of its own, `tutti.repl.commands.MODULE`, loaded on first use: a table of
--- functions by the commands' names, called with the prompt and the words behind the name. They run in the
--- line's task, so they may await, and what they raise is shown as a line's error.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands"
local options = require("tutti.options")

local commands = {}

---@class tutti.repl.command
---@field module string
---@field usage string   # what stands behind the name; in [] what may be left out
---@field text string    # one line of help

--- Name -> what it is.
---@type table<string, tutti.repl.command>
commands.list = {
  cancel = { module = "tasks", usage = "T", text = "cancel a task and what it started" },
  doc = { module = "doc", usage = "NAME", text = "what a function of tutti does: :doc tutti.exec" },
  graph = { module = "graph", usage = "[G]", text = "draw a graph, a plan or a run (the latest one)" },
  help = { module = "help", usage = "[TOPIC]", text = "this list, a command, or a topic" },
  load = { module = "code", usage = "FILE", text = "run a file as one chunk; its locals live on" },
  tasks = { module = "tasks", usage = "", text = "the tasks that go on: state, age, what each waits for" },
  time = { module = "code", usage = "EXPR", text = "how long it takes; a task that it gives is awaited" },
  trace = { module = "trace", usage = "on FILE | off", text = "write what runs where to FILE, for Perfetto" },
  type = { module = "code", usage = "EXPR", text = "the types of its values" },
  why = { module = "tasks", usage = "T", text = "what a task waits for, to the root, and whom it holds up" },
}

local function refuse(prompt, message)
  prompt.write(message .. "\n", "error")
  return false
end

-- What people type to leave other prompts.
local LEAVING = { q = true, quit = true, exit = true, bye = true }

--- Run one; what it has to say goes to prompt.write. Raises what it, or an expression in it, raises.
---@async
---@param text string # ":tasks"
---@return boolean ok
function commands.run(prompt, text)
  local name, argument = text:match("^%s*:([%w_]*)%s*(.-)%s*$")
  local command = commands.list[name]
  if not command then
    if LEAVING[name] then
      return refuse(prompt, (":%s: there is no such command; Ctrl-D leaves, or os.exit()"):format(name))
    end
    local near = name ~= "" and options.nearest(name, commands.list)
    return refuse(prompt, (":%s: there is no such command%s; :help lists them"):format(name,
      near and (" (did you mean :%s?)"):format(near) or ""))
  elseif argument == "" and command.usage ~= "" and not command.usage:find("^%[") then
    return refuse(prompt, (":%s: say of what: :%s %s"):format(name, name, command.usage))
  elseif argument ~= "" and command.usage == "" then
    return refuse(prompt, (":%s stands alone, got \"%s\""):format(name, argument))
  end
  local ok, message = require("tutti.repl.commands." .. command.module)[name](prompt, argument)
  if ok == false then
    return refuse(prompt, (":%s: %s"):format(name, message))
  end
  return true
end

return commands
