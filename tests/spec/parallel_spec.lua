-- SPDX-License-Identifier: MIT
-- parallel: functions and values on workers, dependencies on both sides, errors, cancellation.
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

describe("parallel", function()
  it("runs a function with its upvalues and arguments", function()
    local factor = 3
    assert.equal(21, tutti.parallel(function(n) return n * factor end, 7):await())
    local n, a, b = tutti.parallel(function(...) return select("#", ...), ... end, nil, "x"):await()
    assert.same({ 2, nil, "x" }, { n, a, b })
    assert.equal(0, select("#", tutti.parallel(function() end):await()))
    assert.equal(1, select("#", tutti.parallel(function() return nil end):await()))
  end)

  it("sees an upvalue changed between two calls", function()
    local x = 1
    local function get() return x end
    assert.equal(1, tutti.parallel(get):await())
    x = 2
    assert.equal(2, tutti.parallel(get):await())
  end)

  it("awaits and spawns on the worker", function()
    local got = tutti.parallel(function()
      local t = tutti.spawn(function() tutti.sleep(0.002) return 20 end)
      local u = tutti.parallel(function() return 22 end)
      return t:await() + u:await()
    end):await()
    assert.equal(42, got)
  end)

  it("joins what it started before it settles", function()
    local ch = tutti.channel(10)
    local task = tutti.parallel(function(c)
      tutti.spawn(function() tutti.sleep(0.005) c:send("joined") end)
    end, ch)
    task:await()
    assert.equal("joined", (ch:recv()))
  end)

  it("comes after tasks of either side", function()
    local here = tutti.spawn(function() tutti.sleep(0.001) return { 1 } end)
    local there = tutti.parallel(function() return { 2 } end)
    local function add(a, b, c) return a[1] + b[1] + c end
    local sum = tutti.task({ add, after = { here, there }, on = "pool", args = { 4 } })
    assert.equal(7, sum:await())
    assert.equal(8, tutti.task({ function(s) return s + 1 end, after = { sum } }):await())
  end)

  it("skips on the pool with the root's own error", function()
    local bad = tutti.parallel({ name = "bad" }, function() error("root") end)
    local mid = tutti.task({ function() end, after = { bad }, on = "pool" })
    local last = tutti.task({ function() end, after = { mid } })
    local _, err = last:pawait()
    local _, root = bad:pawait()
    assert.equal("skipped", err.kind)
    assert.equal(root, err.cause)
    assert.equal("bad", err.cause.task)
    assert.equal("skipped", mid:state())
  end)

  it("skips on the pool for a failure of the script's state", function()
    local bad = tutti.spawn({ name = "here" }, function() tutti.sleep(0.001) error("local") end)
    local task = tutti.task({ function() end, after = { bad }, on = "pool" })
    local _, err = task:pawait()
    assert.equal("skipped", err.kind)
    assert.equal(select(2, bad:pawait()), err.cause)
  end)

  it("runs on skip with handles", function()
    local bad = tutti.parallel(function() error("x") end)
    local function look(t) return t:state(), select(2, t:pawait()).message end
    local task = tutti.task({ look, after = { bad }, run_on_skip = true, on = "pool" })
    local state, message = task:await()
    assert.equal("failed", state)
    assert.matches("x", message)
  end)

  it("carries a handle into the pool and back", function()
    local slow = tutti.spawn(function() tutti.sleep(0.003) return "from home" end)
    local task = tutti.parallel(function(t) return t:await(), t end, slow)
    local value, handle = task:await()
    assert.equal("from home", value)
    assert.equal(slow, handle)
  end)

  it("has a global environment of its own", function()
    assert.is_nil(tutti.parallel(function() LEAK = 1 return nil end):await()) -- luacheck: ignore
    local _, err = tutti.parallel(function() return LEAK end):pawait() -- luacheck: ignore
    assert.matches('global "LEAK" is not set in a pool task', err.message)
  end)

  it("refuses what cannot cross, before anything is sent, at the caller's line", function()
    local socket = io.stdout
    local f = function() return tutti.parallel(function() return socket end) end
    local ok, err = pcall(f)
    assert.is_false(ok)
    assert.equal("transfer", err.kind)
    assert.matches('upvalue "socket": userdata', err.message)
    assert.matches("parallel_spec.lua:" .. debug.getinfo(f, "S").linedefined, err.message)
  end)

  it("fails for a result that cannot cross", function()
    local _, err = tutti.parallel({ name = "odd" }, function() return coroutine.create(print) end):pawait()
    assert.equal("transfer", err.kind)
    assert.matches('result of task "odd"', err.message)
  end)

  it("keeps error values and the worker's traceback", function()
    local function deep() error({ code = 7 }) end
    local _, err = tutti.parallel({ name = "far" }, function() deep() end):pawait()
    assert.equal(7, err.value.code)
    assert.equal("far", err.task)
    assert.matches("in upvalue 'deep'", err.traceback)
    assert.matches("parallel_spec.lua:%d+: started task \"far\"", err.traceback)
    local _, odd = tutti.parallel(function() error(coroutine.create(print)) end):pawait()
    assert.matches("thread", odd.message)
  end)

  it("takes error objects as values", function()
    local _, err = tutti.spawn({ name = "mine" }, function() error({ code = 7, io.stdout }) end):pawait()
    local kind, task, code, text = tutti.parallel(function(e, list)
      assert(e == list[1])
      return e.kind, e.task, e.value.code, tostring(e.value[1])
    end, err, { err }):await()
    assert.same({ "error", "mine", 7, "(userdata)" }, { kind, task, code, text })
    local ch = tutti.channel(1)
    ch:send(err)
    local copy = ch:recv()
    assert.equal(tostring(err), tostring(copy))
    assert.equal(err.traceback, copy.traceback)
  end)

  it("is cancelled before it starts and while it is suspended", function()
    local blockers = {}
    for i = 1, 8 do
      blockers[i] = tutti.parallel(function() tutti.sleep(60) end)
    end
    tutti.sleep(0.005)
    for _, task in ipairs(blockers) do
      task:cancel("enough")
      local ok, err = task:pawait()
      assert.is_false(ok)
      assert.equal("cancelled", err.kind)
      assert.equal("cancelled", task:state())
    end
  end)

  it("lets another state cancel a task of this one", function()
    local slow = tutti.spawn(function() tutti.sleep(60) end)
    tutti.parallel(function(t) t:cancel("from afar") end, slow):await()
    assert.is_false((slow:pawait()))
    assert.equal("cancelled", slow:state())
  end)

  it("runs thousands", function()
    local list = {}
    for i = 1, 5000 do
      list[i] = tutti.parallel(function(n) return n end, i)
    end
    local sum = 0
    for _, n in ipairs(tutti.all(list):await()) do
      sum = sum + n
    end
    assert.equal(5000 * 5001 // 2, sum)
  end)

  it("lets several threads add tasks after one handle", function()
    local gate = tutti.channel(0)
    local first = tutti.parallel(function(c) return (c:recv()) end, gate)
    local adders = {}
    for i = 1, 3 do
      adders[i] = tutti.parallel(function(handle)
        local list = {}
        for k = 1, 200 do
          list[k] = tutti.task({ function(n) return n + k end, after = { handle }, on = "pool" })
        end
        local sum = 0
        for _, n in ipairs(tutti.all(list):await()) do
          sum = sum + n
        end
        return sum
      end, first)
    end
    gate:send(1000)
    for _, sum in ipairs(tutti.all(adders):await()) do
      assert.equal(200 * 1000 + 200 * 201 // 2, sum)
    end
  end)

  it("starts before the last of many submissions is made", function()
    local path = os.tmpname()
    os.remove(path)
    local first = tutti.parallel(function(p) io.open(p, "w"):close() end, path)
    -- This state submits and never waits. Under a sanitizer a start costs many times as much.
    local list, least, stop = {}, build.is_release and 100000 or 10000, tutti.now() + 30
    local has_started
    repeat
      for _ = 1, 1000 do
        list[#list + 1] = tutti.parallel(function() end)
      end
      local file = io.open(path)
      has_started = file ~= nil and file:close()
    until has_started or #list >= least and tutti.now() > stop
    assert.is_true(has_started)
    first:await()
    os.remove(path)
    tutti.settle(list):await()
  end)
end)

describe("channel", function()
  it("keeps order and hands out nil, false when closed and empty", function()
    local ch = tutti.channel(2)
    local producer = tutti.spawn(function()
      for i = 1, 10 do
        ch:send(i)
      end
      ch:close()
    end)
    local got = {}
    for v in ch:iter() do
      got[#got + 1] = v
    end
    producer:await()
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got)
    assert.same({ nil, false }, { ch:recv() })
  end)

  it("copies at send", function()
    local ch = tutti.channel(1)
    local t = { 1 }
    ch:send(t)
    t[1] = 2
    local got, ok = ch:recv()
    assert.is_true(ok)
    assert.equal(1, got[1])
    assert.are_not.equal(t, got)
  end)

  it("is a rendezvous with capacity 0", function()
    local ch = tutti.channel(0)
    local log = {}
    local sender = tutti.spawn(function() ch:send(1) log[#log + 1] = "sent" end)
    tutti.sleep(0.002)
    log[#log + 1] = "before"
    ch:recv()
    sender:await()
    assert.same({ "before", "sent" }, log)
  end)

  it("refuses nil, what cannot cross, and a closed channel", function()
    local ch = tutti.channel(1)
    assert.matches("nil cannot be sent", tostring(select(2, pcall(ch.send, ch, nil))))
    local _, err = pcall(ch.send, ch, coroutine.create(print))
    assert.equal("transfer", err.kind)
    ch:close()
    ch:close()
    assert.matches("closed", tostring(select(2, pcall(ch.send, ch, 1))))
  end)

  it("wakes blocked senders and receivers when it is closed", function()
    local full, empty = tutti.channel(0), tutti.channel(0)
    local sender = tutti.spawn(function() full:send(1) end)
    local receiver = tutti.spawn(function() return empty:recv() end)
    tutti.sleep(0.001)
    full:close()
    empty:close()
    assert.matches("closed", tostring(select(2, sender:pawait())))
    assert.same({ true, nil, false }, { receiver:pawait() })
  end)

  it("loses nothing when a receiver is cancelled", function()
    local ch = tutti.channel(0)
    local receiver = tutti.spawn(function() return ch:recv() end)
    tutti.sleep(0.001)
    local sender = tutti.spawn(function() ch:send("kept") end)
    tutti.spawn(function() receiver:cancel() end)
    tutti.sleep(0.002)
    if receiver:state() == "cancelled" then
      assert.equal("kept", (ch:recv()))
    end
    sender:await()
  end)

  it("works between several workers", function()
    local jobs, results = tutti.channel(4), tutti.channel(4)
    local workers = {}
    for i = 1, 4 do
      workers[i] = tutti.parallel(function(from, to)
        for n in from:iter() do
          to:send(n * n)
        end
      end, jobs, results)
    end
    local feeder = tutti.spawn(function()
      for i = 1, 200 do
        jobs:send(i)
      end
      jobs:close()
    end)
    local sum = 0
    for _ = 1, 200 do
      sum = sum + results:recv()
    end
    feeder:await()
    tutti.all(workers):await()
    assert.equal(200 * 201 * 401 // 6, sum)
  end)
end)
