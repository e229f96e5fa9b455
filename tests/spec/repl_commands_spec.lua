-- SPDX-License-Identifier: MIT
-- The commands of the prompt.
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local commands = require("tutti.repl.commands")
local repl = require("tutti.repl")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

-- A prompt whose texts are kept: ask(text) -> what was written since, outcome.
local function new_prompt(color, width)
  local parts = {}
  local prompt = repl.new({ write = function(text) parts[#parts + 1] = text end,
    width = function() return width or 120 end, color = color })
  local function ask(text)
    parts = {}
    local outcome = prompt:feed(text)
    return table.concat(parts), outcome
  end
  ask("tutti = require('tutti')")
  return ask, setmetatable({ prompt = prompt }, { __close = function() prompt:close() end })
end

-- Numbers of seconds as "N s".
local function without_times(text)
  return (text:gsub("%d+%.%d s", "N s"))
end

-- Until the task stands at what it waits for.
local function settle_down()
  for _ = 1, 20 do
    tutti.sleep(0.001)
  end
end

describe("a command", function()
  local ask = new_prompt()

  it("that is not known names the nearest, and is not ok", function()
    local text, outcome = ask(":tsks")
    assert.equal(":tsks: there is no such command (did you mean :tasks?); :help lists them\n", text)
    assert.same({ kind = "command", ok = false }, outcome)
  end)

  it("says what it wants behind its name", function()
    assert.equal(":why: say of what: :why T\n", (ask(":why")))
    assert.equal(":tasks stands alone, got \"3\"\n", (ask(":tasks 3")))
    local _, outcome = ask(":help")
    assert.same({ kind = "command", ok = true }, outcome)
  end)

  it("is in the help, each", function()
    local text = ask(":help")
    for name, command in pairs(commands.list) do
      assert.truthy(text:find((":%s %s"):format(name, command.usage):gsub(" $", ""), 1, true), name)
      assert.truthy(require("tutti.repl.commands." .. command.module)[name], name)
    end
  end)

  it(":help knows topics and commands", function()
    for _, topic in ipairs({ "locals", "background", "keys" }) do
      local text, outcome = ask(":help " .. topic)
      assert.is_true(outcome.ok)
      assert.is_true(#text > 300)
    end
    assert.matches("^:why T +what a task waits for", (ask(":help :why")))
    assert.matches("did you mean :help locals%?", (ask(":help local")))
  end)

  it(":help locals says what holds", function()
    ask("local n = 1")
    ask("function more() n = n + 1 end")
    ask("more()")
    assert.equal("2\n", (ask("n")))
    ask("local fixed <const> = 3")
    local _, outcome = ask("fixed = 4")
    assert.is_true(outcome.is_syntax)
  end)
end)

describe(":type, :time and :load", function()
  it("say types, times, and run a file whose locals live on", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    assert.equal("integer, float, string of 1 byte, function (C), table, nil\n",
      ask(":type 1, 2.5, 'x', print, {}, nil"))
    assert.equal("table (Point)\n", (ask(":type setmetatable({}, { __name = 'Point' })")))
    assert.equal("no values\n", (ask(":type (function() end)()")))
    assert.matches("^5\n%d+%.?%d* [um]?s until the task had ended, .* of CPU time of all threads\n$",
      ask(":time tutti.spawn(function() tutti.sleep(0.001) return 5 end)"))
    assert.matches("^3\n%d+%.?%d* [um]?s, %d+%.?%d* [um]?s of CPU", (ask(":time 1 + 2")))
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("#!/usr/bin/env tutti\nlocal loaded = 5\nglobal_of_file = loaded + 1\nreturn loaded\n")
    file:close()
    assert.equal("5\n", (ask(":load " .. path)))
    assert.equal("5\t6\n", (ask("loaded, global_of_file")))
    file = assert(io.open(path, "w"))
    file:write("local x = 1\nerror('here')\n")
    file:close()
    assert.truthy(ask(":load " .. path):find(path .. ":2: here", 1, true))
    os.remove(path)
    assert.matches("No such file or directory", (ask(":load " .. path)))
    global_of_file = nil -- luacheck: ignore
  end)

  it("show what an expression raises", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    local text, outcome = ask(":time error('went wrong')")
    assert.matches("^%(prompt 2%):1: went wrong", text)
    assert.equal("command", outcome.kind)
    assert.is_false(outcome.ok)
    assert.matches("^%(prompt 3%):1: .*expected", (ask(":type 1 +")))
  end)
end)

describe(":tasks", function()
  it("shows the tree of what goes on, and nothing of the prompt's own", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("gate = tutti.event()")
    ask("first = tutti.spawn({ name = 'first' }, function() gate:wait() end)")
    ask("tutti.scope({ name = 'a scope' }, function(s) s:spawn({ name = 'inner' }, function() "
      .. "gate:wait() end) end) &")
    ask("program = tutti.exec{ 'sleep', '60' }")
    settle_down()
    local text = without_times(ask(":tasks"))
    local lines = {}
    for line in text:gmatch("[^\n]+") do
      lines[#lines + 1] = line:gsub(" +", " "):gsub("%] %d+", "]"):gsub("─ %d+", "─")
    end
    local function has(wanted)
      for i, line in ipairs(lines) do
        if line:find(wanted, 1, true) then
          return i
        end
      end
      error(wanted .. " is not in\n" .. table.concat(lines, "\n"))
    end
    assert.equal(has("[3] first = tutti.spawn({ name = 'first' },… suspended N s waits for children (1)") + 1,
      has("└─ first suspended N s waits for event:wait, at (prompt 3):1"))
    assert.equal(has("[4] tutti.scope({ name = 'a scope' }, funct… suspended N s waits for scope") + 2,
      has("└─ inner suspended N s waits for event:wait, at (prompt 4):1"))
    has("└─ process sleep running N s at (prompt 5):1")
    assert.falsy(text:find(":tasks", 1, true))
    assert.falsy(text:find(" prompt ", 1, true))
  end)

  it("of very many tasks shows some, and how many are left out", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("gate = tutti.event()")
    ask("for i = 1, 1000 do tutti.spawn({ name = 'many ' .. i }, function() gate:wait() end) end")
    local text = ask(":tasks")
    assert.matches("many 30 ", text)
    assert.falsy(text:find("many 31 ", 1, true))
    assert.matches("%.%.%. 970 more\n", text)
  end)
end)

describe(":why and :cancel", function()
  it("tell the chain to the root and whom it holds up", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("gate = tutti.event()")
    ask("a = tutti.spawn({ name = 'a' }, function() gate:wait() end)")
    ask("b = tutti.spawn({ name = 'b' }, function() a:await() end)")
    ask("c = tutti.task{ name = 'c', after = { b, a }, function() end }")
    settle_down()
    local text = without_times(ask(":why c")):gsub("task %d+", "task")
    assert.equal([[
task "c" waiting N s, at (prompt 5):1
  waits for task "b" suspended N s, at (prompt 4):1 (and 1 more)
    waits for task "a" suspended N s, at (prompt 3):1
      waits for event:wait
  holds up:
    task "c = tutti.task{ name = 'c', after = { b,..." suspended N s
]], text)
    text = without_times(ask(":why a")):gsub("task %d+", "task")
    assert.matches("\n  waits for event:wait\n  holds up, 5 in all:\n    task \"b\" suspended", text)
    ask("gate:set()")
    ask("c:await()")
    assert.matches("^task %d+ \"a\" done, at %(prompt 3%):1\n$", (ask(":why a")))
  end)

  it("take a line's number, an id, a name or an expression", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("list = { tutti.spawn({ name = 'by name' }, function() tutti.sleep(600) end) }")
    ask("tutti.sleep(600) &")
    local id = select(2, ask("return list[1]:id()"))[1]
    for _, word in ipairs({ "by name", tostring(id), "list[1]", "'by name'" }) do
      assert.matches(("^task %d \"by name\""):format(id), ask(":why " .. word), 1, false, word)
    end
    assert.matches("^task %d+ \"tutti.sleep%(600%) &\"", (ask(":why [3]")))
    assert.matches("^task %d+ \"tutti.sleep%(600%) &\"", (ask(":why 3")))
    assert.equal(":why: no line [77] goes on\n", (ask(":why [77]")))
    assert.equal(":why: there is neither a line [777777] nor a task 777777 that goes on\n",
      (ask(":why 777777")))
    assert.matches("no task that goes on is called \"by nam\" %(did you mean \"by name\"%?%), and as an "
      .. "expression it gives none", ask(":why by nam"))
    ask("list[2] = tutti.spawn({ name = 'by name' }, function() tutti.sleep(600) end)")
    assert.matches("2 tasks are called \"by name\": say which by its id %(%d+, %d+%)", (ask(":why by name")))
    assert.matches("^cancelled task %d+ \"tutti.sleep%(600%) &\"\n", (ask(":cancel 3")))
    assert.matches("^cancelled task %d+ \"by name\"\n", (ask(":cancel list[1]")))
    assert.matches("it has ended already\n$", (ask(":cancel list[1]")))
  end)

  it("follow the tasks of a graph", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("gate = tutti.event()")
    ask("g = tutti.graph('build')")
    ask("g:task('base', function() gate:wait() end)")
    ask("g:task('other', { needs = { 'base' } }, function() end)")
    ask("g:task('top', { needs = { 'other', 'base' } }, function() end)")
    ask("run = g:run()")
    settle_down()
    local text = without_times(ask(":why top")):gsub("task %d+", "task")
    assert.matches("^task \"top\" waiting N s, at %(prompt 6%):1\n"
      .. "  waits for task \"base\" suspended N s, at %(prompt 4%):1 %(and 1 more%)\n"
      .. "    waits for event:wait\n  holds up nobody\n$", text)
    assert.matches("\n  waits for task %d+ \"base\"", (ask(":why run")))
    text = without_times(ask(":why base"))
    assert.truthy(text:find("holds up:\n    task \"other\" waiting, of graph \"build\"\n    task ", 1, true))
    ask("gate:set()")
    ask("run:await()")
  end)
end)

describe(":graph", function()
  local DECLARE = "g = tutti.graph('deploy'); g:task('assets', function() end); "
    .. "g:task('db', function() end); g:task('server', { needs = { 'db', 'assets' } }, function() end); "
    .. "g:task('client', { needs = { 'assets' } }, function() end); "
    .. "g:task('tests', { needs = { 'server', 'client', 'db' } }, function() end)"

  it("draws a plan", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask(DECLARE)
    assert.equal([[
plan of graph "deploy" (5 tasks in 3 steps)
○ assets
├─╮
│ ○ client
│ │ ○ db
├─┼─╯
○ │ server
╰─┤
  ○ tests
]], ask(":graph g"))
    assert.equal(ask(":graph g"), (ask(":graph g:plan()")))
  end)

  it("draws nothing right below what it does not need", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("g = tutti.graph('apart'); for i = 1, 3 do g:task('t' .. i, function() end) end; "
      .. "g:task('z', { needs = { 't2' } }, function() end)")
    assert.equal([[
plan of graph "apart" (4 tasks in 2 steps)
○ t1
  ○ t2
  ○ z
○ t3
]], ask(":graph g"))
  end)

  it("draws the latest run with its states", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask(DECLARE)
    ask("r = g:run():await()")
    assert.equal([[
run of graph "deploy" (0 of 5 tasks left)
● assets    done N s
├─╮
│ ● client  done N s
│ │ ● db    done N s
├─┼─╯
● │ server  done N s
╰─┤
  ● tests   done N s
]], without_times(ask(":graph")):gsub("^run %d+", "run"))
    assert.equal(without_times(ask(":graph")), without_times(ask(":graph r")))
  end)

  it("of more tasks than can be drawn gives numbers by step", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    ask("g = tutti.graph('wide'); for i = 1, 40 do g:task('t' .. i, { needs = i > 30 and { 't1' } or nil }, "
      .. "function() end) end")
    assert.equal("plan of graph \"wide\" (40 tasks in 2 steps)\n  step 1          30 tasks\n"
      .. "  step 2          10 tasks\n", ask(":graph g"))
    ask("r = g:run()")
    ask("r:await()")
    assert.matches("step 2 +10 tasks  10 done\n$", (ask(":graph r")))
  end)

  it("draws every edge of random graphs, in rows that fit together", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    local seed = os.time()
    math.randomseed(seed)
    for round = 1, build.times(30) do
      g = tutti.graph("random") -- luacheck: ignore
      local total, edges = math.random(1, 30), 0
      for i = 1, total do
        local needs, chosen = {}, {}
        for _ = 1, math.random(0, 4) do
          local need = i > 1 and math.random(1, i - 1)
          if need and not chosen[need] then
            chosen[need], edges = true, edges + 1
            needs[#needs + 1] = "t" .. need
          end
        end
        g:task("t" .. i, { needs = needs }, function() end) -- luacheck: ignore
      end
      local text, outcome = ask(":graph g")
      assert.is_true(outcome.ok, ("seed %d, round %d"):format(seed, round))
      -- Above and below each other the halves of rails meet, but for rails that begin or end at a task.
      local up = { ["│"] = true, ["├"] = true, ["┤"] = true, ["┼"] = true, ["┴"] = true, ["╯"] = true,
        ["╰"] = true }
      local down = { ["│"] = true, ["├"] = true, ["┤"] = true, ["┼"] = true, ["┬"] = true, ["╮"] = true,
        ["╭"] = true }
      local above = {}
      for line in text:gsub("^[^\n]*\n", ""):gmatch("[^\n]+") do
        local row, c, is_name = {}, 0, false
        for _, code in utf8.codes(line) do
          local char = utf8.char(code)
          is_name = is_name or char == "t"
          row[c], c = not is_name and char or " ", c + 1
        end
        for column, char in pairs(row) do
          local over = above[column] or " "
          local where = ("seed %d, round %d\n%s"):format(seed, round, text)
          if up[char] then
            assert.is_true(down[over] or over == "○", where)
          end
        end
        for column, char in pairs(above) do
          local under = row[column] or " "
          if down[char] then
            assert.is_true(up[under] or under == "○", ("seed %d, round %d\n%s"):format(seed, round, text))
          end
        end
        above = row
      end
    end
    g = nil -- luacheck: ignore
  end)

  it("says what it wants, and what is wrong with a graph", function()
    local ask, closing = new_prompt()
    local _ <close> = closing
    assert.equal(":graph: a graph, a plan, a run or its result was expected, got 3\n", (ask(":graph 3")))
    ask("g = tutti.graph('round'):task('a', { needs = { 'b' } }, print)")
    ask("g:task('b', { needs = { 'a' } }, print)")
    assert.matches("\"a\" .* \"b\"", (ask(":graph g")))
  end)
end)

describe(":doc", function()
  local ask = new_prompt()

  it("says what is written of a function or a type", function()
    local text = ask(":doc tutti.exec")
    assert.matches("^tutti%.exec%(spec%)\nStart a program, never through a shell", text)
    assert.matches("\n  spec tutti%.ExecOptions\n  %-> tutti%.Task\n$", text)
    assert.equal(text, (ask(":doc exec")))
    assert.equal(text, (ask(":doc tutti.exec()")))
    assert.matches("^Task:await%(%)\n", (ask(":doc task.await")))
    assert.matches("^tutti%.fs%.glob%(pattern%)\n", (ask(":doc tutti.fs.glob")))
    assert.matches("^tutti%.ExecOptions\n.*\n  cwd%? string\n", (ask(":doc ExecOptions")))
    assert.matches("nothing is written of \"exce\" %(did you mean \"tutti%.exec\"%?%)", (ask(":doc exce")))
  end)

  it("is as wide as the terminal", function()
    for _, width in ipairs({ 40, 60, 100 }) do
      local text = new_prompt(false, width)(":doc tutti.exec")
      local longest = 0
      for line in text:gmatch("[^\n]+") do
        longest = math.max(longest, utf8.len(line))
      end
      assert.is_true(longest <= width and longest > width - 20, text)
      assert.equal((ask(":doc tutti.exec")):gsub("%s+", " "), (text:gsub("%s+", " ")))
      assert.matches("\n  %-> tutti%.Task\n$", text)
    end
  end)

  it("knows every function of tutti", function()
    for _, name in ipairs({ "spawn", "parallel", "task", "native", "recipe", "all", "any", "race", "settle",
      "completed", "map", "reduce", "scope", "timeout", "shield", "defer", "sleep", "now", "every", "signal",
      "channel", "semaphore", "event", "buffer", "register", "exec", "sh", "supervisor", "graph", "tasks",
      "stats", "testing", "args", "current", "current_run", "checkpoint", "cancelled", "run", "await" }) do
      assert.matches("^tutti%." .. name .. "%(", ask(":doc " .. name), 1, false, name)
    end
  end)
end)
