-- SPDX-License-Identifier: MIT
-- all, settle, any, race, completed.
local tutti = require("tutti")

local function after(seconds, value)
  return tutti.spawn(function() tutti.sleep(seconds) return value end)
end
local function failing(seconds, text)
  return tutti.spawn(function() tutti.sleep(seconds) error(text, 0) end)
end

describe("all", function()
  it("gives the first results in order, also of none", function()
    assert.same({ 1, 2, 3 }, tutti.all({ after(0.003, 1), after(0.001, 2), after(0, 3) }):await())
    assert.same({}, tutti.all({}):await())
    local one = tutti.spawn(function() end)
    assert.equal(0, #tutti.all({ one }):await())
  end)

  it("fails at the first failure; the others go on", function()
    local slow = after(0.01, "done")
    local ok, err = tutti.all({ slow, failing(0.001, "first") }):pawait()
    assert.is_false(ok)
    assert.equal("first", err.message)
    assert.is_false(slow:is_done())
    assert.equal("done", slow:await())
  end)

  it("leaves a later failure to the parent", function()
    local parent = tutti.spawn(function()
      return (tutti.all({ failing(0.001, "first"), failing(0.004, "later") }):pawait())
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
    local other = after(0.01, 1)
    local ok, err = tutti.race({ other, failing(0, "lost") }):pawait()
    assert.is_false(ok)
    assert.equal("lost", err.message)
  end)

  it("only stops waiting with cancel = false", function()
    local slow = after(0.005, "later")
    assert.equal(1, tutti.race({ slow, after(0, 1) }, { cancel = false }):await())
    assert.equal("later", slow:await())
  end)

  it("leaves nothing behind on a long-lived task", function()
    local long = tutti.spawn(function() tutti.sleep(100) end)
    local function round()
      for _ = 1, 1000 do
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
