-- SPDX-License-Identifier: MIT
-- tutti.signal, in a host's state and in `tutti run`.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local PROGRAM = os.getenv("TUTTI_PROGRAM")

local function own_pid()
  return io.lines("/proc/self/stat")():match("^%d+")
end

local function send(name, pid)
  tutti.exec({ "/bin/kill", "-" .. name, pid or own_pid() }):await()
end

-- Is the signal watched by this process? The bits of SigCgt count from signal 1.
local function is_caught(number)
  for line in io.lines("/proc/self/status") do
    local mask = line:match("^SigCgt:%s*(%x+)")
    if mask then
      return tonumber(mask:sub(-8), 16) >> (number - 1) & 1 == 1
    end
  end
end

local USR1, WINCH = 10, 28

describe("tutti.signal", function()
  it("ends with the signal, and only with that one", function()
    local usr1, winch = tutti.signal("SIGUSR1"), tutti.signal("SIGWINCH")
    assert.equal("signal SIGUSR1", usr1:name())
    send("USR1")
    assert.equal("SIGUSR1", usr1:await())
    assert.is_false(winch:is_done())
    send("WINCH")
    assert.equal("SIGWINCH", winch:await())
  end)

  it("ends all that await it at once, on workers too", function()
    local ready = tutti.channel(1)
    local there = tutti.parallel(function(ch)
      local task = tutti.signal("SIGUSR1")
      ch:send(true)
      return task:await()
    end, ready)
    ready:recv()
    local here = tutti.signal("SIGUSR1")
    tutti.checkpoint() -- what the worker asked for has reached the loop
    send("USR1")
    assert.equal("SIGUSR1", here:await())
    assert.equal("SIGUSR1", there:await())
  end)

  it("takes the signal only while a task is pending", function()
    assert.is_false(is_caught(USR1))
    local first, second = tutti.signal("SIGUSR1"), tutti.signal("SIGUSR1")
    assert.is_true(is_caught(USR1))
    first:cancel()
    assert.is_true(is_caught(USR1))
    second:cancel()
    assert.is_false(is_caught(USR1))
    assert.equal("cancelled", second:state())
    local third = tutti.signal("SIGUSR1")
    send("USR1")
    third:await()
    assert.is_false(is_caught(USR1))
  end)

  it("leaves nothing behind when a race with it is over", function()
    for _ = 1, 100 do
      tutti.race({ tutti.signal("SIGWINCH"), tutti.spawn(function() end) }):await()
    end
    assert.is_false(is_caught(WINCH))
  end)

  it("holds no join open", function()
    local task
    assert.equal(1, tutti.spawn(function()
      task = tutti.signal("SIGUSR1")
      return 1
    end):await())
    assert.equal("cancelled", task:state())
    assert.is_false(is_caught(USR1))
  end)

  it("refuses other names", function()
    for _, name in ipairs({ "SIGKILL", "INT", "", 2, {} }) do
      local ok, err = pcall(function() return (tutti.signal(name)) end)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches("signal_spec.lua:%d+: tutti.signal: the name of a signal was expected", err.message)
    end
  end)
end)

describe("tutti.signal in tutti run", function()
  -- Runs the chunk with `send(name)`, which sends a signal to the program itself.
  local function run(chunk)
    local prelude = [[
      local tutti = require("tutti")
      local pid
      for line in io.lines("/proc/self/stat") do pid = line:match("^%d+") end
      local function send(name) tutti.exec({ "/bin/kill", "-" .. name, pid }):await() end
    ]]
    return tutti.exec({ PROGRAM, "-e", prelude .. chunk, check = false, timeout = 60 }):await()
  end

  it("replaces what the first Ctrl-C does, while it is pending", function()
    local result = run([[
      local stop = tutti.signal("SIGINT")
      send("INT")
      print("got", stop:await())
    ]])
    assert.same({ "got\tSIGINT\n", "", 0 }, { result.stdout, result.stderr, result.code })
  end)

  it("lets the second Ctrl-C stop the program", function()
    local result = run([[
      local waits, got = tutti.event(), tutti.event()
      tutti.spawn(function()
        while true do
          local task = tutti.signal("SIGINT")
          waits:set()
          print("got", task:await())
          got:set()
        end
      end)
      waits:wait()
      send("INT")
      got:wait() -- two at once are one to a process
      send("INT")
      tutti.sleep(60)
    ]])
    assert.equal("got\tSIGINT\n", result.stdout)
    assert.matches("interrupted %(Ctrl%-C%): stopping", result.stderr)
    assert.equal("SIGINT", result.signal)
  end)

  it("does what it did when nobody waits any more", function()
    local result = run([[
      tutti.signal("SIGTERM"):cancel()
      send("TERM")
      tutti.sleep(60)
    ]])
    assert.equal("SIGTERM", result.signal)
    result = run([[
      tutti.signal("SIGUSR1"):cancel()
      send("USR1")
      tutti.sleep(60)
    ]])
    assert.equal("SIGUSR1", result.signal)
  end)

  it("takes HUP and TERM as often as they are awaited, and the others as well", function()
    local result = run([[
      for _ = 1, 2 do
        for _, name in ipairs({ "HUP", "TERM", "USR1", "QUIT" }) do
          local task = tutti.signal("SIG" .. name)
          send(name)
          io.write(task:await(), " ")
        end
      end
    ]])
    assert.equal(("SIGHUP SIGTERM SIGUSR1 SIGQUIT "):rep(2), result.stdout)
    assert.equal(0, result.code)
  end)

  it("does not keep the program from ending", function()
    local result = run([[ tutti.signal("SIGINT") tutti.every(60, print) print("end") ]])
    assert.same({ "end\n", "", 0 }, { result.stdout, result.stderr, result.code })
  end)

  it("leaves SIGUSR2 to the program", function()
    local result = run([[ print(select(2, pcall(tutti.signal, "SIGUSR2"))) ]])
    assert.matches("SIGUSR2 is what `tutti run` itself uses", result.stdout)
  end)
end)
