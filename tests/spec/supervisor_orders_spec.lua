-- SPDX-License-Identifier: MIT
-- Orders to supervisors at any moment: stop, remove, start; also from inside their children.
local supervision = require("tests.spec.support.supervision")
local tutti = require("tutti")
local describe, busted_it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local it = supervision.virtual(busted_it)
local raised, names, child_of = supervision.raised, supervision.names, supervision.child_of
local eventually, server, QUICK = supervision.eventually, supervision.server, supervision.QUICK

-- ---- stopping ------------------------------------------------------------------------------

describe("stop", function()
  it("stops in reverse order, one after the other, and says what it stopped", function()
    local log = {}
    local sup = tutti.supervisor()
    for _, name in ipairs({ "a", "b", "c" }) do
      sup:start({ name = name, function()
        local _ <close> = setmetatable({}, { __close = function()
          log[#log + 1] = "stopping " .. name
          tutti.shield(1, function() tutti.sleep(0.003) end)
          log[#log + 1] = "stopped " .. name
        end })
        tutti.sleep("1h")
      end })
    end
    tutti.sleep(0.002)
    assert.same({ stopped = { "c", "b", "a" }, killed = {}, stuck = {} }, sup:stop())
    assert.same({ "stopping c", "stopped c", "stopping b", "stopped b", "stopping a", "stopped a" }, log)
    assert.equal("done", sup:state())
  end)

  it("gives the same report to all who ask, also later", function()
    local sup = tutti.supervisor()
    sup:start({ name = "a", function() tutti.sleep("1h") end })
    local other = tutti.spawn(function() return sup:stop() end)
    local mine = sup:stop()
    assert.same({ stopped = { "a" }, killed = {}, stuck = {} }, mine)
    assert.same(mine, other:await())
    assert.same(mine, sup:stop())
    assert.same(mine, sup:await())
  end)

  it("works on one that has no child, that was never started, and that has failed", function()
    local nothing = { stopped = {}, killed = {}, stuck = {} }
    local sup = tutti.supervisor()
    assert.same(nothing, sup:stop())
    assert.same(nothing, tutti.supervisor():stop())
    sup = tutti.supervisor()
    sup:start({ name = "x", function() error("boom") end })
    assert.is_false((sup:pawait()))
    assert.same(nothing, sup:stop())
  end)

  it("starts nothing any more: not what waits for its restart, not what is asked for", function()
    local runs = 0
    local sup = tutti.supervisor({ name = "s" })
    sup:start({ name = "x", restart = "always", backoff = { 0.2 },
      function() runs = runs + 1 error("x") end })
    sup:start({ name = "slow", function()
      local _ <close> = setmetatable({}, { __close = function() tutti.shield(1, tutti.sleep, 0.03) end })
      tutti.sleep("1h")
    end })
    tutti.sleep(0.005)
    assert.equal("backoff", child_of(sup, "x").state)
    local stopping = tutti.spawn(function() return sup:stop() end)
    tutti.sleep(0.001)
    local err = raised(function() sup:start({ name = "late", print }) end)
    assert.equal("usage", err.kind)
    assert.matches("supervisor \"s\" is stopping", err.message)
    assert.same({ "slow", "x" }, stopping:await().stopped)
    tutti.sleep(0.25)
    assert.equal(1, runs)
    err = raised(function() sup:start({ name = "late", print }) end)
    assert.matches("supervisor \"s\" has ended", err.message)
  end)

  it("from inside a child only asks: that call raises the cancellation", function()
    local log, sup = {}, tutti.supervisor()
    sup:start({ name = "a", function()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "a cancelled" end })
      tutti.sleep(0.002)
      log[#log + 1] = "a asks"
      sup:stop()
      log[#log + 1] = "never"
    end })
    sup:start({ name = "b", server(log, "b") })
    assert.same({ "b", "a" }, sup:await().stopped)
    assert.same({ "+b", "a asks", "-b", "a cancelled" }, log)
  end)

  it("says the failure of a child that fails while it is stopped, and goes on", function()
    local sup = tutti.supervisor()
    sup:start({ name = "a", function()
      local _ <close> = setmetatable({}, { __close = function() error("in cleanup") end })
      tutti.sleep("1h")
    end })
    tutti.sleep(0.002)
    assert.same({ "a" }, sup:stop().stopped)
    assert.equal("done", sup:state())
  end)

  it("kills what does not end in its time", function()
    local sup, is_deaf = tutti.supervisor(), tutti.event()
    sup:start({ name = "process", stop_timeout = 0.02, function()
      tutti.exec({ "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done", grace = "1h",
        stdout = function() is_deaf:set() end }):await()
    end })
    sup:start({ name = "shield", stop_timeout = 0.02, function()
      local _ <close> = setmetatable({}, { __close = function() tutti.shield("1h", tutti.sleep, "1h") end })
      tutti.sleep("1h")
    end })
    sup:start({ name = "good", function() tutti.sleep("1h") end })
    is_deaf:wait()
    local report = sup:stop()
    assert.same({ stopped = { "good" }, killed = { "shield", "process" }, stuck = {} }, report)
  end)

  it("keeps to its own budget, whatever the children were promised", function()
    local sup = tutti.supervisor({ stop_timeout = 0.03 })
    for i = 1, 5 do
      sup:start({ name = "c" .. i, stop_timeout = "1h", function()
        local _ <close> = setmetatable({}, { __close = function() tutti.shield("1h", tutti.sleep, "1h") end })
        tutti.sleep("1h")
      end })
    end
    sup:start({ name = "good", function() tutti.sleep("1h") end })
    tutti.sleep(0.002)
    local report = sup:stop()
    assert.same({ "good" }, report.stopped)
    assert.equal(5, #report.killed)
  end)

  it("by one who is cancelled while waiting goes on", function()
    local sup, log = tutti.supervisor(), {}
    sup:start({ name = "slow", function()
      local _ <close> = setmetatable({}, { __close = function()
        tutti.shield(1, tutti.sleep, 0.01)
        log[#log + 1] = "slow"
      end })
      tutti.sleep("1h")
    end })
    tutti.sleep(0.002)
    local asking = tutti.spawn(function() sup:stop() end)
    tutti.sleep(0.002)
    asking:cancel()
    assert.is_false((asking:pawait()))
    assert.same({ "slow" }, sup:await().stopped)
    assert.same({ "slow" }, log)
  end)

  it("does not own the failure that it waits for", function()
    local err = raised(function()
      tutti.spawn(function()
        local sup = tutti.supervisor()
        sup:start({ name = "slow", function()
          local _ <close> = setmetatable({}, { __close = function() tutti.shield(1, tutti.sleep, 0.01) end })
          tutti.sleep("1h")
        end })
        sup:start({ name = "bad", function() error("boom") end })
        tutti.sleep(0.002)
        assert.same({ "slow" }, sup:stop().stopped)
      end):await()
    end)
    assert.equal("group", err.kind)
  end)
end)

-- ---- orders at any moment ------------------------------------------------------------------

describe("remove", function()
  it("stops one child for good and lets the others be", function()
    local log = {}
    local sup = tutti.supervisor()
    sup:start({ name = "a", server(log, "a"), restart = "always" })
    sup:start({ name = "b", server(log, "b") })
    tutti.sleep(0.002)
    assert.equal("stopped", sup:remove("a"))
    assert.same({ "+a", "+b", "-a" }, log)
    assert.equal("b", names(sup))
    assert.is_false(sup:remove("a"))
    assert.equal("stopped", sup:remove("b"))
    sup:await()
  end)

  it("takes away what waits for its restart: no late start", function()
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "always", backoff = { 0.2 },
      function() runs = runs + 1 error("x") end })
    sup:start({ name = "a", function() tutti.sleep("1h") end })
    tutti.sleep(0.004)
    assert.equal("stopped", sup:remove("x"))
    tutti.sleep(0.25)
    assert.equal(1, runs)
    sup:stop()
  end)

  it("of itself a child only asks", function()
    local after, sup = false, tutti.supervisor()
    sup:start({ name = "a", restart = "always", function()
      sup:remove("a")
      after = true
    end })
    sup:start({ name = "b", function() tutti.sleep(0.01) end })
    sup:await()
    assert.is_false(after)
  end)

  it("frees the name", function()
    local sup, runs = tutti.supervisor(), 0
    sup:start({ name = "other", function() tutti.sleep("1h") end })
    for _ = 1, 3 do
      sup:start({ name = "same", function() runs = runs + 1 tutti.sleep("1h") end })
      tutti.sleep(0.001)
      sup:remove("same")
    end
    assert.equal(3, runs)
    sup:stop()
  end)

  it("in the middle of a group's restart leaves the rest of the group", function()
    local log = {}
    local sup = tutti.supervisor({ strategy = "one_for_all" })
    local runs = 0
    sup:start({ name = "a", server(log, "a") })
    sup:start({ name = "x", restart = "on_failure", backoff = { 0.2 }, function()
      runs = runs + 1
      if runs == 1 then
        error("x")
      end
      tutti.sleep("1h")
    end })
    sup:start({ name = "b", server(log, "b") })
    tutti.sleep(0.005)
    assert.equal("backoff", child_of(sup, "a").state)
    assert.equal("stopped", sup:remove("x"))
    eventually("a runs again", function() return #log == 6 end)
    assert.same({ "+a", "+b", "-b", "-a", "+a", "+b" }, log)
    assert.equal(1, runs)
    sup:stop()
  end)
end)

describe("start", function()
  it("works from inside a child, and makes a child of the supervisor, not of that child", function()
    local sup, ended = tutti.supervisor(), {}
    sup:start({ name = "first", function()
      sup:start({ name = "second", function() tutti.sleep(0.01) ended[#ended + 1] = "second" end })
      ended[#ended + 1] = "first"
    end })
    eventually("first has gone", function() return names(sup) == "second" end)
    assert.same({ "first" }, ended)
    sup:await()
    assert.same({ "first", "second" }, ended)
  end)

  it("works while another child waits for its restart, and while a group is restarted", function()
    for _, strategy in ipairs({ "one_for_one", "one_for_all" }) do
      local log, runs = {}, 0
      local sup = tutti.supervisor({ strategy = strategy })
      sup:start({ name = "x", restart = "on_failure", backoff = { 0.2 }, function()
        runs = runs + 1
        if runs == 1 then
          error("x")
        end
        tutti.sleep("1h")
      end })
      tutti.sleep(0.002)
      sup:start({ name = "new", server(log, "new") })
      eventually("the restart", function() return runs == 2 end)
      assert.same({ "+new" }, log)
      sup:stop()
    end
  end)

  it("keeps the place and the name of the child over restarts", function()
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = 1, backoff = QUICK, function()
      runs = runs + 1
      assert.equal("x", tutti.current():name())
      error("boom")
    end })
    local _, err = sup:pawait()
    for _, failure in ipairs(err.errors) do
      assert.matches("supervisor_orders_spec.lua:%d+: started task \"x\"", failure.traceback)
      assert.is_nil(failure.traceback:find("supervision", 1, true))
    end
    assert.equal(2, #err.errors)
  end)

  it("shows its children: name, state, restarts and task", function()
    local sup = tutti.supervisor()
    sup:start({ name = "a", function() tutti.sleep("1h") end })
    sup:start({ function() tutti.sleep("1h") end })
    local list = sup:children()
    assert.equal("a", list[1].name)
    assert.equal("child 1", list[2].name)
    assert.same({ "running", 0 }, { list[1].state, list[1].restarts })
    assert.equal("a", list[1].task:name())
    sup:stop()
    assert.same({}, sup:children())
  end)
end)
