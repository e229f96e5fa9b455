-- SPDX-License-Identifier: MIT
-- Signals as a person at a terminal gives them: Ctrl-C once and twice, Ctrl-Z, a terminal that goes away. No
-- process is left behind, and the terminal is as it was.
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")

local HEAD = "local tutti = require('tutti') "

-- Is a process with this number there, and not a zombie that nobody has asked for?
local function state_of(pid)
  local file = io.open(("/proc/%s/stat"):format(pid))
  if not file then
    return nil
  end
  local state = file:read("a"):match("^.*%) (%a)")
  file:close()
  return state ~= "Z" and state or nil
end

local function wait_until(what, probe)
  local stop = os.time() + 60
  while not probe() do
    assert(os.time() < stop, what)
    os.execute("sleep 0.02")
  end
end

local function assert_gone(pids)
  for _, pid in ipairs(pids) do
    wait_until(("process %s is still there"):format(pid), function() return state_of(pid) == nil end)
  end
end

-- The numbers in the lines "pid N" on the screen, once there are so many.
local function pids_on(s, count)
  local pids
  wait_until("the processes have not begun", function()
    pids = {}
    for pid in s:text():gmatch("pid (%d+)\n") do
      pids[#pids + 1] = pid
    end
    return #pids >= count
  end)
  return pids
end

-- A shell that tells its own number and that of its child, and waits.
local function family(trap)
  return ("%s sleep 300 & echo pid $!; echo pid $$; while :; do wait; sleep 0.01; done"):format(trap or "")
end

local function family_script(count, trap, more)
  return HEAD .. ([[
    for i = 1, %d do
      tutti.exec{ "sh", "-c", %q, stdout = function(line) print(line) end %s }
    end
    print("up")]]):format(count, family(trap), more or "")
end

local scripts = {}

-- Run a script with these words in a terminal.
local function start(source, ...)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  scripts[#scripts + 1] = path
  return screen.start({ program.path, "run", path, ... })
end

local function remove_scripts()
  for _, path in ipairs(scripts) do
    os.remove(path)
  end
  scripts = {}
end

describe("Ctrl-C", function()
  after_each(remove_scripts)

  it("once ends the children's groups and the script: 130, with a line that says so", function()
    local s <close> = start(family_script(3))
    local pids = pids_on(s, 6)
    s:keys("C-c")
    assert.equal(130, s:status())
    assert_gone(pids)
    assert.matches("tutti: interrupted %(Ctrl%-C%): stopping, for up to 10 s; once more kills\n", s:text())
  end)

  it("once kills, after their grace, children that do not listen", function()
    local s <close> = start(family_script(2, "trap '' TERM;", ", grace = '200ms'"))
    local pids = pids_on(s, 4)
    s:keys("C-c")
    assert.equal(130, s:status())
    assert_gone(pids)
  end)

  it("twice kills at once whatever does not listen", function()
    local s <close> = start(family_script(2, "trap '' TERM;", ", grace = '5m'"))
    local pids = pids_on(s, 4)
    s:keys("C-c")
    s:wait_for("once more kills")
    s:keys("C-c")
    assert.equal(130, s:status())
    assert_gone(pids)
    assert.matches("tutti: interrupted %(Ctrl%-C%): killed\n", s:text())
  end)

  it("lets cleanup go on, and the second one does not", function()
    local source = HEAD .. [[
      local guard <close> = setmetatable({}, { __close = function()
        tutti.shield(300, function()
          print("cleaning")
          if arg[1] then tutti.sleep(300) end
          tutti.exec{ "true" }:await()
          print("cleaned")
        end)
      end })
      print("up")
      tutti.sleep(300)]]
    local s <close> = start(source)
    s:wait_for("up")
    s:keys("C-c")
    assert.equal(130, s:status())
    assert.matches("cleaning\ncleaned\n", s:text())

    local t <close> = start(source, "long")
    t:wait_for("up")
    t:keys("C-c")
    t:wait_for("cleaning")
    t:keys("C-c")
    assert.equal(130, t:status())
    assert.not_matches("cleaned", t:text())
  end)

  it("ends a loop that never waits", function()
    local s <close> = start(HEAD .. "print('up') while true do end")
    s:wait_for("up")
    s:keys("C-c")
    assert.equal(130, s:status())
  end)

  -- What tells that it is up is the inner shell: one that is about to start a program forgets a Ctrl-C.
  local INNER = [['sh -c "echo up >&2; read line </dev/tty"; true']]

  it("ends a command of io.popen, and one of a pool task", function()
    for _, source in ipairs({ "io.popen(%s):read('a')", "io.popen(%s, 'w'):close()",
      "tutti.parallel(function() os.execute(%s) end):await()" }) do
      local s <close> = start(HEAD .. source:format(INNER) .. " tutti.sleep(1000)")
      s:wait_for("up")
      s:keys("C-c")
      assert.equal(130, s:status())
    end
  end)

  if os.getenv("TUTTI_PREEMPT") ~= "hook" then -- without signals a read cannot be interrupted
    it("ends who waits for a key, at once, and shows what was asked before", function()
      for _, source in ipairs({ "io.read()", "io.read('a')", "io.lines()()", "io.read('n') io.read('n')" }) do
        local s <close> = start(HEAD .. "io.write('your name? ') " .. source)
        s:wait_for("your name%?")
        if source:find("'n'", 1, true) then
          s:type("12\n")
          s:wait_for("12\n")
        end
        s:keys("C-c")
        assert.equal(130, s:status())
        assert.falsy(s:text():find("Interrupted system call", 1, true))
      end
    end)
  end

  it("ends a command of os.execute too", function()
    local s <close> = start(HEAD .. ("os.execute(%s) tutti.sleep(1000)"):format(INNER))
    s:wait_for("up")
    s:keys("C-c")
    assert.equal(130, s:status())
  end)

  it("is a death by the signal, as a shell sees it that asks", function()
    local file <close> = program.file(HEAD .. "os.execute('kill -INT $PPID') tutti.sleep(20)")
    local line = ("exec env --default-signal=INT %s run %s 2>/dev/null"):format(program.path, file.path)
    local _, how, number = os.execute(line)
    assert.same({ "signal", 2 }, { how, number })
  end)
end)

describe("Ctrl-Z", function()
  after_each(remove_scripts)

  it("stops the children too, and fg goes on with all", function()
    local file <close> = program.file(family_script(1))
    local s <close> = screen.shell()
    s:type(("%s run %s\n"):format(program.path, file.path))
    local pids = pids_on(s, 2)
    s:keys("C-z")
    s:wait_for("Stopped")
    for _, pid in ipairs(pids) do
      wait_until("a child was not stopped", function() return state_of(pid) == "T" end)
    end
    s:type("fg\n")
    for _, pid in ipairs(pids) do
      wait_until("a child does not go on", function() return state_of(pid) == "S" end)
    end
    s:keys("C-c")
    s:type("echo status $?\n")
    s:wait_for("status 130\n")
    assert_gone(pids)
  end)

  it("stops nothing for good where no shell could have it go on", function()
    local s <close> = start(HEAD .. [[
      print("up")
      io.read()
      print("read")
      tutti.every(0.02, function() io.write(".") io.flush() end)
      tutti.sleep(1000)]]) -- its group is an orphan's
    s:wait_for("up")
    s:keys("C-z")
    s:wait_for("%^Z")
    s:type("\n")
    s:wait_for("read\n")
    s:keys("C-z")
    s:wait_for("read\n.*%^Z.*%.%.%.%.%.")
    s:keys("C-c")
    assert.equal(130, s:status())
  end)
end)

describe("the terminal", function()
  after_each(remove_scripts)

  it("is as it was afterwards", function()
    local file <close> = program.file(family_script(1))
    local line = ("stty -a >%s.1; %s run %s; status=$?; stty -a >%s.2; (exit $status)"):format(file.path,
      program.path, file.path, file.path)
    local s <close> = screen.start(line)
    pids_on(s, 2)
    s:keys("C-c")
    assert.equal(130, s:status())
    local same = os.execute(("cmp %s.1 %s.2"):format(file.path, file.path))
    os.execute(("rm -f %s.1 %s.2"):format(file.path, file.path))
    assert.is_true(same)
    assert.is_true((select(3, s:cursor())))
  end)

  it("that goes away ends the script and its children", function()
    local s = start(family_script(2))
    local pids = pids_on(s, 4)
    s:kill()
    assert_gone(pids)
  end)
end)
