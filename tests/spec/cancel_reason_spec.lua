-- SPDX-License-Identifier: MIT
-- luacheck: ignore 431 432 (functions that cross are handed their own tutti)
-- The reason of a cancel, in every state that sees the task.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

-- A pool task that has begun, and sends through `out` what it hears of its cancellation.
local function begun(out)
  local begins = tutti.channel(0)
  local task = tutti.parallel({ name = "cancelled one" }, function(begins, out)
    local tutti = require("tutti")
    begins:send(true)
    local _, err = tutti.rawpcall(tutti.sleep, 600)
    local _, reason = tutti.cancelled()
    tutti.shield("30s", function() out:send({ reason, err.reason, tostring(err) }) end)
    error(err, 0)
  end, begins, out)
  begins:recv()
  return task
end

local function in_task(f)
  return function()
    return tutti.spawn(f):await()
  end
end

describe("the reason of a cancel", function()
  it("reaches a pool task", in_task(function()
    local out = tutti.channel(1)
    local task = begun(out)
    task:cancel("too slow")
    assert.same({ "too slow", "too slow", 'cancelled: too slow (task "cancelled one")' }, (out:recv()))
    local ok, err = task:pawait()
    assert.same({ false, "cancelled", "too slow" }, { ok, err.kind, err.reason })
  end))

  it("reaches a task of this state from the pool, and goes back with its error", in_task(function()
    local heard
    local task = tutti.spawn({ name = "here" }, function()
      local _, err = tutti.rawpcall(tutti.sleep, 600)
      heard = { select(2, tutti.cancelled()), err.reason }
      error(err, 0)
    end)
    tutti.checkpoint()
    local there = tutti.parallel(function(task)
      task:cancel("not wanted")
      local ok, err = task:pawait()
      return { ok, err.kind, err.reason, tostring(err) }
    end, task):await()
    assert.same({ "not wanted", "not wanted" }, heard)
    assert.same({ false, "cancelled", "not wanted", 'cancelled: not wanted (task "here")' }, there)
  end))

  it("reaches who awaits it in a third state", in_task(function()
    local task = begun(tutti.channel(1))
    tutti.parallel(function(task) task:cancel("by another") end, task):await()
    local ok, err = task:pawait()
    assert.same({ false, "cancelled", "by another", "cancelled one" }, { ok, err.kind, err.reason, err.task })
    assert.equal("cancelled", task:state())
  end))

  it("goes down with the cancellation", in_task(function()
    local out = tutti.channel(1)
    local has_begun = tutti.event()
    local above = tutti.spawn(function()
      local task = begun(out)
      has_begun:set()
      task:await()
    end)
    has_begun:wait()
    above:cancel("from above")
    assert.equal("from above", (out:recv())[1])
    above:pawait()
  end))

  it("may be missing, or of several cancels the first", in_task(function()
    local out = tutti.channel(2)
    local without, with = begun(out), begun(out)
    without:cancel()
    assert.equal("cancelled", (out:recv())[3]:match("^[^(]*[^( ]"))
    assert.is_nil(select(2, without:pawait()).reason)
    with:cancel("first")
    with:cancel("second")
    assert.equal("first", (out:recv())[1])
    with:pawait()
  end))
end)
