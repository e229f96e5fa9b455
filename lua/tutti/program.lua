-- SPDX-License-Identifier: MIT
--- What the program does with the graph of a script: runs one that is returned; lists or plans one in
--- place of running it.
---
--- Layer: lua. Thread: the program's loop state.
--- Invariant: with session.guard set, nothing is started through tutti and no file changed.
---@module "tutti.program"
local core = require("tutti.core")
local errors = require("tutti.errors")
local options = require("tutti.options")
local say = require("tutti.say")
local session = require("tutti.session")

local program = {}

local GOOD, BAD_USAGE, WRONG = 0, 2, 3

-- What was asked for in place of running, for messages and decisions.
local function asked()
  if session.plan then
    return "plan"
  elseif session.list then
    return "list"
  end
  return session.help and "help" or nil
end

local COMMAND = { plan = "tutti plan", list = "tutti run --list", help = "tutti run FILE --help" }

-- End the script; what it has begun is cancelled and joined.
local function finish(status)
  os.exit(status)
end

local function refuse(message)
  say(("tutti: %s\n"):format(message))
  finish(BAD_USAGE)
end

-- ---- selectors -----------------------------------------------------------------------------

-- A word that spells a task, with + and ! before it and + behind it, means that task whatever is in its name.
local function part_of(graph, word)
  local head, name, tail = "", word, ""
  if not graph.by_name[word] then
    head, name, tail = word:match("^([+!]*)(.-)(%+?)$")
  end
  if not graph.by_name[name] or name:find("^[%w_]+$") then
    return word
  end
  return head .. require("tutti.grammar.selector").format({ kind = "name", name = name }) .. tail
end

-- The words of the command line as one selector, or nil for all.
local function selector_of(graph, words)
  local parts = {}
  for i, word in ipairs(words) do
    parts[i] = part_of(graph, word)
  end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

-- Selectors that do not parse or name nothing are a wrong command line.
local function check_selector(graph, selector)
  local ok, err = pcall(graph.plan, graph, selector)
  if ok then
    return err
  end
  graph:plan() -- what is wrong with the graph itself is no fault of the command line
  refuse(("%s: %s"):format(session.file or "-e", tostring(err.message or err)))
end

-- Arguments are given, and nothing has asked for any. Behind FILE they may be words of the script's own.
local function check_args(count)
  if count > 0 and not package.loaded["tutti.args"] then
    refuse(("--arg %s: %s declares no arguments (tutti.args)"):format(session.args[1], session.file or "-e"))
  end
end

-- ---- in place of running -------------------------------------------------------------------

-- Print what was asked for of a graph and end the script.
local function show(graph, plan, selector)
  local shown = require("tutti.program.show")
  local what = asked()
  if what == "plan" then
    shown.plan(plan, session.plan, selector)
  elseif what == "list" then
    shown.list(plan)
  else
    require("tutti.program.help").print(graph)
  end
  io.stdout:flush()
  finish(GOOD)
end

-- g:run(given) of a script that is guarded; a selector may be a list of names.
local function instead_of_run(graph, given)
  check_args(session.early_args)
  local selector = given
  if type(given) == "table" then
    selector = #given > 1 and table.move(given, 1, #given, 1, {}) or given[1]
  end
  show(graph, graph:plan(selector), selector)
end

--- From now on nothing is to run: g:run shows its graph, other starts are refused.
function program.guard()
  session.guard = instead_of_run
  require("tutti.program.guard").install(function(what, level)
    if asked() == "help" then
      require("tutti.program.help").print()
      io.stdout:flush()
      finish(GOOD)
    end
    core.usage(("%s: %s runs nothing: do this inside a task of the graph")
      :format(what, COMMAND[asked()]), level + 1)
  end)
  program.watch()
end

--- From now on program.returned is told what the script returns, also of one that makes no graph.
function program.watch()
  core.helper("script_returned", program.returned)
end

-- ---- a graph that was returned -------------------------------------------------------------

-- What the words behind FILE say counts, now that it is known whom they are for.
local function take_late()
  local late = session.late
  if late.problem then
    refuse(("%s (behind %s, which returned a graph)"):format(late.problem, session.file or "-e"))
  end
  check_args(#session.args)
  session.jobs = late.jobs or session.jobs
  session.list = session.list or late.list
  session.plan = session.plan and late.plan or session.plan
  return late.words
end

-- The script has ended without a graph.
local function without_graph()
  check_args(session.early_args)
  local what = asked()
  if what == "help" then
    return session.guard and require("tutti.program.help").print()
  elseif what then
    say(("tutti: %s: \"%s\" neither calls g:run nor returns a graph\n")
      :format(COMMAND[what], session.file or "-e"))
    finish(WRONG)
  end
end

-- Failures of a run of whose result nobody reads anything end the program with 1, as they do in scripts.
-- Tasks that were cancelled while none failed would leave it with 0.
local function run_whole(graph, selector)
  local counts = graph:run({ selector }):await().run.counts
  if counts.failed == 0 and counts.cancelled > 0 then
    error(errors.new({ kind = "cancelled", message = ("graph \"%s\": %d task%s cancelled"):format(graph.name,
      counts.cancelled, counts.cancelled == 1 and " was" or "s were") }), 0)
  end
end

--- What the script returned: a graph is run, listed or planned, in the script's own task.
---@async
function program.returned(value)
  if not (options.is_graph and options.is_graph(value)) then
    return without_graph()
  end
  local selector = selector_of(value, take_late())
  session.selector = selector
  local plan = selector and check_selector(value, selector) or value:plan()
  if asked() then
    show(value, plan, selector)
  end
  session.graph = value
  run_whole(value, selector)
end

return program
