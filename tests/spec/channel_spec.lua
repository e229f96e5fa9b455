-- SPDX-License-Identifier: MIT
-- Channels, semaphores and events: what tasks of one state and of several hand to each other.
local describe, it, assert = describe, it, assert
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local function yield_a_while()
  for _ = 1, 5 do
    tutti.checkpoint()
  end
end

describe("a channel", function()
  it("gives back what was sent, of every plain kind", function()
    local ch = tutti.channel(100)
    local values = { true, false, 0, -1, math.mininteger, math.maxinteger, 2 ^ 53 + 1, -0.0, 1 / 0, "",
      "a\0b", ("x"):rep(29), ("x"):rep(30), ("x"):rep(31), ("x"):rep(100000) }
    for _, value in ipairs(values) do
      ch:send(value)
    end
    for _, value in ipairs(values) do
      local got = ch:recv()
      assert.equal(value, got)
      assert.equal(math.type(value), math.type(got))
    end
    ch:send(0 / 0)
    local nan = ch:recv()
    assert.is_true(nan ~= nan)
    ch:send(-0.0)
    assert.equal(-1 / 0, 1 / ch:recv())
  end)

  it("keeps order when it grows, shrinks and grows again", function()
    local ch = tutti.channel(100000)
    local first, last = 1, 0
    for _, change in ipairs({ 5, -3, 3000, -2990, 5000, -5012, 9, -9 }) do
      for _ = 1, change do
        last = last + 1
        ch:send(last)
      end
      for _ = 1, -change do
        assert.equal(first, (ch:recv()))
        first = first + 1
      end
    end
    assert.equal(last + 1, first)
  end)

  it("keeps no memory for values that were received", function()
    local ch = tutti.channel(1)
    local sink = tutti.spawn(function()
      local n = 0
      for _ in ch:iter() do
        n = n + 1
      end
      return n
    end)
    local function send(n)
      for i = 1, n do
        ch:send({ i })
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = tutti.spawn(send, 1000):await()
    local many = build.times(20000)
    local after = tutti.spawn(send, many):await()
    ch:close()
    assert.equal(1000 + many, sink:await())
    assert.is_true(after < before + 64, "grew by " .. after - before .. " KiB")
  end)

  it("loses no item when a receive is cancelled before, between and after it is served", function()
    for moment = 1, 3 do
      local ch = tutti.channel(1)
      local receiver = tutti.spawn(function() return (ch:recv()) end)
      tutti.spawn(function()
        yield_a_while() -- the receiver waits
        if moment == 1 then
          receiver:cancel()
        end
        ch:send("item")
        if moment == 2 then
          receiver:cancel() -- served, not resumed yet
        end
        yield_a_while()
        if moment == 3 then
          receiver:cancel() -- has returned
        end
      end):await()
      local ok, got = receiver:pawait()
      assert.equal(moment == 3, ok)
      if ok then
        assert.equal("item", got)
      else
        assert.equal("cancelled", got.kind)
        assert.equal("item", (ch:recv()))
      end
    end
  end)

  it("keeps the order of items when a served receive is cancelled", function()
    local ch = tutti.channel(4)
    local receiver = tutti.spawn(function() return (ch:recv()) end)
    tutti.spawn(function()
      yield_a_while()
      for i = 1, 5 do
        ch:send(i) -- the first one is the receiver's, four are kept
      end
      receiver:cancel()
    end):await()
    assert.is_false((receiver:pawait()))
    for i = 1, 5 do
      assert.equal(i, (ch:recv()))
    end
  end)

  it("sends nothing when a send is cancelled", function()
    local ch = tutti.channel(0)
    local sender = tutti.spawn(function() ch:send("never") end)
    tutti.spawn(function()
      yield_a_while()
      sender:cancel()
      local receiver = tutti.spawn(function() return ch:recv() end)
      yield_a_while()
      assert.equal("suspended", receiver:state())
      receiver:cancel()
    end):await()
    assert.equal("cancelled", sender:state())
  end)

  it("lets a send that was served before the cancel return, and raises at the next checkpoint", function()
    local ch = tutti.channel(0)
    local log = {}
    local sender = tutti.spawn(function()
      ch:send("taken")
      log[#log + 1] = "sent"
      tutti.checkpoint()
      log[#log + 1] = "never"
    end)
    tutti.spawn(function()
      yield_a_while()
      assert.equal("taken", (ch:recv()))
      sender:cancel()
    end):await()
    assert.is_false((sender:pawait()))
    assert.same({ "sent" }, log)
  end)

  it("refuses senders that wait when it is closed, and hands out what it has", function()
    local ch = tutti.channel(1)
    local senders = {}
    for i = 1, 4 do
      senders[i] = tutti.spawn(function() ch:send(i) end)
    end
    tutti.spawn(function()
      yield_a_while()
      ch:close()
    end):await()
    assert.is_true((senders[1]:pawait()))
    for i = 2, 4 do
      local ok, err = senders[i]:pawait()
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches("channel_spec.lua:%d+: send on a channel that is closed", err.message)
    end
    assert.equal(1, (ch:recv()))
    assert.same({ nil, false }, { ch:recv() })
  end)

  it("does not raise the cancellation in close", function()
    local ch = tutti.channel(0)
    local task = tutti.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() ch:close() end })
      tutti.sleep(60)
    end)
    tutti.spawn(function()
      yield_a_while()
      task:cancel()
    end):await()
    task:pawait()
    assert.same({ nil, false }, { ch:recv() })
  end)

  it("is one thing to all its handles", function()
    local ch = tutti.channel(2)
    ch:send({ ch })
    assert.equal(ch, ch:recv()[1])
    local same = tutti.parallel(function(c)
      c:send("from the pool")
      return c
    end, ch):await()
    assert.equal(ch, same)
    assert.equal("from the pool", (ch:recv()))
  end)

  it("serves tasks of several workers first come, first served, and loses nothing under cancels", function()
    local ch, n = tutti.channel(3), 300
    local receivers = {}
    for i = 1, 6 do
      receivers[i] = tutti.parallel(function(from)
        local sum = 0
        for v in from:iter() do
          sum = sum + v
        end
        return sum
      end, ch)
    end
    local cancelled = 0
    for i = 1, n do
      ch:send(i)
      local brief = tutti.spawn(function() return (ch:recv()) end)
      tutti.spawn(function() brief:cancel() end)
      local ok, got = brief:pawait()
      if ok then
        cancelled = cancelled + got
      end
    end
    ch:close()
    local sum = cancelled
    for _, part in ipairs(tutti.all(receivers):await()) do
      sum = sum + part
    end
    assert.equal(n * (n + 1) // 2, sum)
  end)
end)

describe("a semaphore", function()
  it("lets so many in and the others wait in order", function()
    local sem = tutti.semaphore(2)
    local inside, most, order, tasks = 0, 0, {}, {}
    for i = 1, 8 do
      tasks[i] = tutti.spawn(function()
        local permit <close> = sem:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        order[#order + 1] = i
        yield_a_while()
        inside = inside - 1
        return permit ~= nil
      end)
    end
    tutti.all(tasks):await()
    assert.equal(2, most)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, order)
  end)

  it("is not overtaken: who comes while others wait goes to the back", function()
    local sem = tutti.semaphore(1)
    local order = {}
    sem:acquire()
    local first = tutti.spawn(function() sem:acquire() order[#order + 1] = "first" sem:release() end)
    tutti.spawn(function()
      yield_a_while()
      sem:release()
      sem:acquire() -- the permit is the first one's already
      order[#order + 1] = "second"
      sem:release()
    end):await()
    first:await()
    assert.same({ "first", "second" }, order)
  end)

  it("loses no permit when an acquire is cancelled before or after it is served", function()
    for moment = 1, 2 do
      local sem = tutti.semaphore(1)
      local mine = sem:acquire()
      local waiting = tutti.spawn(function()
        local permit <close> = sem:acquire()
        return permit ~= nil
      end)
      tutti.spawn(function()
        yield_a_while()
        if moment == 1 then
          waiting:cancel()
        end
        mine:release()
        if moment == 2 then
          waiting:cancel() -- it has the permit, but was not resumed yet
        end
      end):await()
      assert.equal("cancelled", select(2, waiting:pawait()).kind)
      sem:acquire():release() -- would wait for ever if one were lost
    end
  end)

  it("releases each permit once", function()
    local sem = tutti.semaphore(2)
    local permit = sem:acquire()
    permit:release()
    permit:release() -- nothing
    local _, err = pcall(sem.release, sem)
    assert.equal("usage", err.kind)
    assert.matches("released already", err.message)
    sem:acquire()
    sem:release()
  end)

  it("is released in cleanup although the task is cancelled", function()
    local sem = tutti.semaphore(1)
    local task = tutti.spawn(function()
      local permit <close> = sem:acquire()
      tutti.sleep(60)
      return permit
    end)
    tutti.spawn(function()
      yield_a_while()
      task:cancel()
    end):await()
    sem:acquire():release()
    assert.equal("cancelled", task:state())
  end)

  it("works between states", function()
    local sem, log = tutti.semaphore(1), tutti.channel(100)
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = tutti.parallel(function(s, to)
        for _ = 1, 5 do
          local permit <close> = s:acquire()
          to:send("in")
          tutti.checkpoint()
          to:send("out")
          assert(permit)
        end
      end, sem, log)
    end
    tutti.all(tasks):await()
    for _ = 1, 20 do
      assert.equal("in", (log:recv()))
      assert.equal("out", (log:recv()))
    end
  end)

  it("refuses sizes that make no sense", function()
    for _, size in ipairs({ 0, -1, 1.5, "3", {} }) do
      local ok, err = pcall(tutti.semaphore, size)
      assert.is_false(ok)
      assert.matches("a number of permits, 1 or more, was expected", err.message)
    end
  end)
end)

describe("an event", function()
  it("lets all through once it is set, and for ever", function()
    local ev = tutti.event()
    local count, tasks = 0, {}
    for i = 1, 5 do
      tasks[i] = tutti.spawn(function()
        ev:wait()
        count = count + 1
      end)
    end
    tutti.spawn(function()
      yield_a_while()
      assert.equal(0, count)
      assert.is_false(ev:is_set())
      ev:set()
      ev:set()
    end):await()
    tutti.all(tasks):await()
    assert.equal(5, count)
    assert.is_true(ev:is_set())
    ev:wait()
  end)

  it("forgets a wait that is cancelled", function()
    local ev = tutti.event()
    local task = tutti.spawn(function() ev:wait() end)
    tutti.spawn(function()
      yield_a_while()
      task:cancel()
      ev:set()
    end):await()
    assert.equal("cancelled", select(2, task:pawait()).kind)
  end)

  it("is set from another state, and waited for there", function()
    local go, done = tutti.event(), tutti.event()
    local task = tutti.parallel(function(from, to)
      from:wait()
      to:set()
    end, go, done)
    go:set()
    done:wait()
    task:await()
  end)

  it("says which operation cannot wait where it was called", function()
    local ev, sem = tutti.event(), tutti.semaphore(1)
    sem:acquire()
    for name, call in pairs({ ["event:wait"] = function() ev:wait() end,
      ["semaphore:acquire"] = function() sem:acquire() end }) do
      local _, err = tutti.spawn(function()
        table.sort({ 3, 2, 1 }, function(a, b) call() return a < b end)
      end):pawait()
      assert.equal("usage", err.kind)
      assert.matches(name .. " cannot wait here", err.message, 1, true)
    end
  end)
end)
