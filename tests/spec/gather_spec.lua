-- SPDX-License-Identifier: MIT
-- all, settle, any, race, completed.
local build = require("tests.spec.support.build")
local tutti = require("tutti")

local function after(seconds, value)
  return tutti.spawn(function() tutti.sleep(seconds) return value end)
end
local function failing(seconds, text)
  return tutti.spawn(function() tutti.sleep(seconds) error(text, 0) end)
end
-- For what is to come later for certain: a short sleep may end after a longer one that began sooner.
local function failing_at(gate, text)
  return tutti.spawn(function() gate:wait() error(text, 0) end)
end

describe("all", function()
  it("gives the first results in order, also of none", function()
    assert.same({ 1, 2, 3 }, tutti.all({ after(0.003, 1), after(0.001, 2), after(0, 3) }):await())
    assert.same({}, tutti.all({}):await())
    local one = tutti.spawn(function() end)
    assert.equal(0, #tutti.all({ one }):await())
  end)

  it("fails at the first failure; the others go on", function()
    local gate = tutti.event()
    local slow = tutti.spawn(function() gate:wait() return "done" end)
    local ok, err = tutti.all({ slow, failing(0.001, "first") }):pawait()
    assert.is_false(ok)
    assert.equal("first", err.message)
    assert.is_false(slow:is_done())
    gate:set()
    assert.equal("done", slow:await())
  end)

  it("leaves a later failure to the parent", function()
    local parent = tutti.spawn(function()
      local gate = tutti.event()
      local ok = tutti.all({ failing(0.001, "first"), failing_at(gate, "later") }):pawait()
      gate:set()
      return ok
    end)
    local ok, err = parent:pawait()
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.equal(1, #err.errors)
    assert.equal("later", err.errors[1].message)
  end)

  it("can be cancelled without cancelling the members", function()
    local member = after(0.005, 1)
    local all = tutti.all({ member })
    all:cancel()
    assert.equal("cancelled", all:state())
    assert.equal(1, member:await())
  end)

  it("names a wrong element", function()
    local _, err = pcall(tutti.all, { after(0, 1), "x" })
    assert.matches("element 2 of the list is a string", err.message)
  end)
end)

describe("settle", function()
  it("tells of each how it ended", function()
    local list = tutti.settle({ after(0.001, 5), failing(0, "bad") }):await()
    assert.is_true(list[1].ok)
    assert.equal(5, list[1].value)
    assert.is_false(list[2].ok)
    assert.equal("bad", list[2].error.message)
  end)
end)

describe("any", function()
  it("takes the first success and cancels the others", function()
    local slow = after(10, 1)
    assert.equal(2, tutti.any({ slow, failing(0, "x"), after(0.002, 2) }):await())
    assert.equal("cancelled", slow:state())
  end)

  it("fails as a group when all fail", function()
    local ok, err = tutti.any({ failing(0, "a"), failing(0, "b") }):pawait()
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.equal(2, #err.errors)
  end)
end)

describe("race", function()
  it("is decided by the first to settle", function()
    local slow = after(10, 1)
    assert.equal("fast", tutti.race({ slow, after(0.001, "fast") }):await())
    assert.equal("cancelled", slow:state())
    local other = after(10, 1)
    local ok, err = tutti.race({ other, failing(0, "lost") }):pawait()
    assert.is_false(ok)
    assert.equal("lost", err.message)
  end)

  it("only stops waiting with cancel = false", function()
    local gate = tutti.event()
    local slow = tutti.spawn(function() gate:wait() return "later" end)
    assert.equal(1, tutti.race({ slow, after(0, 1) }, { cancel = false }):await())
    gate:set()
    assert.equal("later", slow:await())
  end)

  it("leaves nothing behind on a long-lived task", function()
    local long = tutti.spawn(function() tutti.sleep(100) end)
    local function round()
      for _ = 1, build.is_release and 50000 or build.times(2000) do
        tutti.race({ long, tutti.spawn(tutti.sleep, 0) }, { cancel = false }):await()
      end
      collectgarbage()
      return collectgarbage("count")
    end
    local task = tutti.spawn(function()
      local first = round()
      local second = round()
      return second - first
    end)
    assert.is_true(task:await() < 64)
    long:cancel()
  end)

  it("refuses an empty list and unknown options", function()
    assert.matches("could never settle", tostring(select(2, pcall(tutti.race, {}))))
    local _, err = pcall(tutti.race, { after(0) }, { cancle = 1 })
    assert.matches('unknown option "cancle"', err.message)
  end)
end)

describe("completed", function()
  it("yields each in the order of settling", function()
    local seen = {}
    local a = after(0.001, "a")
    local b = tutti.task({ function() return "b" end, after = { a } })
    local c = tutti.task({ function() return "c" end, after = { b } })
    for task in tutti.completed({ c, a, b }) do
      seen[#seen + 1] = task:await()
    end
    assert.same({ "a", "b", "c" }, seen)
  end)

  it("cancels the rest when the loop is left", function()
    local slow = after(10, 1)
    for task in tutti.completed({ slow, after(0, 2), after(0, 3) }) do
      if task:await() == 3 then
        break
      end
    end
    slow:pawait()
    assert.equal("cancelled", slow:state())
  end)

  it("works inside a task, with an error in the loop", function()
    local slow = after(10, 1)
    local ok = tutti.spawn(function()
      for _ in tutti.completed({ slow, after(0, 2) }) do
        error("out")
      end
    end):pawait()
    assert.is_false(ok)
    slow:pawait()
    assert.equal("cancelled", slow:state())
  end)
end)

describe("every combinator", function()
  local function pending()
    return tutti.spawn(tutti.sleep, 100)
  end
  local function settled(f)
    local task = tutti.spawn(f)
    task:pawait()
    return task
  end
  local function fail()
    error("bad", 0)
  end

  -- A member that had settled decided before the others were looked at, and they were left running.
  it("lets the others go when one that had settled already decides", function()
    for name, decided in pairs({ any = function() return 1 end, race = fail }) do
      for at = 1, 2 do
        local slow = pending()
        local list = { slow }
        table.insert(list, at, settled(decided))
        tutti[name](list):pawait()
        slow:pawait()
        assert.equal("cancelled", slow:state(), name .. " at " .. at)
      end
    end
  end)

  it("leaves them alone with cancel = false", function()
    for _, name in ipairs({ "any", "race" }) do
      local slow = pending()
      assert.equal(1, tutti[name]({ settled(function() return 1 end), slow }, { cancel = false }):await())
      assert.is_false(slow:is_done())
      slow:cancel()
    end
  end)

  it("decides in the order of the list among those that have settled", function()
    local first, second = settled(function() return 1 end), settled(function() return 2 end)
    local bad = settled(fail)
    assert.equal(1, tutti.race({ first, bad, second }):await())
    assert.is_false((tutti.race({ bad, first }):pawait()))
    assert.equal(2, tutti.any({ bad, second, first }):await())
    assert.same({ 2, 1 }, tutti.all({ second, first }):await())
  end)

  it("takes one task several times", function()
    local t = after(0.001, 7)
    assert.same({ 7, 7, 7 }, tutti.all({ t, t, t }):await())
    t = after(0.001, 7)
    assert.equal(7, tutti.any({ t, t }):await())
    t = after(0.001, 7)
    assert.equal(7, tutti.race({ t, t }):await())
    t = after(0.001, 7)
    assert.equal(2, #tutti.settle({ t, t }):await())
    local bad, count = failing(0.001, "twice"), 0
    for task in tutti.completed({ bad, bad }) do
      assert.is_false((task:pawait()))
      count = count + 1
    end
    assert.equal(2, count)
    local slow = pending()
    tutti.race({ slow, slow, after(0, 1) }):await()
    slow:pawait()
    assert.equal("cancelled", slow:state())
  end)

  it("takes tasks of other states", function()
    local function on_pool(value)
      return tutti.parallel(function(v) return v end, value)
    end
    assert.same({ 1, 2 }, tutti.all({ on_pool(1), on_pool(2) }):await())
    local slow = tutti.parallel(function() tutti.sleep(100) end)
    assert.equal(3, tutti.any({ slow, on_pool(3) }):await())
    slow:pawait()
    assert.equal("cancelled", slow:state())
    local made_there = tutti.parallel(function(list) -- tasks of this state, waited for on a worker
      return tutti.all(list):await()
    end, { after(0.001, 5), after(0.002, 6) })
    assert.same({ 5, 6 }, made_there:await())
  end)

  it("cancels its members when it is cancelled, if it is any, race or completed", function()
    for _, name in ipairs({ "any", "race" }) do
      local a, b = pending(), pending()
      local gather = tutti[name]({ a, b })
      gather:cancel()
      a:pawait()
      b:pawait()
      assert.same({ "cancelled", "cancelled" }, { a:state(), b:state() })
      a = pending()
      gather = tutti[name]({ a }, { cancel = false })
      gather:cancel()
      assert.equal("cancelled", gather:state())
      assert.is_false(a:is_done())
      a:cancel()
    end
    for _, name in ipairs({ "all", "settle" }) do
      local a = pending()
      tutti[name]({ a }):cancel()
      assert.is_false(a:is_done())
      a:cancel()
    end
    local a = pending()
    local loop = tutti.spawn(function()
      for _ in tutti.completed({ a }) do
        error("never")
      end
    end)
    tutti.sleep(0.001)
    loop:cancel()
    a:pawait()
    assert.equal("cancelled", a:state())
  end)

  it("owns the failures it saw, and no others", function()
    local parent = tutti.spawn(function() -- any: the first one's failure was any's affair
      return tutti.any({ failing(0, "seen"), after(0.002, 1) }):await()
    end)
    assert.equal(1, parent:await())
    parent = tutti.spawn(function() -- race, cancel = false: what fails later is the parent's
      local gate = tutti.event()
      local value = tutti.race({ after(0, 1), failing_at(gate, "later") }, { cancel = false }):await()
      gate:set()
      return value
    end)
    local ok, err = parent:pawait()
    assert.is_false(ok)
    assert.equal("later", err.errors[1].message)
    parent = tutti.spawn(function() -- the combinator itself is a task: nobody awaits its failure
      tutti.all({ failing(0, "unseen") })
    end)
    ok, err = parent:pawait()
    assert.is_false(ok)
    assert.equal("unseen", err.errors[1].message)
  end)

  it("hands each member of completed to one of two tasks that iterate it", function()
    local list = {}
    for i = 1, 20 do
      list[i] = after(i % 5 * 0.001, i)
    end
    local next_task = tutti.completed(list)
    local seen, tasks = {}, {}
    for i = 1, 2 do
      tasks[i] = tutti.spawn(function()
        for task in next_task do
          seen[#seen + 1] = task:await()
        end
      end)
    end
    tutti.all(tasks):await()
    table.sort(seen)
    assert.equal(20, #seen)
    for i = 1, 20 do
      assert.equal(i, seen[i])
    end
  end)

  it("is refused what is no list of tasks", function()
    for _, name in ipairs({ "all", "settle", "any", "race", "completed" }) do
      local _, err = pcall(tutti[name], { first = after(0, 1) })
      assert.matches('it has the key "first", which is no position', err.message, 1, true)
      _, err = pcall(tutti[name], after(0, 1))
      assert.matches("a list of tasks was expected", err.message)
    end
    local _, err = pcall(tutti.race, { after(0, 1) }, { cancel = "no" })
    assert.matches('option "cancel" must be a boolean, got string', err.message, 1, true)
    _, err = pcall(tutti.all, { after(0, 1) }, { cancel = false })
    assert.matches("takes no options", err.message)
  end)
end)
