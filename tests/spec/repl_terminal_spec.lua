-- SPDX-License-Identifier: MIT
-- The prompt at a terminal: what its keys do, who has the terminal when, and how it is left.
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")

local PROMPT = "tutti>\n$"

local function new_folder()
  local folder = program.folder({})
  return setmetatable({ path = folder }, { __close = function() program.remove(folder) end })
end

local function environment(folder, more)
  local all = { XDG_STATE_HOME = folder, INPUTRC = "/dev/null" }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

-- Show a prompt with these options to `look`.
local function see(look, options)
  options = options or {}
  local folder <close> = new_folder()
  options.env = environment(folder.path, options.env)
  local s <close> = screen.start({ program.path, "repl", table.unpack(options) }, options)
  s:wait_for(PROMPT)
  look(s, folder.path)
end

-- Type a line, and wait for what comes of it and for the next prompt.
local function enter(s, line, expected)
  s:type(line .. "\n")
  return s:wait_for((expected or "") .. "\ntutti>\n$")
end

describe("the prompt's keys", function()
  it("run a line, and ask for more of one that is not complete", function()
    see(function(s)
      enter(s, "1 + 1", "\n2")
      -- What is typed before the prompt is back the terminal shows as well, as with any other prompt.
      s:type("for i = 1, 2 do\n")
      s:wait_for("do\n>>\n$")
      s:type("print(i * 10)\n")
      s:wait_for("%)\n>>\n$")
      s:type("end\n")
      assert.equal("tutti> 1 + 1\n2\ntutti> for i = 1, 2 do\n>> print(i * 10)\n>> end\n10\n20\ntutti>\n",
        s:wait_for("20\ntutti>\n$"))
      s:keys("C-d")
      assert.equal(0, s:status())
    end)
  end)

  it("Ctrl-C drops what has been typed, all lines of an unfinished chunk; on nothing it says how to leave",
    function()
      see(function(s)
        s:type("x = nope")
        s:keys("C-c")
        s:wait_for("nope%^C\ntutti>\n$")
        s:type("if nope then\n")
        s:wait_for(">>\n$")
        s:keys("C-c")
        s:wait_for(">> %^C\ntutti>\n$")
        s:keys("C-c")
        s:wait_for("Ctrl%-D leaves[^\n]*\ntutti>\n$")
        enter(s, "x", "\nnil")
      end)
    end)

  it("Ctrl-C drops just what was typed before it, however fast the keys come", function()
    see(function(s)
      s:keys("a", "b", "C-c", "1", "+", "2", "Enter")
      s:wait_for("ab%^C\ntutti> 1%+2\n3\ntutti>\n$")
    end)
  end)

  it("Up brings back a chunk of several lines whole, to be changed and run again", function()
    see(function(s)
      s:type("do\nprint('old')\nend\n")
      s:wait_for("old\ntutti>\n$")
      s:keys("Up", "BSpace", "BSpace", "BSpace")
      s:type("print('new') end\n")
      s:wait_for("old\nnew\ntutti>\n$")
    end)
  end)

  -- Press Tab; again where the prompt's loop has not answered in half a second, for Tab waits no longer.
  local function press_tab(s, wanted)
    local is_there
    local stop = os.time() + 30
    repeat
      s:keys("Tab")
      is_there = pcall(s.wait_for, s, wanted, 3)
    until is_there or os.time() > stop
    s:wait_for(wanted, 0)
  end

  it("Tab completes what is certain and lists the rest above the line", function()
    see(function(s)
      enter(s, "local fields = { first_one = 1, first_two = 2 }")
      s:type("fields.f")
      press_tab(s, "tutti> fields%.first_\n$")
      press_tab(s, "\nfirst_one +first_two\ntutti> fields%.first_\n$")
      s:type("t")
      press_tab(s, "tutti> fields%.first_two\n$")
      s:type("\n")
      s:wait_for("tutti> fields%.first_two\n2\ntutti>\n$")
    end)
  end)

  it("Tab gives up on a loop that is busy, and the keys go on", function()
    see(function(s)
      -- Only in the task's own coroutine does a loop give the turn to others.
      s:type("coroutine.wrap(function() tutti.sleep(0.2) print('bu' .. 'sy') while true do end end)() &\n")
      s:wait_for("busy\ntutti>\n$")
      s:type("pri\tnt(1)")
      s:wait_for("tutti> print%(1%)\n$")
    end)
  end)
end)

describe("Ctrl-C while a line runs", function()
  -- `line` runs until Ctrl-C; what was put in the background before goes on. Without `mark`, which says that
  -- it has begun, it may be dropped before it begins: then nothing is said.
  local function interrupts(line, mark)
    see(function(s)
      enter(s, "tutti = require('tutti') n = 0")
      s:type("tutti.spawn(function() while true do tutti.sleep(0.01) n = n + 1 end end) &\n")
      s:wait_for("running\ntutti>\n$")
      s:type(line .. "\n")
      s:wait_for(mark or line:sub(-20):gsub("%p", "%%%0") .. "\n$")
      s:keys("C-c")
      s:wait_for((mark and "interrupted" or "%^C") .. ".*\ntutti>\n$")
      enter(s, "local before = n; while n < before + 3 do tutti.sleep(0.01) end; return 'went on'",
        "\n\"?went on\"?")
    end)
  end

  it("ends an await", function()
    interrupts("tutti.sleep(1000)")
    interrupts("print('be' .. 'gun') tutti.sleep(1000)", "\nbegun\n$")
  end)
  if os.getenv("TUTTI_PREEMPT") ~= "hook" then -- it interrupts pool tasks only
    it("ends a loop", function() interrupts("while true do end") end)
    it("ends io.read", function()
      interrupts("print('be' .. 'gun') return io.read('l', 'l')", "\nbegun\n$")
    end)
    it("ends a loop that has begun for certain", function()
      interrupts("print('be' .. 'gun') while true do end", "\nbegun\n$")
    end)
  end

  it("ends a program", function()
    interrupts("tutti.exec{ 'sh', '-c', 'echo begun; exec sleep 1000', stdout = 'inherit' }:await()",
      "\nbegun\n$")
  end)

  it("ends a command of os.execute, and the line with it", function()
    -- What tells that it has begun is the inner shell: one that is about to start a program forgets a Ctrl-C.
    interrupts([[os.execute('sh -c "echo be' .. 'gun; read line"; true') tutti.sleep(1000)]], "\nbegun\n$")
  end)

  it("ends what was entered just before", function()
    see(function(s)
      enter(s, "tutti = require('tutti')")
      for _ = 1, 5 do
        s:keys("t", "u", "t", "t", "i", ".", "s", "l", "e", "e", "p", "(", "9", "9", ")", "Enter", "C-c")
        s:wait_for("%(99%)\n.*%^C.*\ntutti>\n$")
        s:keys("C-l")
        s:wait_for("^tutti>\n$")
      end
    end)
  end)
end)

describe("output while a line is typed", function()
  it("stands above it, whole, and the line stays as it is with its cursor", function()
    see(function(s, folder)
      enter(s, "tutti = require('tutti')")
      s:type("tutti.spawn(function() while not go do tutti.sleep(0.01) end " ..
        "for i = 1, 200 do print('line ' .. i) io.stderr:write('error ', i, '\\n') end end) &\n")
      s:wait_for("running\ntutti>\n$")
      s:type("tutti.parallel(function() while not io.open('" .. folder .. "/go') do tutti.sleep(0.01) end " ..
        "for i = 1, 200 do " ..
        "print('pool ' .. i) end end) go = true &\n")
      s:wait_for("error%s200\n.*tutti>\n$")
      assert(io.open(folder .. "/go", "w")):close()
      s:type("wrapped('around the edge of a narrow screen', and edited)")
      s:keys("Left", "Left", "Left", "Left", "Left", "Left", "Left")
      s:type("é日 ")
      local text = s:wait_for("pool 200\n.*é日 edited%)\n$")
      assert.matches("\ntutti> wrapped%('around the edge of a nar\nrow screen', and é日 edited%)\n$", text)
      s:keys("C-c")
      s:wait_for("%^C\n.*tutti>\n$")
      local seen = { line = 0, error = 0, pool = 0 }
      -- stderr is written in pieces: one that lets wait for the next for 0.1 s has a line of its own.
      local all = table.concat(s:lines(), "\n"):gsub("%f[%l]error\n(%d+)%f[\n]", "error %1")
      for line in all:gmatch("[^\n]+") do
        local kind, number = line:match("^(%l+) (%d+)$")
        if kind and seen[kind] then
          assert.equal(seen[kind] + 1, tonumber(number))
          seen[kind] = seen[kind] + 1
        end
      end
      assert.same({ line = 200, error = 200, pool = 200 }, seen)
    end, { cols = 40, rows = 10 })
  end)

  it("gets an end of line when it has none", function()
    see(function(s)
      enter(s, "io.write('one') io.stderr:write('two')", "twoone")
      s:type("tutti = require('tutti') tutti.spawn(function() tutti.sleep(0.3) " ..
        "io.stderr:write('three') tutti.sleep(1) end) &\n")
      s:wait_for("\nthree\n.*tutti>\n$")
    end)
  end)

  it("waits for room when there is more than fits", function()
    see(function(s)
      s:type("tutti = require('tutti') tutti.spawn(function() tutti.sleep(0.3) " ..
        "for i = 1, 30 do print(('x'):rep(100000)) end print('the end') end) &\n")
      s:wait_for("the end\n.*tutti>\n$")
    end)
  end)
end)

describe("a line that runs has the terminal", function()
  it("for io.read and os.execute", function()
    see(function(s)
      s:type("print('re' .. 'ady') return '<' .. io.read() .. '>'\n")
      s:wait_for("\nready\n$")
      s:type("some text\n")
      s:wait_for("<some text>\"?\ntutti>\n$")
      s:type("os.execute('echo give; read x; echo got $x; stty -a | grep -o -w icanon')\n")
      s:wait_for("\ngive\n$")
      s:type("words\n")
      s:wait_for("got words\nicanon\n")
    end)
  end)

  it("from before a program that inherits it begins, to its end", function()
    local folder <close> = new_folder()
    local code, out, err = program.run(program.path, "-e", ([[
      local made = %q
      local function look(what) print(what, io.open(made) ~= nil) end
      require("tutti.session").prompt = {
        hold = function() os.execute("sleep 0.3") look("held") end, -- for which it used to begin meanwhile
        release = function() look("released") end,
      }
      require("tutti").exec({ "touch", made, stdin = { inherit = true } }):await()]])
      :format(folder.path .. "/made"))
    assert.same({ 0, "held\tfalse\nreleased\ttrue\n" }, { code, out }, err)
  end)

  it("for a program that inherits it, in the background too: the typed line comes back when that has ended",
    function()
      see(function(s, folder)
        enter(s, "tutti = require('tutti')")
        s:type("tutti.spawn(function() while not io.open('" .. folder .. "/go') do tutti.sleep(0.01) end " ..
          "tutti.exec{ 'sh', '-c', " ..
          "'echo give; read x; echo got $x', stdin = { inherit = true }, stdout = 'inherit' }:await() " ..
          "end) &\n")
        s:wait_for("running\ntutti>\n$")
        s:type("print(7)")
        s:wait_for("print%(7%)\n$")
        assert(io.open(folder .. "/go", "w")):close()
        s:wait_for("give\n$")
        s:type("words\n")
        s:wait_for("got words\n.*tutti> print%(7%)\n$")
        s:type("\n")
        s:wait_for("print%(7%)\n7\ntutti>\n$")
      end)
    end)
end)

describe("leaving the prompt", function()
  it("asks whether what goes on is to be cancelled", function()
    see(function(s)
      enter(s, "tutti = require('tutti')")
      s:type("tutti.sleep(1000) &\n")
      s:wait_for("running\ntutti>\n$")
      s:keys("C-d")
      s:wait_for("1 still running:\n  %[2%] tutti%.sleep%(1000%).*\ncancel them and leave%? %[y/N%]\n$")
      s:type("\n")
      s:wait_for("%[y/N%]\ntutti>\n$")
      s:keys("C-d")
      s:wait_for("%[y/N%]\n$")
      s:type("y\n")
      assert.equal(0, s:status())
    end)
  end)

  -- Is the terminal afterwards as it was before? `leave` ends the prompt.
  local function assert_restored(expected, leave)
    local folder <close> = new_folder()
    local s <close> = screen.start(("stty -a >%s/before; %s repl; echo status $?; stty -a >%s/after")
      :format(folder.path, program.quote(program.path), folder.path), { env = environment(folder.path) })
    s:wait_for(PROMPT)
    enter(s, "tutti = require('tutti')")
    leave(s, folder.path)
    s:wait_for("status " .. expected)
    s:status()
    assert.equal(program.read(folder.path .. "/before"), program.read(folder.path .. "/after"))
    local _, on = s:bytes():gsub("\27%[%?2004h", "")
    local _, off = s:bytes():gsub("\27%[%?2004l", "")
    assert.is_true(off >= on, "bracketed paste is left on")
  end

  for _, name in ipairs({ "TERM", "HUP", "SEGV" }) do
    local status = ({ TERM = "143", HUP = "129", SEGV = "139" })[name]
    if name ~= "SEGV" or build.is_release then
      it("by SIG" .. name .. " in the middle of a line gives the terminal back", function()
        assert_restored(status, function(s, folder)
          s:type(("tutti.sh{ 'until [ -e $1/go ]; do sleep 0.05; done; kill -%s $PPID', '%s' } &\n")
            :format(name, folder))
          s:wait_for("running\ntutti>\n$")
          s:type("some text")
          s:wait_for("tutti> some text\n$")
          assert(io.open(folder .. "/go", "w")):close()
        end)
      end)
    end
  end

  it("by os.exit gives the terminal back", function()
    assert_restored("7", function(s) s:type("os.exit(7)\n") end)
  end)

  it("Ctrl-Z stops it, and fg brings the typed line back", function()
    local folder <close> = new_folder()
    local s <close> = screen.shell({ env = environment(folder.path) })
    s:type(program.quote(program.path) .. " repl\n")
    s:wait_for(PROMPT)
    s:type("40 +")
    s:keys("C-z")
    s:wait_for("Stopped.*\n%$\n$")
    s:type("stty -a | grep -o -w icanon; echo sane\n")
    s:wait_for("\nicanon\nsane\n")
    s:type("fg\n")
    s:wait_for("tutti> 40 %+\n$")
    s:type(" 2\n")
    s:wait_for("tutti> 40 %+ 2\n42\ntutti>\n$")
  end)
end)

describe("the history", function()
  it("is kept by prompts side by side, for those that come later", function()
    local folder <close> = new_folder()
    local env = environment(folder.path .. "/state")
    do
      local a <close> = screen.start({ program.path, "repl" }, { env = env })
      local b <close> = screen.start({ program.path, "repl" }, { env = env })
      a:wait_for(PROMPT)
      b:wait_for(PROMPT)
      enter(a, "1 + 1", "\n2")
      enter(b, "do\nreturn [[back\\slash]]\nend", "slash\"?")
      enter(a, "2 + 2", "\n4")
      a:keys("C-d")
      b:keys("C-d")
      a:status()
      b:status()
    end
    assert.equal("1 + 1\ndo\\nreturn [[back\\\\slash]]\\nend\n2 + 2\n",
      program.read(folder.path .. "/state/tutti/history"))
    local _, modes = program.shell(("stat -c %%a %s/state/tutti %s/state/tutti/history")
      :format(folder.path, folder.path))
    assert.equal("700\n600\n", modes)
    local c <close> = screen.start({ program.path, "repl" }, { env = env })
    c:wait_for(PROMPT)
    c:keys("Up", "Up")
    c:wait_for("tutti> do\nreturn %[%[back\\slash%]%]\nend\n$")
  end)
end)

describe("without readline", function()
  local function assert_plain(options)
    see(function(s)
      enter(s, "1 + 1", "\n2")
      s:type("abc")
      s:wait_for("abc\n$")
      s:keys("C-c")
      s:wait_for("abc%^C\n.*tutti>\n$")
      s:type("print('be' .. 'gun') tutti.sleep(1000)\n")
      s:wait_for("\nbegun\n$")
      s:keys("C-c")
      s:wait_for("interrupted.*\ntutti>\n$")
      s:type("io.read()\nwords\n")
      s:wait_for("words\"?\ntutti>\n$")
      assert.is_nil(s:bytes():find("\27[?2004h", 1, true))
      s:keys("C-d")
      assert.equal(0, s:status())
    end, options)
  end

  it("a plain reader takes lines: --no-readline", function() assert_plain({ "--no-readline" }) end)
  it("a plain reader takes lines: TERM=dumb", function() assert_plain({ env = { TERM = "dumb" } }) end)

  it("a plain reader takes lines: what goes by its name is something else", function()
    local folder <close> = new_folder()
    for _, name in ipairs({ "libreadline.so", "libreadline.so.8" }) do
      assert(io.open(folder.path .. "/" .. name, "w")):close()
    end
    assert_plain({ env = { LD_LIBRARY_PATH = folder.path } })
  end)
end)

describe("without memory for what was typed", function()
  it("the prompt says so, and goes on with the lines before it", function()
    local code, out, err = program.run(program.path, "-e", [[
      local session = require("tutti.session")
      local arrivals, shown = { { "line", "1 +" }, { "line" }, { "line", "2" }, { "line" }, { "end" } }, {}
      local function nothing() end
      session.prompt = { listen = nothing, completer = nothing, foreground = nothing, leave = nothing,
        remember = nothing, read = function(prompt, callback)
          shown[#shown + 1] = prompt
          require("tutti").spawn(callback, nil, table.unpack(table.remove(arrivals, 1)))
        end }
      require("tutti.repl.terminal").run()
      print(table.concat(shown, "|"))]])
    assert.equal("", err)
    assert.equal(0, code)
    local SAID = "there was not enough memory for what was typed\n"
    assert.equal(SAID .. "3\n" .. SAID .. "tutti> |>> |>> |tutti> |tutti> \n", out)
  end)
end)
