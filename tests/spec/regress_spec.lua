-- SPDX-License-Identifier: MIT
-- Bugs that were there once: each says what went wrong.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

describe("once", function()
  it("a wait refused in a loop callback left its timer in a dead frame", function()
    local said = {}
    local timer = tutti.uv.new_timer()
    local channel = tutti.channel(0)
    timer:start(1, 0, function()
      said[1] = select(2, pcall(tutti.sleep, 0.001))
      said[2] = select(2, pcall(channel.recv, channel))
      timer:close()
    end)
    while not said[2] do
      tutti.sleep(0.001)
    end
    assert.matches("callback of the loop", said[1].message)
    assert.matches("callback of the loop", said[2].message)
    local sender = tutti.spawn(function() channel:send("lost") end)
    tutti.sleep(0.002)
    assert.equal("suspended", sender:state()) -- no receiver was left behind in the channel
    sender:cancel()
  end)

  it("a body that raised its child's error got that error into its own list", function()
    local parent = tutti.spawn(function()
      local a = tutti.spawn(function() error("x", 0) end)
      tutti.spawn(function() a:await() end)
      tutti.sleep(0.001)
      a:await()
    end)
    local _, err = parent:pawait()
    assert.is_nil(err.errors)
    assert.is_string(tostring(err))
  end)

  it("other children's failures changed an error that others hold", function()
    local a
    local parent = tutti.spawn(function()
      a = tutti.spawn(function() error("x", 0) end)
      tutti.spawn(function() error("y", 0) end)
      tutti.sleep(0.001)
      a:await()
    end)
    local _, err = parent:pawait()
    local _, of_a = a:pawait()
    assert.is_nil(of_a.errors)
    assert.equal("x", err.message)
    assert.equal("y", err.errors[1].message)
  end)

  it("a group in a group overflowed the stack when it was shown", function()
    local function nest(n)
      if n == 0 then
        error("leaf", 0)
      end
      tutti.spawn(nest, n - 1)
    end
    local _, err = tutti.spawn(nest, 300):pawait()
    assert.matches("leaf", tostring(err))
    assert.is_true(#tostring(err) < 2000)
  end)

  it("a cancelled task lost its children's failures", function()
    local parent = tutti.spawn(function()
      tutti.spawn(function()
        pcall(tutti.sleep, 10)
        error("cleanup failed", 0)
      end)
      tutti.sleep(10)
    end)
    tutti.sleep(0.001)
    parent:cancel()
    local _, err = parent:pawait()
    assert.equal("cancelled", err.kind)
    assert.equal("cleanup failed", err.errors[1].message)
  end)

  it("a done task whose result cannot cross crashed what came after it", function()
    local odd = tutti.spawn(function() return coroutine.create(print) end)
    odd:await()
    local _, err = tutti.task({ function() end, after = { odd }, on = "pool" }):pawait()
    assert.equal("skipped", err.kind)
    assert.matches("cannot cross", err.message)
  end)

  it("a failure awaited in another state was nobody's", function()
    local parent = tutti.spawn(function()
      local child = tutti.spawn(function() tutti.sleep(0.005) error("x") end)
      return tutti.parallel(function(c) return (c:pawait()) end, child):await()
    end)
    local ok, seen = parent:pawait()
    assert.same({ true, false }, { ok, seen })
  end)

  it("a detached task of a pool task had no owner and no environment", function()
    local channel = tutti.channel(1)
    local ok, value = tutti.parallel(function(ch)
      ch:send((tutti.spawn({ detach = true }, function()
        return tutti.parallel(function() return math.floor(2.5) end):await()
      end)))
    end, channel):pawait()
    assert.is_true(ok, value)
    assert.equal(2, (channel:recv()):await())
  end)

  it("a list of dependencies went while submit was reading it", function()
    for _ = 1, 20 do
      local deps, list = {}, {}
      for i = 1, 60 do
        deps[i] = tutti.parallel(function() error("x") end)
      end
      for i = 1, 4 do
        list[i] = tutti.task({ function() end, after = deps, on = "pool" })
      end
      tutti.settle(deps):await()
      for _, entry in ipairs(tutti.settle(list):await()) do
        assert.equal("skipped", entry.error.kind)
      end
    end
  end)

  it("tutti.completed handed out what it waits with", function()
    local _, second = tutti.completed({})
    assert.is_nil(second)
  end)

  it("a recipe's arguments slid over a nil", function()
    local count = tutti.recipe({ function(...) return select("#", ...), (select(3, ...)) end,
      args = { 1, nil, n = 2 } })
    assert.same({ 3, 7 }, { count(7):await() })
  end)
end)
