-- SPDX-License-Identifier: MIT
-- await, sleep, checkpoint, cancel, the implicit join, the owner of a failure.
local tutti = require("tutti")

local function failing(text) return tutti.spawn(function() error(text, 0) end) end

describe("sleep", function()
  it("takes numbers and strings, and never ends early", function()
    for _, d in ipairs({ 0, 0.002, "2ms", "1ms500us" }) do
      local t0 = tutti.now()
      tutti.sleep(d)
      local wanted = type(d) == "number" and d or 0.0015
      assert.is_true(tutti.now() - t0 >= wanted)
    end
  end)

  for _, bad in ipairs({ -1, "fast", "", "1 ms", "5", {}, 0 / 0 }) do
    it("refuses " .. tostring(bad), function()
      local ok, err = pcall(tutti.sleep, bad)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches("duration", err.message)
    end)
  end
end)

describe("checkpoint", function()
  it("goes to the back of the queue and still serves timers", function()
    local fired = false
    local timer = tutti.spawn(function() tutti.sleep(0.002) fired = true end)
    local spinner = tutti.spawn(function()
      local rounds = 0
      while not fired or rounds < 3 do
        tutti.checkpoint()
        rounds = rounds + 1
      end
      return rounds
    end)
    assert.is_true(spinner:await() > 1)
    timer:await()
  end)
end)

describe("await", function()
  it("refuses itself and its ancestors with the path", function()
    local self
    self = tutti.spawn({ name = "me" }, function() self:await() end)
    local _, err = self:pawait()
    assert.equal("cycle", err.kind)
    local outer
    outer = tutti.spawn({ name = "outer" }, function()
      return tutti.spawn({ name = "inner" }, function() outer:await() end):await()
    end)
    local _, deep = outer:pawait()
    assert.equal("cycle", deep.kind)
    assert.same({ "inner", "outer" }, deep.path)
    assert.matches("inner %-> outer", deep.message)
  end)

  it("says what to do where Lua cannot yield", function()
    local _, err = tutti.spawn(function()
      local other = tutti.spawn(function() tutti.sleep(0.001) end)
      table.sort({ 3, 2, 1 }, function(a, b) other:await() return a < b end)
    end):pawait()
    assert.equal("usage", err.kind)
    assert.matches("called by .sort.", err.message)
  end)

  it("names a plain coroutine", function()
    local _, err = tutti.spawn(function()
      local other = tutti.spawn(function() tutti.sleep(0.001) end)
      coroutine.wrap(function() other:await() end)()
    end):pawait()
    assert.matches("plain coroutine", tostring(err))
  end)

  it("refuses a stray yield", function()
    local _, err = tutti.spawn(function() coroutine.yield(1) end):pawait()
    assert.equal("usage", err.kind)
    assert.matches("coroutine.yield", err.message)
    assert.equal(1, tutti.spawn(function() return 1 end):await())
  end)
end)

describe("cancel", function()
  it("settles what has not started at once", function()
    local ran = false
    local task = tutti.spawn(function() ran = true end)
    task:cancel("no need")
    assert.equal("cancelled", task:state())
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.matches("no need", tostring(err))
    assert.is_false(ran)
  end)

  it("raises in the wait of a suspended one, and in every later checkpoint", function()
    local seen = {}
    local task = tutti.spawn(function()
      for i = 1, 3 do
        local ok, err = pcall(tutti.sleep, 10)
        seen[i] = not ok and err.kind
      end
      return "ignored"
    end)
    tutti.sleep(0.001)
    task:cancel()
    assert.is_false((task:pawait()))
    assert.same({ "cancelled", "cancelled", "cancelled" }, seen)
    assert.equal("cancelled", task:state())
  end)

  it("runs <close> variables, which see the error", function()
    local order = {}
    local function mark(name)
      return setmetatable({}, { __close = function(_, err) order[#order + 1] = name .. " " .. err.kind end })
    end
    local task = tutti.spawn(function()
      local _ <close> = mark("outer")
      local _ <close> = mark("inner")
      tutti.sleep(10)
    end)
    tutti.sleep(0.001)
    task:cancel()
    task:pawait()
    assert.same({ "inner cancelled", "outer cancelled" }, order)
  end)

  it("lets <close> variables await after an error", function()
    local closed = false
    local task = tutti.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() tutti.sleep(0.002) closed = true end })
      error("x")
    end)
    task:pawait()
    assert.is_true(closed)
  end)

  it("flows down to children, which are joined", function()
    local child
    local parent = tutti.spawn(function()
      child = tutti.spawn(function() tutti.sleep(10) end)
      tutti.sleep(10)
    end)
    tutti.sleep(0.001)
    parent:cancel()
    parent:pawait()
    assert.equal("cancelled", child:state())
  end)

  it("wins over the result during the join", function()
    local parent = tutti.spawn(function()
      tutti.spawn(function() tutti.sleep(10) end)
      return 1
    end)
    tutti.sleep(0.001)
    assert.equal("suspended", parent:state())
    parent:cancel()
    assert.is_false((parent:pawait()))
    assert.equal("cancelled", parent:state())
  end)

  it("of another task is an ordinary error to whoever awaits it", function()
    local victim = tutti.spawn(function() tutti.sleep(10) end)
    local waiter = tutti.spawn(function() victim:await() end)
    tutti.sleep(0.001)
    victim:cancel()
    local ok, err = waiter:pawait()
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.equal("failed", waiter:state())
  end)
end)

describe("implicit join", function()
  it("ends after the children, failures and all", function()
    local count = 0
    local parent = tutti.spawn(function()
      for _ = 1, 3 do
        tutti.spawn(function() tutti.sleep(0.001) count = count + 1 end)
      end
      return "mine"
    end)
    assert.equal("mine", parent:await())
    assert.equal(3, count)
  end)

  it("fails the parent for what nobody awaited, as one group", function()
    local parent = tutti.spawn(function()
      failing("one")
      failing("two")
      local seen = failing("three")
      seen:pawait()
      return 1
    end)
    local ok, err = parent:pawait()
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.equal(2, #err.errors)
    assert.matches("one", tostring(err))
  end)

  it("counts an await that came after the failure", function()
    local parent = tutti.spawn(function()
      local bad = failing("late")
      tutti.sleep(0.001)
      assert.is_false((bad:pawait()))
      return 1
    end)
    assert.equal(1, parent:await())
  end)

  it("cancels the children when the body fails, and keeps their errors", function()
    local child
    local parent = tutti.spawn(function()
      failing("child")
      child = tutti.spawn(function() tutti.sleep(10) end)
      tutti.sleep(0.001)
      error("body", 0)
    end)
    local _, err = parent:pawait()
    assert.equal("body", err.message)
    assert.equal("child", err.errors[1].message)
    assert.equal("cancelled", child:state())
  end)

  it("leaves detached tasks to the root", function()
    local detached
    local gate = tutti.event()
    local parent = tutti.spawn(function()
      detached = tutti.spawn({ detach = true }, function() gate:wait() end)
    end)
    parent:await()
    assert.is_false(detached:is_done())
    gate:set()
    detached:await()
  end)
end)

describe("errors", function()
  it("keep values of every kind", function()
    for _, value in ipairs({ 7, true, { 1 }, print }) do
      local _, err = tutti.spawn(function() error(value) end):pawait()
      assert.equal("error", err.kind)
      assert.equal(value, err.value)
    end
    local _, none = tutti.spawn(function() error(nil) end):pawait()
    assert.is_nil(none.value)
    local nasty = setmetatable({}, { __tostring = function() error("no") end })
    local _, err = tutti.spawn(function() error(nasty) end):pawait()
    assert.equal(nasty, err.value)
    assert.is_string(tostring(err))
  end)

  it("carry their place also when pcall caught them", function()
    local _, io_error = pcall(tutti.fs.read, "/no/such/file")
    assert.matches('^[^\n]*await_spec.lua:%d+: fs.read "/no/such/file"', tostring(io_error))
    local _, exit = tutti.exec({ "false" }):pawait()
    assert.matches("^[^\n]*await_spec.lua:%d+: exec", tostring(exit))
  end)

  it("cannot be changed", function()
    local _, err = failing("x"):pawait()
    assert.has_error(function() err.message = "y" end)
    assert.equal("x", err.message)
  end)

  it("have a joined traceback without the engine's own frames", function()
    local function deep() error("down here") end
    local child = tutti.spawn({ name = "child" }, function() deep() end)
    local _, err = tutti.spawn(function() child:await() end):pawait()
    assert.matches("down here", err.traceback)
    assert.matches("in upvalue 'deep'", err.traceback)
    assert.matches('started task "child"', err.traceback)
    assert.matches("awaited by:\n\t[^\n]*await_spec.lua:%d+", err.traceback)
    assert.is_nil(err.traceback:find("tutti/[%w_]+%.lua"))
  end)
end)
