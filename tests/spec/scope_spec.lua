-- SPDX-License-Identifier: MIT
-- Scopes, deadlines, shields: who owns what, what ends what, and what comes out.
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore
local tutti = require("tutti")

local function closing(f)
  return setmetatable({}, { __close = f })
end

local function kind_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err.kind, err
end

describe("tutti.scope", function()
  it("returns what its function returns, nils included", function()
    assert.equal(3, select("#", tutti.scope(function() return nil, 2, nil end)))
    assert.equal(0, select("#", tutti.scope(function() end)))
  end)

  it("joins what was started in it, also by plain spawn and by gathers", function()
    local done = {}
    tutti.scope(function(s)
      s:spawn(function() tutti.sleep(0.003) done[#done + 1] = "s" end)
      tutti.spawn(function() tutti.sleep(0.002) done[#done + 1] = "plain" end)
      tutti.all({ tutti.spawn(function() tutti.sleep(0.001) done[#done + 1] = "all" end) })
    end)
    assert.same({ "all", "plain", "s" }, done)
  end)

  it("owns what its own methods start, whoever calls them from wherever", function()
    local ended = false
    tutti.scope(function(outer)
      tutti.scope(function()
        outer:spawn(function() tutti.sleep(0.005) ended = true end)
      end)
      assert.is_false(ended) -- the inner one did not wait for it
      outer:spawn(function() outer:spawn(function() end) end)
    end)
    assert.is_true(ended)
  end)

  it("starts pool tasks, full forms and processes", function()
    local a, b, c = tutti.scope(function(s)
      local x = s:parallel(function(n) return n + 1 end, 1)
      local y = s:task({ function() return 3 end, name = "three" })
      local z = s:exec({ "echo", "hi" })
      return x:await(), y:await(), z:await().stdout
    end)
    assert.same({ 2, 3, "hi\n" }, { a, b, c })
  end)

  it("raises one group for the first failure and cancels the others", function()
    local others = 0
    local kind, err = kind_of(tutti.scope, function(s)
      s:spawn(function() tutti.sleep(0.001) error("first") end)
      for _ = 1, 3 do
        s:spawn(function() tutti.sleep(5) others = others + 1 end)
      end
    end)
    assert.equal("group", kind)
    assert.equal(1, #err.errors)
    assert.matches("first", err.errors[1].message)
    assert.equal(0, others)
  end)

  it("counts the body as one of the siblings", function()
    local kind = kind_of(tutti.scope, function(s)
      s:spawn(function() error("first") end)
      tutti.sleep(5)
    end)
    assert.equal("group", kind)
  end)

  it("lists a child's error that comes back through the body once", function()
    local _, err = kind_of(tutti.scope, function(s)
      local t = s:spawn(function() error("first") end)
      local _, why = t:pawait()
      error(why)
    end)
    assert.equal("group", err.kind)
    assert.equal(1, #err.errors)
  end)

  it("raises an error of the body as it is, and what failed after it in err.errors", function()
    local _, err = kind_of(tutti.scope, function(s)
      s:spawn(function()
        local _ <close> = closing(function() error("cleanup") end)
        tutti.sleep(5)
      end)
      tutti.checkpoint()
      error("mine")
    end)
    assert.equal("error", err.kind)
    assert.matches("mine", err.message)
    assert.equal(1, #err.errors)
    assert.matches("cleanup", err.errors[1].message)
  end)

  it("collects instead of cancelling when asked to", function()
    local done = 0
    local _, err = kind_of(tutti.scope, { on_failure = "collect" }, function(s)
      local seen = s:spawn(function() error("seen") end)
      s:spawn(function() tutti.sleep(0.002) done = done + 1 end)
      assert.is_false((seen:pawait()))
      s:spawn(function() error("unseen") end)
    end)
    assert.equal("group", err.kind)
    assert.equal(1, #err.errors)
    assert.matches("unseen", err.errors[1].message)
    assert.equal(1, done)
  end)

  it("is cancelled by its handle, with the reason", function()
    local kind, err = kind_of(tutti.scope, function(s)
      s:spawn(function() tutti.sleep(5) end)
      s:cancel("enough")
      assert.equal("cancelled", s:spawn(function() end):state())
      tutti.sleep(5)
    end)
    assert.equal("cancelled", kind)
    assert.matches("enough", tostring(err))
    assert.is_false(tutti.cancelled())
  end)

  it("refuses unknown options, and starting after its end", function()
    local _, err = kind_of(tutti.scope, { limits = 1 }, function() end)
    assert.matches("limits.*did you mean \"limit\"", err.message)
    local kept
    tutti.scope(function(s) kept = s end)
    local kind, late = kind_of(function() kept:spawn(function() end) end)
    assert.equal("usage", kind)
    assert.matches("s:spawn: the scope has ended", late.message)
    kept:cancel() -- nothing is left to cancel
    assert.matches("ended", tostring(kept))
  end)
end)

describe("tutti.timeout", function()
  it("raises kind timeout and ends what was started", function()
    local went_on = false
    local kind = kind_of(tutti.timeout, 0.005, function()
      tutti.spawn(function() tutti.sleep(5) went_on = true end)
      tutti.sleep(5)
    end)
    assert.equal("timeout", kind)
    assert.is_false(went_on)
  end)

  it("raises kind timeout also when the body swallowed the cancellation", function()
    local kind = kind_of(tutti.timeout, 0.002, function()
      local rawpcall = tutti.rawpcall or pcall
      rawpcall(tutti.sleep, 5)
      return "swallowed"
    end)
    assert.equal("timeout", kind)
  end)

  it("lets a result that came first win", function()
    assert.equal(7, tutti.timeout(5, function(n) return n end, 7))
  end)

  it("works in a pool task too", function()
    local kind = tutti.parallel(function()
      local t = require("tutti")
      local ok, err = pcall(t.timeout, 0.005, function() t.sleep(5) end)
      return not ok and err.kind
    end):await()
    assert.equal("timeout", kind)
  end)
end)

describe("tutti.shield", function()
  it("lets cleanup await in a cancelled task, until its limit", function()
    local steps = {}
    local t = tutti.spawn(function()
      local _ <close> = closing(function()
        tutti.shield("1s", function()
          tutti.sleep(0.002)
          steps[#steps + 1] = tostring(tutti.cancelled())
        end)
        steps[#steps + 1] = tostring(tutti.cancelled())
        local ok, err = pcall(tutti.shield, 0.002, function() tutti.sleep(5) end)
        steps[#steps + 1] = not ok and err.kind
      end)
      tutti.sleep(5)
    end)
    tutti.checkpoint()
    t:cancel("enough")
    local ok, err = t:pawait()
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.same({ "false", "true", "timeout" }, steps)
  end)
end)
