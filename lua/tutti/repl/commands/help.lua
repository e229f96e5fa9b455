-- SPDX-License-Identifier: MIT
--- :help
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands.help"
local commands = require("tutti.repl.commands")
local options = require("tutti.options")

local help = {}

local topics = {}
help.topics = topics

topics.locals = [[
A local that a line declares at its top level is there in later lines, the same variable: a closure that
captured it sees what later lines assign to it, and they see what the closure assigns.

  tutti> local n = 1
  tutti> function more() n = n + 1 end
  tutti> more() n
  2

* Declaring the name again makes a new variable; closures of earlier lines keep the old one.
* <const> stays constant: a later line that assigns to it does not compile.
* <close> is closed when the line's function ends, and is not kept.
* Locals inside do, if, loops and functions end with them, as ever. A goto reaches its own line only, and
  what a line declares behind a goto that jumps over it ends with that line.
* There may be any number of locals; one line can use 190 of earlier lines.
* A line that fails keeps what it had assigned to earlier locals, and none of those it declares.
* `_` is the first value of the last line that gave one, `__` is a table of all of them.
* Globals belong to the Lua state: all prompts and all files share them.]]

topics.background = [[
Each line is a task of the prompt. While its function runs it holds the prompt; what it started goes on.

  tutti> job = tutti.exec{ "make" }     returns at once; make goes on
  tutti> job:await()                    waits for it; other tasks go on meanwhile
  tutti> slow() &                       the line itself goes to the background: [3] running
  [3] done (1.2 s): 42

* :tasks shows what goes on, :why T what a task waits for, :cancel T ends one.
  T is the number of a line (3 or [3]), a task's id or name, or an expression that gives a task.
* A failure that nobody awaits is told once, when it happens; await raises it as ever.
* Ctrl-C cancels the line that holds the prompt and what it started, never what is in the background.
* A task of the prompt's state that runs and runs gives the turn to others after 10 ms.
* Ctrl-D leaves: what goes on is listed, and cancelled after a question.]]

topics.keys = [[
Lines are edited with GNU readline, so ~/.inputrc counts; without it the terminal's own keys are there.

  Tab          complete a name, a field, a method, a file in a string, a command, a task's name
  Up, Down     earlier and later lines; an entry of several lines comes back whole
  Ctrl-R       search in earlier lines
  Ctrl-A, E    begin and end of the line;  Ctrl-W a word, Ctrl-U the line back to its begin
  Ctrl-C       at the prompt: drop what is typed; while a line runs: cancel it
  Ctrl-D       on an empty line: leave
  Ctrl-Z       stop the program; fg goes on

An unfinished chunk asks for more behind `>> `. What is pasted is one input, whatever lines it has.]]

local TOPICS_TEXT = { background = "lines that go on, &, Ctrl-C", keys = "what the keys do",
  locals = "how local variables live on from line to line" }

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function command_line(name)
  local command = commands.list[name]
  return ("  %-18s %s"):format((":%s %s"):format(name, command.usage), command.text)
end

local function overview()
  local lines = { "An expression prints its values; `_` is the last one. A line that ends in & goes to the "
    .. "background.", "" }
  for _, name in ipairs(sorted(commands.list)) do
    lines[#lines + 1] = command_line(name)
  end
  lines[#lines + 1] = ""
  for _, name in ipairs(sorted(topics)) do
    lines[#lines + 1] = ("  %-18s %s"):format(":help " .. name, TOPICS_TEXT[name])
  end
  lines[#lines + 1] = "\nT: the number of a line ([3]), a task's id or name, or an expression that gives "
    .. "a task."
  return table.concat(lines, "\n")
end

--- :help [TOPIC]
function help.help(prompt, argument)
  local topic = argument:gsub("^:", "")
  local shown = topic == "" and overview() or topics[topic]
    or commands.list[topic] and command_line(topic):gsub("^ +", "")
  if shown then
    prompt.write(shown .. "\n", "value")
    return
  end
  local known = setmetatable({}, { __index = topics })
  for _, set in ipairs({ topics, commands.list }) do
    for name in pairs(set) do
      known[name] = true
    end
  end
  local near = options.nearest(topic, known)
  return false, ("nothing is known of \"%s\"%s; the topics are %s"):format(topic,
    near and (" (did you mean :help %s?)"):format(near) or "", table.concat(sorted(topics), ", "))
end

return help
