-- SPDX-License-Identifier: MIT
-- every: a task that holds no join open.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

describe("every", function()
  it("runs again and again, until it is cancelled", function()
    local count, enough = 0, tutti.event()
    local task = tutti.every(0.001, function()
      count = count + 1
      if count == 5 then
        enough:set()
      end
    end)
    assert.equal(0, count) -- the first run comes after the first period
    enough:wait()
    task:cancel()
    assert.equal("cancelled", select(2, task:pawait()).kind)
    local at_end = count
    tutti.sleep(0.01)
    assert.equal(at_end, count)
  end)

  it("fails when the function raises", function()
    local ok, err = tutti.every(0.001, function() error("once is enough") end):pawait()
    assert.is_false(ok)
    assert.matches("background_spec.lua:%d+: once is enough", err.message)
  end)

  it("fails when something that a run started fails with nobody awaiting it", function()
    local ok, err = tutti.every(0.001, function()
      tutti.spawn(function() error("child", 0) end)
    end):pawait()
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.equal("child", err.errors[1].message)
  end)

  it("makes no late run up, and does not overlap", function()
    local inside, runs = 0, {}
    local t0 = tutti.now()
    local task = tutti.every(0.01, function()
      inside = inside + 1
      assert.equal(1, inside)
      runs[#runs + 1] = tutti.now() - t0
      tutti.sleep(#runs == 1 and 0.055 or 0)
      inside = inside - 1
      if #runs == 4 then
        tutti.current():cancel()
      end
    end)
    task:pawait()
    -- The first run ends after 65 ms; the others have times of their own, 10 ms apart.
    assert.is_true(runs[2] >= 0.07 and runs[3] >= 0.08 and runs[4] >= 0.09)
  end)

  it("holds no join open: of a task, a scope, the pool, or tutti.run", function()
    local seen = {}
    local task = tutti.spawn(function()
      seen[1] = tutti.every(0.001, function() end)
      tutti.spawn(tutti.sleep, 0.01)
      return "result"
    end)
    assert.equal("result", task:await())
    tutti.scope(function()
      seen[2] = tutti.every(60, function() end)
      seen[3] = tutti.every(60, function() end)
      tutti.spawn(function() tutti.sleep(0.005) end)
    end)
    tutti.scope(function()
      seen[4] = tutti.every(60, function() end)
    end)
    for _, every in ipairs(seen) do
      assert.equal("cancelled", every:state())
    end
    assert.equal(3, tutti.parallel(function()
      tutti.every(0.001, function() end)
      tutti.sleep(0.005)
      return 3
    end):await())
    local root = tutti.every(60, function() end)
    tutti.run()
    assert.equal("cancelled", root:state())
  end)

  it("goes on while another child is there", function()
    local count = 0
    tutti.spawn(function()
      tutti.every(0.001, function() count = count + 1 end)
      tutti.spawn(function()
        while count < 3 do
          tutti.sleep(0.001)
        end
      end)
    end):await()
    assert.is_true(count >= 3)
  end)

  it("runs its cleanup when it is cancelled by its owner", function()
    local log, begun = {}, tutti.event()
    tutti.spawn(function()
      tutti.every(0.001, function()
        local _ <close> = setmetatable({}, { __close = function()
          tutti.shield(30, tutti.sleep, 0.002)
          log[#log + 1] = "cleaned"
        end })
        begun:set()
        tutti.sleep(60)
      end)
      begun:wait()
    end):await()
    assert.same({ "cleaned" }, log)
  end)

  it("refuses periods that make no sense", function()
    for _, period in ipairs({ 0, -1, "soon", {} }) do
      local ok, err = pcall(function() return (tutti.every(period, print)) end)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches("background_spec.lua:%d+: tutti.every", err.message)
    end
    local ok, err = pcall(function() return (tutti.every(1)) end)
    assert.is_false(ok)
    assert.matches("background_spec.lua:%d+: tutti.every: a function was expected, got nil", err.message)
  end)
end)
