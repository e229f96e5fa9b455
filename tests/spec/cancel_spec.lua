-- SPDX-License-Identifier: MIT
-- luacheck: ignore 431 (functions that cross are handed their own tutti)
-- Cancel at every moment of a task's life, and the bugs that users of other systems met there. Each says what
-- state and error come out.
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local describe, busted_it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local IS_SLOW = not build.is_release

-- In the virtual clock: no load on the machine changes an order.
local function it(name, f) -- luacheck: ignore
  busted_it(name, function()
    tutti.testing({ seed = 1, name = name }, f)
  end)
end

local function turns(n)
  for _ = 1, n or 3 do
    tutti.checkpoint()
  end
end

-- That t has been cancelled, for `reason` if given; returns its error.
local function assert_cancelled(t, reason)
  local ok, err = t:pawait()
  assert.is_false(ok)
  assert.equal("cancelled", err.kind, tostring(err))
  assert.equal("cancelled", t:state())
  if reason then
    assert.matches(reason, tostring(err), 1, true)
  end
  return err
end

local function closing(f)
  return setmetatable({}, { __close = f })
end

describe("a task that is cancelled", function()
  it("while it waits for a dependency settles at once and never runs", function()
    local ran = false
    local first = tutti.spawn(tutti.sleep, 5)
    local t = tutti.task({ function() ran = true end, after = { first } })
    turns()
    t:cancel("not needed")
    assert.is_true(t:is_done())
    assert_cancelled(t, "not needed")
    assert.is_false(first:is_done())
    first:await()
    assert.is_false(ran)
  end)

  it("while it is ready settles at once and never runs", function()
    local ran = false
    local t = tutti.spawn(function() ran = true end)
    t:cancel("early")
    assert.is_true(t:is_done())
    turns()
    assert_cancelled(t, "early")
    assert.is_false(ran)
  end)

  it("by itself runs to its next checkpoint, which raises", function()
    local log = {}
    local t = tutti.spawn(function()
      tutti.current():cancel("my own")
      log[1] = tutti.cancelled()
      local ok, err = tutti.rawpcall(tutti.checkpoint)
      log[2], log[3] = ok, err.kind
      tutti.sleep(1)
      log[4] = "never"
    end)
    assert_cancelled(t, "my own")
    assert.same({ true, false, "cancelled" }, log)
  end)

  it("by itself, and returns without a checkpoint, is cancelled", function()
    local t = tutti.spawn(function() tutti.current():cancel() return 1 end)
    assert_cancelled(t)
  end)

  for name, wait in pairs({
    ["in a sleep"] = function() tutti.sleep(100) end,
    ["in recv"] = function() tutti.channel(0):recv() end,
    ["in send"] = function() tutti.channel(0):send(1) end,
    ["in acquire"] = function()
      local sem = tutti.semaphore(1)
      sem:acquire()
      sem:acquire()
    end,
    ["in wait of an event"] = function() tutti.event():wait() end,
    ["in an await"] = function() tutti.spawn(tutti.sleep, 100):await() end,
    ["in an await of a gather"] = function() tutti.all({ tutti.spawn(tutti.sleep, 100) }):await() end,
    ["in a scope's end"] = function() tutti.scope(function(s) s:spawn(tutti.sleep, 100) end) end,
    ["in tutti.timeout"] = function() tutti.timeout(200, tutti.sleep, 100) end,
    ["in its implicit join"] = function() tutti.spawn(tutti.sleep, 100) end,
  }) do
    it(name .. " ends at once, having closed its variables, and leaves nothing", function()
      local log = {}
      local t = tutti.spawn(function()
        local _ <close> = closing(function(_, e) log[#log + 1] = e and e.kind or "returned" end)
        wait()
        if name ~= "in its implicit join" then
          log[#log + 1] = "went on"
        end
      end)
      turns()
      t:cancel("moved on")
      assert_cancelled(t, "moved on")
      assert.same({ name == "in its implicit join" and "returned" or "cancelled" }, log)
      assert.equal(0, tutti.now()) -- nobody slept
    end)
  end

  it("in a nested generator closes the variables from the inside out", function()
    local log = {}
    local function level(n)
      return tutti.coroutine.wrap(function()
        local _ <close> = closing(function(_, e) log[#log + 1] = n .. e.kind end)
        if n == 3 then
          tutti.sleep(100)
        end
        for v in level(n + 1) do
          tutti.coroutine.yield(v)
        end
      end)
    end
    local t = tutti.spawn(function() return level(1)() end)
    turns()
    t:cancel()
    assert_cancelled(t)
    assert.same({ "3cancelled", "2cancelled", "1cancelled" }, log)
  end)

  it("in the turn in which what it awaits settles: the cancel first", function()
    local event, seen = tutti.event(), nil
    local t = tutti.spawn(function() event:wait() seen = true tutti.checkpoint() return 1 end)
    turns()
    t:cancel("won")
    event:set()
    assert_cancelled(t, "won")
    assert.is_nil(seen)
  end)

  it("in the turn in which what it awaits settles: the cancel second", function()
    local event = tutti.event()
    local t = tutti.spawn(function() event:wait() tutti.checkpoint() return 1 end)
    turns()
    event:set()
    t:cancel("came late")
    assert_cancelled(t, "came late") -- it had not gone on yet
  end)

  it("at the instant at which its sleep ends: the sleep first", function()
    local t = tutti.spawn(function() tutti.sleep(1) return "slept" end)
    tutti.checkpoint()
    tutti.spawn(function() tutti.sleep(1) t:cancel("came late") end)
    assert.equal("slept", t:await())
    turns()
    assert.equal("done", t:state())
    assert.equal(1, tutti.now())
  end)

  it("at the instant at which its sleep ends: the cancel first", function()
    local t
    tutti.spawn(function() tutti.sleep(1) t:cancel("at once") end)
    t = tutti.spawn(function() tutti.sleep(1) return "slept" end)
    turns()
    assert_cancelled(t, "at once")
    assert.equal(1, tutti.now())
  end)

  it("in __close finishes it; awaits there raise, shields do not", function()
    local log = {}
    local t = tutti.spawn(function()
      local _ <close> = closing(function()
        tutti.shield(10, function()
          tutti.sleep(2)
          log[#log + 1] = "shielded"
        end)
        local ok, err = tutti.rawpcall(tutti.sleep, 1)
        log[#log + 1] = ok or err.kind
      end)
      return "result"
    end)
    tutti.sleep(1)
    t:cancel("while closing")
    assert_cancelled(t, "while closing")
    assert.same({ "shielded", "cancelled" }, log)
    assert.equal(2, tutti.now())
  end)

  it("after it has settled stays what it is", function()
    local good = tutti.spawn(function() return 1 end)
    local bad = tutti.spawn(function() error("boom") end)
    assert.is_false((bad:pawait()))
    good:await()
    good:cancel("late")
    bad:cancel("late")
    assert.same({ "done", "failed" }, { good:state(), bad:state() })
    assert.equal(1, good:await())
    assert.equal("error", select(2, bad:pawait()).kind)
  end)

  it("by two at once keeps the first reason, and is closed once", function()
    local closed = 0
    local t = tutti.spawn(function()
      local _ <close> = closing(function() closed = closed + 1 end)
      tutti.sleep(100)
    end)
    turns()
    local one = tutti.spawn(function() t:cancel("first") end)
    local two = tutti.spawn(function() t:cancel("second") end)
    one:await()
    two:await()
    assert_cancelled(t, "first")
    assert.equal(1, closed)
  end)

  it("whose error of its own comes out of the cleanup is failed", function()
    local t = tutti.spawn(function()
      local _ <close> = closing(function() error("cleanup broke") end)
      tutti.sleep(100)
    end)
    turns()
    t:cancel()
    local ok, err = t:pawait()
    assert.same({ false, "error", "failed" }, { ok, err.kind, t:state() })
    assert.matches("cleanup broke", err.message)
  end)
end)

describe("a cancel that is real", function()
  local function pool_task(...)
    local started = tutti.event()
    local t = tutti.parallel(function(event, ...)
      event:set()
      require("tutti").sleep(...)
    end, started, ...)
    return t, started
  end

  busted_it("reaches a pool task that is suspended, from the loop and from another worker", function()
    tutti.spawn(function()
      local one, begun = pool_task(1000)
      begun:wait()
      one:cancel("from the loop")
      assert_cancelled(one, "from the loop")
      local two, begun_too = pool_task(1000)
      begun_too:wait()
      tutti.parallel(function(t) t:cancel() end, two):await()
      assert_cancelled(two)
    end):await()
  end)

  busted_it("reaches a task of the loop from a worker", function()
    tutti.spawn(function()
      local t = tutti.spawn(tutti.sleep, 1000)
      turns()
      tutti.parallel(function(t) t:cancel() end, t):await()
      assert_cancelled(t)
    end):await()
  end)

  busted_it("ends a process, and a wait for it", function()
    tutti.spawn(function()
      local process = tutti.exec({ "sleep", "1000" })
      local t = tutti.spawn(function() process:await() end)
      turns()
      t:cancel("no more")
      assert_cancelled(t, "no more")
      process:cancel("enough")
      assert_cancelled(process, "enough")
    end):await()
  end)

  busted_it("by two workers at once, again and again, settles the task once", function()
    tutti.spawn(function()
      for _ = 1, IS_SLOW and 20 or 200 do
        local t = tutti.spawn(tutti.sleep, 1000)
        local function cancel(t) t:cancel() end
        tutti.all({ tutti.parallel(cancel, t), tutti.parallel(cancel, t) }):await()
        assert_cancelled(t)
      end
    end):await()
  end)

  busted_it("during a call of the file system's", function()
    tutti.spawn(function()
      local t = tutti.spawn(function()
        while true do
          tutti.fs.stat("/")
        end
      end)
      tutti.sleep(0.005)
      t:cancel("enough files")
      assert_cancelled(t, "enough files")
    end):await()
  end)
end)

-- The bugs of reliability.md 4.2, named by where users met them.
describe("a bug of others:", function()
  it("a child that cancels its own group before it suspends hangs it (cpython #155418)", function()
    local ok, err = tutti.pcall(tutti.scope, function(s)
      s:spawn(function() s:cancel("by a child") tutti.sleep(1e9) end)
    end)
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.equal(0, tutti.now())
  end)

  it("a task started by one that then fails is a deadlock (cpython #128550)", function()
    for depth = 1, 5 do
      local function nest(s, n)
        s:spawn(n == 0 and tutti.sleep or nest, n == 0 and 1e9 or s, n - 1)
        error("fails at " .. n)
      end
      local ok, err = tutti.pcall(tutti.scope, function(s)
        s:spawn(nest, s, depth)
        tutti.sleep(1e9)
      end)
      assert.is_false(ok)
      assert.equal("group", err.kind)
    end
    assert.equal(0, tutti.now())
  end)

  it("a child that fails in its first statement leaves its siblings running (anyio #155)", function()
    for _, order in ipairs({ "before", "after" }) do
      local ended
      local function sibling()
        local _ <close> = closing(function(_, e) ended = e.kind end)
        tutti.sleep(1e9)
      end
      local ok, err = tutti.pcall(tutti.scope, function(s)
        if order == "after" then
          s:spawn(sibling)
        end
        s:spawn(function() error("at once") end)
        if order == "before" then
          s:spawn(sibling)
        end
      end)
      assert.is_false(ok)
      assert.equal("group", err.kind)
      assert.equal(1, #err.errors)
      assert.equal(order == "after" and "cancelled" or nil, ended) -- the later one never ran
    end
    assert.equal(0, tutti.now())
  end)

  it("the inner group's handler swallows the outer one's cancel (cpython #116720)", function()
    local went_on = false
    local ok, err = tutti.pcall(tutti.scope, function(outer)
      outer:spawn(function() tutti.sleep(1) error("outer child") end)
      tutti.pcall(tutti.scope, function(inner)
        inner:spawn(function() tutti.sleep(1) error("inner child") end)
        tutti.sleep(1e9)
      end)
      tutti.sleep(1)
      went_on = true
    end)
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.matches("outer child", tostring(err))
    assert.is_false(went_on)
    assert.equal(1, tutti.now())
  end)

  it("a group that was cancelled swallows a cancel from outside (cpython #155433)", function()
    local ok, err = tutti.pcall(tutti.timeout, 0.5, function()
      tutti.pcall(tutti.scope, function(s)
        s:spawn(function()
          local _ <close> = closing(function() tutti.shield(5, tutti.sleep, 1) end)
          tutti.sleep(1e9)
        end)
        tutti.sleep(0.1)
        s:cancel("inside")
      end)
      tutti.sleep(1e9)
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    assert.is_true(tutti.now() < 2)
  end)

  it("the count of cancels is left wrong (cpython #95289, #133747, #128588)", function()
    for i = 1, build.times(1000) do
      local ok, err = tutti.pcall(tutti.scope, function(outer)
        tutti.pcall(tutti.scope, function(inner) inner:cancel() tutti.checkpoint() end)
        if i % 2 == 0 then
          outer:cancel()
        end
      end)
      assert.equal(i % 2 == 1, ok)
      assert.is_true(ok or err.kind == "cancelled")
      assert.is_false((tutti.cancelled()))
    end
    tutti.checkpoint()
  end)

  it("errors of a group are dropped when the parent was cancelled too (cpython #95704)", function()
    local t = tutti.spawn(function()
      tutti.scope(function(s)
        s:spawn(function()
          local _ <close> = closing(function() error("in the cleanup of a child") end)
          tutti.sleep(1e9)
        end)
        tutti.sleep(1e9)
      end)
    end)
    turns()
    t:cancel("the parent")
    local ok, err = t:pawait()
    assert.is_false(ok)
    local text = tostring(err)
    for _, inner in ipairs(err.errors or {}) do
      text = text .. tostring(inner)
    end
    assert.matches("in the cleanup of a child", text, 1, true)
  end)

  it("a catch-all swallows the cancellation (Kotlin: ksrpc #278 and others)", function()
    local rounds = 0
    local t = tutti.spawn(function()
      while true do
        tutti.pcall(tutti.sleep, 1)
        rounds = rounds + 1
      end
    end)
    tutti.sleep(2.5)
    t:cancel()
    assert_cancelled(t)
    assert.equal(2, rounds)
  end)

  it("a plain scope inside a supervising one breaks it (kotlinx #4385)", function()
    local survived = false
    local ok, err = tutti.pcall(tutti.scope, { on_failure = "collect" }, function(s)
      s:spawn(function()
        tutti.scope(function(inner) inner:spawn(function() error("inside") end) end)
      end)
      s:spawn(function() tutti.sleep(1) survived = true end)
    end)
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.is_true(survived)
  end)

  -- kotlinx #1249, a scope waits for a child that never checks: interrupt_spec.lua, run by the program.

  it("an error that nobody awaits is lost (asyncio: never retrieved)", function()
    local t = tutti.spawn(function() tutti.spawn(function() error("nobody looked") end) end)
    local ok, err = t:pawait()
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.matches("nobody looked", tostring(err.errors[1]))
  end)

  it("a task without a handle is collected while it runs (asyncio; HAP-python #460)", function()
    local ended = 0
    for i = 1, 1000 do
      tutti.spawn(function()
        tutti.sleep(i / 1000)
        ended = ended + 1
      end)
      if i % 100 == 0 then
        tutti.checkpoint()
        collectgarbage()
      end
    end
    collectgarbage()
    tutti.sleep(2)
    assert.equal(1000, ended)
  end)
end)

describe("one long-lived task", function()
  it("keeps its memory flat over hundreds of thousands of timeouts", function()
    local rounds = IS_SLOW and build.times(20000) or 200000
    local function nothing() end
    local function run()
      for _ = 1, rounds // 2 do
        tutti.timeout(3600, nothing)
      end
      collectgarbage()
      return collectgarbage("count")
    end
    local first = run()
    assert.is_true(run() - first < 64)
  end)
end)
