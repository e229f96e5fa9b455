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
    table.sort(done)
    assert.same({ "all", "plain", "s" }, done)
  end)

  it("owns what its own methods start, whoever calls them from wherever", function()
    local ended, gate = false, tutti.event()
    tutti.scope(function(outer)
      tutti.scope(function()
        outer:spawn(function() gate:wait() ended = true end)
      end)
      assert.is_false(ended) -- the inner one did not wait for it
      gate:set()
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

  it("stays in its state: the handle does not cross", function()
    local kind, err = kind_of(tutti.scope, function(s)
      local ok, why = pcall(tutti.parallel, function() return s end)
      assert.is_false(ok)
      error(why)
    end)
    assert.equal("transfer", kind)
    assert.matches("a scope, which belongs to the task that opened it", err.message)
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

describe("limit", function()
  it("lets a start wait while as many run", function()
    local running, most = 0, 0
    tutti.scope({ limit = 3 }, function(s)
      for _ = 1, 12 do
        s:spawn(function()
          running = running + 1
          most = math.max(most, running)
          for _ = 1, 20 do
            tutti.checkpoint() -- those that may start do so meanwhile
          end
          running = running - 1
        end)
      end
    end)
    assert.equal(3, most)
    assert.equal(0, running)
  end)

  it("does not have a child wait for itself", function()
    local depth = 0
    local function deeper(s)
      depth = depth + 1
      if depth < 5 then
        s:spawn(deeper, s)
      end
    end
    tutti.scope({ limit = 1 }, function(s) s:spawn(deeper, s) end)
    assert.equal(5, depth)
  end)

  it("is a checkpoint when it waits", function()
    local kind = kind_of(tutti.timeout, 0.002, function()
      tutti.scope({ limit = 1 }, function(s)
        s:spawn(tutti.sleep, 10)
        s:spawn(tutti.sleep, 10)
      end)
    end)
    assert.equal("timeout", kind)
  end)
end)

describe("tutti.defer", function()
  it("runs when the owner ends, after its children, the last first, and may await", function()
    local log = {}
    local function say(word)
      log[#log + 1] = word
    end
    local t = tutti.spawn(function()
      tutti.defer(function() tutti.sleep(0.001) say("first") end)
      tutti.defer(function() say("last") tutti.spawn(function() tutti.checkpoint() say("its child") end) end)
      tutti.spawn(function() tutti.sleep(0.001) say("child") end)
      tutti.scope(function() tutti.defer(function() say("scope") end) end)
      say("body")
      return 1, 2
    end)
    assert.same({ 1, 2 }, { t:await() })
    assert.equal("scope body child last its child first", table.concat(log, " "))
  end)

  it("counts its failures as the body's: the first wins, the others are in err.errors", function()
    local t = tutti.spawn(function()
      tutti.defer(function() error("second") end)
      tutti.defer(function() error("first") end)
    end)
    local _, err = t:pawait()
    assert.matches("first", err.message)
    assert.equal(1, #err.errors)
    assert.matches("second", err.errors[1].message)
    local kind, other = kind_of(tutti.scope, function()
      tutti.defer(function() error("later") end)
      error("body")
    end)
    assert.equal("error", kind)
    assert.matches("body", other.message)
    assert.matches("later", other.errors[1].message)
  end)

  it("runs in a cancelled task, where only a shield lets it await", function()
    local log = {}
    local t = tutti.spawn(function()
      tutti.defer(function()
        tutti.shield("30s", function() tutti.sleep(0.001) log[1] = "shielded" end)
        tutti.sleep(10)
        log[2] = "went on"
      end)
      tutti.sleep(10)
    end)
    tutti.checkpoint()
    t:cancel()
    local _, err = t:pawait()
    assert.equal("cancelled", err.kind)
    assert.same({ "shielded" }, log)
  end)

  it("refuses what is no function, and where nothing ends", function()
    local kind, err = kind_of(tutti.defer, function() end)
    assert.equal("usage", kind)
    assert.matches("needs a task", err.message)
    assert.equal("usage", (kind_of(function() tutti.spawn(function() tutti.defer(1) end):await() end)))
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

  it("tells a limit as it was written", function()
    for _, limit in ipairs({ "0.3s", 0.003, "7ms" }) do -- 0.3 is a little less for a computer
      local _, err = pcall(tutti.timeout, limit, tutti.sleep, 60)
      assert.matches("within its time limit of 0%.%d%d?%d? s$", err.message)
    end
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
        tutti.shield("30s", function()
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
