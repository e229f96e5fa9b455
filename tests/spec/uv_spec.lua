-- SPDX-License-Identifier: MIT
-- tutti.uv: luv on the engine's loop, and tutti.await(f, ...) for functions that take a callback.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local uv = tutti.uv

-- The error that `f` raises, an error object.
local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("tutti.error", getmetatable(err))
  return err
end

-- Run a chunk in an interpreter of its own, and in the program; both results.
local function run_both(chunk)
  local stock = tutti.exec({ os.getenv("TUTTI_LUA"), "-e", chunk, check = false, timeout = "1m" })
  local program = tutti.exec({ os.getenv("TUTTI_PROGRAM"), "-e", chunk, check = false, timeout = "1m" })
  return stock:await(), program:await()
end

describe("await of a luv function", function()
  it("returns what the callback got after the error", function()
    assert.equal("directory", tutti.await(uv.fs_stat, "/").type)
    local fd = tutti.await(uv.fs_open, "/proc/self/comm", "r", 0)
    assert.equal("string", type(tutti.await(uv.fs_read, fd, 100, 0)))
    assert.is_true(tutti.await(uv.fs_close, fd))
    tutti.spawn(function()
      assert.equal("directory", tutti.await(uv.fs_stat, "/").type)
    end):await()
  end)

  it("raises its error as kind io with a code", function()
    local err = raised(tutti.await, uv.fs_stat, "/no/such/file")
    assert.same({ "io", "ENOENT" }, { err.kind, err.code })
    assert.matches("^tutti.await: ENOENT: no such file or directory", err.message)
    local task = tutti.spawn({ name = "asker" }, function() tutti.await(uv.fs_scandir, "/no/such/dir") end)
    local ok, in_task = task:pawait()
    assert.same({ false, "io", "ENOENT", "asker" }, { ok, in_task.kind, in_task.code, in_task.task })
  end)

  it("raises what the function refuses at once", function()
    local closed = uv.new_tcp()
    local err = raised(tutti.await, uv.write, closed, "x")
    assert.equal("io", err.kind)
    assert.equal("EBADF", err.code)
    closed:close()
  end)

  it("takes callbacks without a place for an error as they come", function()
    local timer = uv.new_timer()
    assert.equal(0, select("#", tutti.await(uv.timer_start, timer, 1, 0)))
    timer:close()
    local handle
    local function spawn(path, opts, callback)
      handle = uv.spawn(path, opts, callback)
      return handle
    end
    local code, signal = tutti.await(spawn, "/bin/sh", { args = { "-c", "exit 3" } })
    assert.same({ 3, 0 }, { code, signal })
    handle:close()
  end)

  it("does not stop other tasks of the state", function()
    local timer = uv.new_timer()
    local ticks = 0
    local ticker = tutti.spawn(function()
      while true do
        tutti.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    local rounds = 0
    repeat
      tutti.await(uv.timer_start, timer, 10, 0)
      rounds = rounds + 1
    until ticks > 5 or rounds == 3000
    assert.is_true(ticks > 5)
    ticker:cancel()
    ticker:pawait()
    timer:close()
  end)

  it("runs many at once", function()
    local tasks = {}
    for i = 1, 200 do
      tasks[i] = tutti.spawn(function() return tutti.await(uv.fs_stat, "/").type end)
    end
    for _, type in ipairs(tutti.all(tasks):await()) do
      assert.equal("directory", type)
    end
  end)

  it("is left by a cancelled task; the late callback finds nobody", function()
    local callback
    local function never(f)
      callback = f
    end
    local after = {}
    local task = tutti.spawn(function()
      local ok = pcall(tutti.await, never)
      after[#after + 1] = ok
    end)
    tutti.checkpoint()
    assert.equal("suspended", task:state())
    task:cancel()
    task:pawait()
    assert.equal("cancelled", task:state())
    callback(nil, "too late")
    callback("ELATE: much too late")
    tutti.checkpoint()
    assert.same({ false }, after)
    local reading = tutti.spawn(function() tutti.await(uv.fs_stat, "/") end)
    tutti.checkpoint()
    reading:cancel()
    reading:pawait()
    assert.equal("cancelled", reading:state())
  end)

  it("takes the first call of a callback that is called more than once", function()
    local function twice(f)
      f(nil, 1)
      f(nil, 2)
    end
    assert.equal(1, tutti.await(twice))
    assert.equal(1, tutti.spawn(function() return tutti.await(twice) end):await())
  end)

  it("is refused where nothing can wait", function()
    local err = raised(tutti.await, "/")
    assert.equal("usage", err.kind)
    assert.matches("a task, or a luv function and its arguments, was expected, got string", err.message)
    local caught
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      caught = { pcall(tutti.await, uv.fs_stat, "/") }
      timer:close()
    end)
    while not caught do
      tutti.sleep(0.001)
    end
    assert.is_false(caught[1])
    assert.equal("usage", caught[2].kind)
    assert.matches("raw luv callback", caught[2].message)
  end)
end)

describe("tutti.uv", function()
  it("runs raw callbacks on the engine's loop, which can start tasks", function()
    local timer, got = uv.new_timer(), {}
    timer:start(1, 1, function()
      got[#got + 1] = tutti.current()
      got[#got + 1] = "tick"
      if #got == 3 then
        timer:close()
      end
      tutti.spawn(function() got.task = tutti.current() end)
    end)
    while #got < 3 do
      tutti.sleep(0.001)
    end
    tutti.checkpoint()
    assert.same({ "tick", "tick", "tick" }, { got[1], got[2], got[3] })
    assert.is_not_nil(got.task)
  end)

  it("serves sockets", function()
    local server, client = uv.new_tcp(), uv.new_tcp()
    server:bind("127.0.0.1", 0)
    local echoed = tutti.channel(4)
    server:listen(8, function()
      local peer = uv.new_tcp()
      server:accept(peer)
      peer:read_start(function(_, data)
        if data then
          peer:write(data:upper())
        else
          peer:close()
        end
      end)
    end)
    tutti.await(uv.tcp_connect, client, "127.0.0.1", server:getsockname().port)
    client:read_start(function(_, data)
      tutti.spawn(function() echoed:send(data or "end") end)
    end)
    tutti.await(uv.write, client, "shout")
    assert.equal("SHOUT", (echoed:recv()))
    client:close()
    server:close()
  end)

  it("refuses what would run or end the loop", function()
    for _, name in ipairs({ "run", "stop", "walk", "loop_close" }) do
      local err = raised(function() uv[name]() end)
      assert.equal("usage", err.kind)
      assert.matches("uv_spec.lua:%d+: tutti.uv." .. name .. " is refused: ", err.message)
    end
  end)

  it("is the same luv that require gives afterwards", function()
    assert.equal(uv.fs_stat, require("luv").fs_stat)
    assert.is_function(uv.hrtime)
    assert.is_table(uv.constants)
  end)

  it("is refused in a pool task", function()
    local ok, err = tutti.parallel(function() return require("tutti").uv end):pawait()
    assert.same({ false, "usage" }, { ok, err.kind })
    assert.matches("uv_spec.lua:%d+: tutti.uv: luv runs on the engine's loop", err.message)
    ok, err = tutti.parallel(function() return require("tutti").await(print, "/") end):pawait()
    assert.same({ false, "usage" }, { ok, err.kind })
    assert.matches("tutti.uv: luv runs on the engine's loop", err.message)
  end)

  it("is refused when luv has a loop of its own already", function()
    local stock, program = run_both('require "luv"; local ok, err = pcall(function() '
      .. 'return require("tutti").uv end); print(ok, err.kind, err.message)')
    for _, r in ipairs({ stock, program }) do
      assert.matches("^false\tusage\t.*tutti.uv: luv has been opened already, on a loop of its own", r.stdout)
    end
  end)
end)

describe("a socket whose peer has gone", function()
  -- The first write is answered by a reset, the next ones break.
  local CHUNK = [[
    local t = require "tutti"
    local uv = t.uv
    local server, client = uv.new_tcp(), uv.new_tcp()
    server:bind("127.0.0.1", 0)
    server:listen(8, function()
      local peer = uv.new_tcp()
      server:accept(peer)
      peer:close()
    end)
    t.await(uv.tcp_connect, client, "127.0.0.1", server:getsockname().port)
    local ok, err
    repeat
      t.sleep(0.001)
      ok, err = pcall(t.await, uv.write, client, "x")
    until not ok
    repeat
      ok, err = pcall(t.await, uv.write, client, "x")
    until err.message:find("EPIPE")
    print("went on", err.kind)
    client:close()
    server:close()]]

  it("is an error for who writes to it, and does not end the program as if its output were broken", function()
    local argv = { os.getenv("TUTTI_PROGRAM"), "-e", CHUNK, check = false, timeout = "1m" }
    local result = tutti.exec(argv):await()
    assert.same({ "went on\tio\n", "", 0 }, { result.stdout, result.stderr, result.code })
  end)
end)

describe("an error in a raw callback", function()
  local CHUNK = 'local t = require "tutti" local timer, fired = t.uv.new_timer(), false '
    .. 'timer:start(1, 0, function() fired = true %s end) '
    .. 'while not fired do t.sleep(0.001) end t.sleep(0.001) print("went on")'

  it("belongs to the root: said at once, exit status 1", function()
    local stock, program = run_both(CHUNK:format('error("went wrong")'))
    for _, r in ipairs({ stock, program }) do
      assert.matches('task "luv callback" failed with nobody awaiting it: .*went wrong', r.stderr)
      assert.equal("went on\n", r.stdout)
    end
    assert.equal(1, program.code)
  end)

  it("keeps what was raised", function()
    local seen, fired
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      timer:close()
      fired = true
      error({ answer = 42 })
    end)
    while not fired do
      tutti.sleep(0.001)
    end
    seen = raised(tutti.run)
    assert.equal("group", seen.kind)
    assert.equal(1, #seen.errors)
    assert.equal(42, seen.errors[1].value.answer)
    assert.matches("uv_spec.lua:%d+: in", seen.errors[1].traceback)
  end)
end)

describe("the end of a state", function()
  local ENDS = {
    ["with open handles"] = 'local timer, tcp = uv.new_timer(), uv.new_tcp() '
      .. 'timer:start(1, 1, function() end) tcp:bind("127.0.0.1", 0) tcp:listen(1, function() end)',
    ["with a handle that is closing"] = 'local timer = uv.new_timer() '
      .. 'timer:close(function() print("no") end)',
    ["with requests under way"] = 'for _ = 1, 100 do uv.fs_stat("/", function() print("no") end) end '
      .. 'uv.getaddrinfo("localhost", nil, nil, function() end)',
    ["with a task that awaits luv"] = 'local timer = uv.new_timer() '
      .. "t.spawn(function() t.await(uv.timer_start, timer, 60000, 0) end) t.checkpoint() t.checkpoint()",
    ["with luv's own functions"] = 'local timer = require("luv").new_timer() timer:start(60000, 0, print)',
    ["with a process of luv's"] = 'uv.spawn("/bin/true", {}, function() end)',
  }
  for name, body in pairs(ENDS) do
    it(name .. " is quiet", function()
      local chunk = 'local t = require "tutti" local uv = t.uv ' .. body .. " os.exit(7, true)"
      local stock, program = run_both(chunk)
      assert.same({ 7, "" }, { stock.code, stock.stdout }, stock.stderr)
      assert.same({ 7, "" }, { program.code, program.stdout }, program.stderr)
      assert.is_nil(stock.stderr:find("Sanitizer", 1, true), stock.stderr)
    end)
  end
end)
