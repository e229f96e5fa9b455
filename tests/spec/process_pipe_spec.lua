-- SPDX-License-Identifier: MIT
-- One program's stdout as another's stdin, through the kernel's pipe: stdin = { from = { PROGRAM, ... } }.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function failure(given)
  local ok, err = tutti.exec(given):pawait()
  assert.is_false(ok)
  return err
end

local function usage(pattern, given)
  local ok, err = pcall(function()
    local _ = tutti.exec(given)
  end)
  assert.is_false(ok)
  assert.equal("usage", err.kind)
  assert.matches(pattern, err.message)
  assert.matches("process_pipe_spec.lua:%d+: ", err.message)
end

local function fds()
  return #tutti.fs.list("/proc/self/fd")
end

describe("a pipe of programs", function()
  it("hands everything on, and tells of each", function()
    local r = tutti.exec({ "sort", stdin = { from = { "printf", "b\\nc\\na\\n" } } }):await()
    assert.same({ "a\nb\nc\n", 0 }, { r.stdout, r.code })
    assert.same({ 0, "" }, { r.from.code, r.from.stdout })
    assert.is_true(r.from.pid > 1 and r.from.pid ~= r.pid)
    local many = { "head", "-c", "50000000", "/dev/zero" }
    local count = tutti.exec({ "wc", "-c", stdin = { from = many } }):await()
    assert.equal("50000000", count.stdout:match("%d+"))
  end)

  it("has any length, each with its own folder, environment and stdin", function()
    local first = { "sh", "-c", "cat; pwd; echo $A", cwd = "/usr", stdin = "in\n",
      env = { A = "of the first" } }
    local second = { "tr", "a-z", "A-Z", stdin = { from = first } }
    local r = tutti.exec({ "cat", "-n", stdin = { from = second } }):await()
    assert.equal("1IN2/USR3OFTHEFIRST", (r.stdout:gsub("%s", "")))
    assert.equal(0, r.from.from.code)
    local chain = { "printf", "x" }
    for _ = 1, 20 do
      chain = { "cat", stdin = { from = chain } }
    end
    assert.equal("x", tutti.exec(chain):await().stdout)
  end)

  it("takes no more than fits in the kernel's pipe", function()
    local lines = {}
    tutti.exec({ "head", "-3", stdin = { from = { "yes" } },
      stdout = function(line) lines[#lines + 1] = line end }):await()
    assert.same({ "y", "y", "y" }, lines)
  end)

  it("works in pool tasks, and crosses as a task", function()
    local r = tutti.parallel(function()
      local t = require("tutti")
      return t.exec({ "cat", stdin = { from = { "echo", "pool" } } }):await()
    end):await()
    assert.same({ "pool\n", 0 }, { r.stdout, r.from.code })
    local task = tutti.exec({ "cat", stdin = { from = { "sh", "-c", "exit 4" } } })
    local kind, message = tutti.parallel(function(t)
      local _, err = t:pawait()
      return err.kind, err.message
    end, task):await()
    assert.equal("exit", kind)
    assert.matches('exec "sh" ended with status 4', message)
    task:pawait()
  end)
end)

describe("failures in a pipe", function()
  it("of the source are the task's, with its stderr", function()
    local err = failure({ "cat", stdin = { from = { "sh", "-c", "echo half; echo why >&2; exit 3" } } })
    assert.equal("exit", err.kind)
    assert.equal('exec "sh" ended with status 3 (its output goes to exec "cat")', err.message)
    assert.matches("why", tostring(err))
    assert.same({ "half\n", 0, 3 }, { err.result.stdout, err.result.code, err.result.from.code })
  end)

  it("nearest to the source are told first", function()
    local err = failure({ "sh", "-c", "exit 5", stdin = { from = { "sh", "-c", "exit 3" } } })
    assert.matches("status 3", err.message)
    assert.equal(5, err.result.code)
    local last = failure({ "sh", "-c", "cat; exit 5", stdin = { from = { "echo", "x" } } })
    assert.equal('exec "sh" ended with status 5', last.message)
  end)

  it("are none when the reader has had enough, or when it is asked for", function()
    local r = tutti.exec({ "true", stdin = { from = { "yes" } } }):await()
    assert.equal("SIGPIPE", r.from.signal)
    local odd = tutti.exec({ "cat", stdin = { from = { "false", check = false } } }):await()
    assert.equal(1, odd.from.code)
  end)

  it("to start one start none of its readers, and end its feeders", function()
    local missing = failure({ "cat", stdin = { from = { "no-such-program-here" } } })
    assert.same({ "exit", "ENOENT" }, { missing.kind, missing.errno })
    assert.matches('exec "no%-such%-program%-here" cannot be started', missing.message)
    assert.is_nil(missing.result.pid)
    local reader = failure({ "no-such-program-here", stdin = { from = { "sleep", "60" } } })
    assert.matches('exec "no%-such%-program%-here" cannot be started', reader.message)
    assert.equal("SIGTERM", reader.result.from.signal)
    local middle = { "no-such-program-here", stdin = { from = { "sleep", "60" } } }
    local whole = failure({ "cat", stdin = { from = middle } })
    assert.matches('exec "no%-such%-program%-here" cannot be started', whole.message)
  end)

  it("by time end what feeds it", function()
    local err = failure({ "cat", timeout = "50ms", stdin = { from = { "sleep", "60" } } })
    assert.equal("timeout", err.kind)
    assert.matches('exec "cat" was stopped after its timeout of 0.05 s', err.message)
    assert.equal("SIGTERM", err.result.from.signal)
    local source = failure({ "cat", stdin = { from = { "sleep", "60", timeout = "50ms" } } })
    assert.equal("timeout", source.kind)
    assert.matches('exec "sleep" was stopped', source.message)
    assert.equal(0, source.result.code)
  end)

  it("of a function that takes the source's stderr are the task's", function()
    local take = function() error("cannot take this") end
    local source = { "sh", "-c", "echo x >&2; exec sleep 60", stderr = take }
    local err = failure({ "cat", stdin = { from = source } })
    assert.matches("cannot take this", err.message)
  end)
end)

describe("a cancel of a pipe", function()
  it("ends all of it at every moment", function()
    local before = fds()
    for i = 1, 30 do
      local middle = { "cat", stdin = { from = { "sleep", "60" } } }
      local task = tutti.exec({ "cat", stdin = { from = middle } })
      if i % 3 > 0 then
        tutti.sleep(i % 10 * 0.0005)
      end
      task:cancel()
      local ok, err = task:pawait()
      assert.same({ false, "cancelled", "cancelled" }, { ok, err.kind, task:state() })
    end
    assert.equal(before, fds())
  end)

  it("many at once leave nothing behind", function()
    local before, many = fds(), {}
    for i = 1, 40 do
      many[i] = tutti.exec({ "cat", stdin = { from = { "echo", i } } })
    end
    for i, r in ipairs(tutti.all(many):await()) do
      assert.equal(i .. "\n", r.stdout)
    end
    assert.equal(before, fds())
  end)
end)

describe("a pipe is checked at the call", function()
  it("with the program that is wrong", function()
    local function to_cat(from)
      return { "cat", stdin = { from = from } }
    end
    usage("stdin.from: the program to run is missing", to_cat({}))
    usage("its stdout goes to the program that reads", to_cat({ "ls", stdout = "null" }))
    usage('option "name" belongs to the task', to_cat({ "ls", name = "x" }))
    usage('stdin.from: unknown option "cdw" %(did you mean "cwd"', to_cat({ "ls", cdw = 1 }))
    usage("stdin.from: word 2 must be a string", to_cat({ "ls", {} }))
    usage("stdin.from: .- in \"env\" must be a string", to_cat({ "ls", env = { A = {} } }))
    usage("stdin.from: stdin.file must be", to_cat({ "ls", stdin = { file = 1 } }))
    usage("cannot wait for a task", to_cat(to_cat(tutti.spawn(function() end))))
    local chain = { "echo" }
    for _ = 1, 64 do
      chain = { "cat", stdin = { from = chain } }
    end
    usage("more than 63 programs feed one another", chain)
    usage("{ from = { PROGRAM, ... } }", { "cat", stdin = { from = 5 } })
  end)
end)
