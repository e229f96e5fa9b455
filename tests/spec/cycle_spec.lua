-- SPDX-License-Identifier: MIT
-- Awaits that can never end: circles of waits in one state and over several (design 2.2).
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local HANG = 60

-- The error of a task that must end; a hang fails the test instead of the run.
local function failure(task)
  local guard = tutti.spawn(function() tutti.sleep(HANG) error("hangs", 0) end)
  local ok, err = tutti.race({ task, guard }, { cancel = false }):pawait()
  guard:cancel()
  assert.is_false(ok)
  return err
end

-- The names of a path that closes, from `name` on.
local function from(path, name)
  assert.equal(path[1], path[#path])
  local at = 0
  for i = 1, #path - 1 do
    if path[i] == name then at = i end
  end
  local turned = {}
  for i = 0, #path - 2 do
    turned[i + 1] = path[(at - 1 + i) % (#path - 1) + 1]
  end
  return table.concat(turned, " ")
end

-- Two tasks on the pool, or one there and one here, each with the other's handle.
local function pair(on_a, on_b)
  local to_a, to_b = tutti.channel(1), tutti.channel(1)
  local function body(channel)
    return channel:recv():await()
  end
  local a = tutti.task({ name = "a", on = on_a, args = { to_a }, body })
  local b = tutti.task({ name = "b", on = on_b, args = { to_b }, body })
  to_a:send(b)
  to_b:send(a)
  return a, b
end

describe("a circle in one state", function()
  it("is found beside more waits than a look takes in while others run", function()
    local over = false
    local busy = tutti.spawn(function()
      while not over do
        for _ = 1, 20000 do end -- ThreadSanitizer bears some 60,000 turns, so they are not to be short
        tutti.checkpoint()
      end
    end)
    local never = tutti.event()
    local first = tutti.spawn(function() never:wait() end)
    local last = first
    for _ = 1, 6000 do -- more than RECORDS_FIRST of cycle.c, less than twice that
      last = tutti.task({ function() end, after = { last } })
    end
    local waiter
    local outer = tutti.spawn(function() return waiter:pawait() end)
    waiter = tutti.spawn(function() return last:pawait() end) -- a suspect, for outer awaits it already
    tutti.checkpoint() -- so the long way is looked at first
    tutti.checkpoint()
    local a, b
    a = tutti.spawn({ name = "a" }, function() return b:pawait() end)
    b = tutti.spawn({ name = "b" }, function() a:await() end)
    assert.equal("cycle", failure(b).kind)
    over = true
    busy:await()
    first:cancel()
    assert.is_true(outer:await())
  end)

  it("of two is raised in the await that closed it", function()
    local a, b
    a = tutti.spawn({ name = "a" }, function()
      local ok, err = b:pawait()
      return ok, err
    end)
    b = tutti.spawn({ name = "b" }, function() a:await() end)
    local err = failure(b)
    assert.equal("cycle", err.kind)
    assert.same({ "b", "a", "b" }, err.path)
    assert.matches("b %-> a %-> b", err.message)
    assert.matches("cycle_spec.lua:%d+: in", err.traceback)
    assert.same({ false, err }, { a:await() })
  end)

  it("is a false of pawait, after which the task goes on", function()
    local a, b
    a = tutti.spawn({ name = "a" }, function() return b:await() end)
    b = tutti.spawn({ name = "b" }, function()
      local ok, err = a:pawait()
      return tostring(ok) .. " " .. err.kind
    end)
    assert.equal("false cycle", a:await())
  end)

  it("of many is found once, and all of them end", function()
    local list = {}
    for i = 1, 1000 do
      list[i] = tutti.spawn({ name = "t" .. i }, function() return list[i % 1000 + 1]:await() end)
    end
    local err = failure(list[1])
    assert.equal("cycle", err.kind)
    assert.equal(1001, #err.path)
    for i = 1, 1000 do
      local _, same = list[i]:pawait()
      assert.equal(err, same)
    end
  end)

  it("beside others does not hide them", function()
    local list = {}
    for i = 1, 100, 2 do
      list[i] = tutti.spawn({ name = "l" .. i }, function() return list[i + 1]:await() end)
      list[i + 1] = tutti.spawn({ name = "l" .. i + 1 }, function() return list[i]:await() end)
    end
    local started = tutti.now()
    for i = 1, 100 do
      assert.equal("cycle", failure(list[i]).kind)
    end
    assert.is_true(tutti.now() - started < HANG)
  end)

  it("may lead through gathers", function()
    for _, name in ipairs({ "all", "settle", "any", "race" }) do
      local a, b
      a = tutti.spawn({ name = "a" }, function() return tutti[name]({ b }):await() end)
      b = tutti.spawn({ name = "b" }, function() return a:await() end)
      assert.equal("a " .. name .. " b", from(failure(b).path, "a"))
      a:pawait()
    end
    local a, b
    a = tutti.spawn({ name = "a" }, function()
      for task in tutti.completed({ b }) do task:await() end
    end)
    b = tutti.spawn({ name = "b" }, function() return a:await() end)
    assert.equal("a completed b", from(failure(b).path, "a"))
    a:pawait()
  end)

  it("may lead through after, a join and a scope", function()
    local a, c
    a = tutti.spawn({ name = "a" }, function() tutti.sleep(0.001) return c:await() end)
    c = tutti.task({ name = "c", after = { a }, function() end })
    assert.equal("a c", from(failure(a).path, "a"))
    assert.equal("skipped", failure(c).kind)
    local joins, other
    joins = tutti.spawn({ name = "joins" }, function()
      tutti.spawn({ name = "child" }, function() tutti.sleep(0.001) other:pawait() end)
    end)
    other = tutti.spawn({ name = "other" }, function() return joins:pawait() end)
    assert.is_true(other:await())
    joins:await()
    local scoped, outside
    scoped = tutti.spawn({ name = "scoped" }, function()
      tutti.scope(function(s) s:spawn({ name = "inside" }, function() outside:await() end) end)
    end)
    outside = tutti.spawn({ name = "outside" }, function() return scoped:await() end)
    assert.equal("group", failure(scoped).kind)
    failure(outside)
  end)

  it("without any await is broken in the newest task that has not begun", function()
    local task = tutti.spawn({ name = "owner" }, function()
      tutti.task({ name = "late", after = { tutti.current() }, function() end })
    end)
    local err = failure(task)
    assert.equal("group", err.kind)
    assert.equal("cycle", err.errors[1].kind)
    assert.equal("late owner", from(err.errors[1].path, "late"))
  end)
end)

describe("a circle over states", function()
  it("of two pool tasks", function()
    local a, b = pair("pool", "pool")
    local err = failure(a)
    assert.equal("cycle", err.kind)
    assert.equal("a b", from(err.path, "a"))
    assert.equal("cycle", failure(b).kind)
  end)

  it("of a pool task and one here", function()
    for _ = 1, 3 do
      local a, b = pair("pool", "loop")
      assert.equal("a b", from(failure(a).path, "a"))
      failure(b)
    end
  end)

  it("of a pool task and the task that joins it", function()
    local channel = tutti.channel(1)
    local owner = tutti.spawn({ name = "owner" }, function()
      tutti.parallel({ name = "far" }, function() return channel:recv():await() end)
    end)
    channel:send(owner)
    local err = failure(owner)
    assert.equal("group", err.kind)
    assert.equal("owner far", from(err.errors[1].path, "owner"))
  end)

  it("of three", function()
    local to_a, to_b = tutti.channel(1), tutti.channel(1)
    local a = tutti.parallel({ name = "a" }, function() return to_a:recv():await() end)
    local b = tutti.parallel({ name = "b" }, function()
      local other = to_b:recv()
      return tutti.spawn({ name = "in b" }, function() return other:await() end):await()
    end)
    local c = tutti.spawn({ name = "c" }, function() return b:await() end)
    to_b:send(a)
    to_a:send(c)
    assert.equal("a c b in b", from(failure(a).path, "a"))
    failure(b)
    failure(c)
  end)
end)

describe("what is no circle", function()
  it("may wait as long as it likes", function()
    local a, b, c
    a = tutti.spawn(function() return b:await() end)
    b = tutti.spawn(function() return c:await() end)
    c = tutti.parallel(function() tutti.sleep(0.4) return 7 end)
    assert.equal(7, a:await())
  end)

  it("has a member that can still decide it", function()
    for _, name in ipairs({ "any", "race" }) do
      local a, b
      a = tutti.spawn(function()
        local way_out = tutti.spawn(function() tutti.sleep(0.35) return 1 end)
        return tutti[name]({ b, way_out }, { cancel = false }):await()
      end)
      b = tutti.spawn(function() return a:await() end)
      assert.equal(1, b:await())
    end
    local a, b
    a = tutti.spawn(function()
      local way_out = tutti.spawn(function() tutti.sleep(0.35) return 2 end)
      local following = tutti.completed({ b, way_out }, { cancel = false })
      return following():await()
    end)
    b = tutti.spawn(function() return a:await() end)
    assert.equal(2, b:await())
    local failing
    a = tutti.spawn(function()
      local _, err = tutti.all({ b, tutti.spawn(function() tutti.sleep(0.35) error("late", 0) end) }):pawait()
      return err.message
    end)
    failing = a
    b = tutti.spawn(function() return failing:await() end)
    assert.equal("late", b:await())
  end)

  it("has a time limit on the stack of one of them", function()
    local a, b
    a = tutti.spawn(function()
      local ok, err = pcall(tutti.timeout, 0.4, function() return b:await() end)
      return tostring(ok) .. " " .. err.kind
    end)
    b = tutti.spawn(function() return a:await() end)
    assert.equal("false timeout", b:await())
  end)

  it("goes on when the only way out is taken at last, or becomes a circle then", function()
    local a, b
    a = tutti.spawn({ name = "a" }, function()
      return tutti.any({ b, tutti.spawn(function() tutti.sleep(0.3) error("no", 0) end) }):await()
    end)
    b = tutti.spawn({ name = "b" }, function() return a:await() end)
    assert.equal("cycle", failure(b).kind)
    a:pawait()
  end)

  it("is a wait that is cancelled in time", function()
    for i = 1, 20 do
      local a, b
      a = tutti.spawn({ name = "a" }, function() return b:await() end)
      b = tutti.spawn({ name = "b" }, function() return a:await() end)
      local started = tutti.now()
      tutti.sleep(i * 0.0005)
      a:cancel()
      -- After 50 ms it is looked for: on a busy machine that may be before the cancel.
      local is_late = tutti.now() - started >= 0.05
      local kind = failure(b).kind
      assert.is_true(kind == "cancelled" or is_late and kind == "cycle", kind)
      a:pawait()
    end
  end)

  it("is a pair of pool tasks that hand over in turn", function()
    local function turns(first)
      local there, back = tutti.channel(0), tutti.channel(0)
      local a = tutti.parallel(function()
        local n = first
        for _ = 1, 40 do
          there:send(n)
          n = back:recv()
          tutti.sleep(0.005)
        end
        return n
      end)
      local b = tutti.parallel(function()
        for _ = 1, 40 do
          back:send(there:recv() + 1)
        end
        return a:await()
      end)
      return b:await()
    end
    assert.equal(41, turns(1))
  end)
end)
