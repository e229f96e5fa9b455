-- SPDX-License-Identifier: MIT
-- Supervisors: a task like others, policies, strategies, backoff, giving up, misuse, many children.
local build = require("tests.spec.support.build")
local supervision = require("tests.spec.support.supervision")
local tutti = require("tutti")
local describe, busted_it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local it = supervision.virtual(busted_it)
local raised, names, child_of = supervision.raised, supervision.names, supervision.child_of
local eventually, server, QUICK = supervision.eventually, supervision.server, supervision.QUICK

describe("a supervisor is a task", function()
  it("has a name, a state, an id and a text, and can be awaited, gathered and come before others", function()
    local sup = tutti.supervisor({ name = "services" })
    sup:start({ name = "a", function() tutti.sleep(0.002) end })
    assert.equal("services", sup:name())
    assert.matches("services", tostring(sup))
    assert.is_number(sup:id())
    assert.is_false(sup:is_done())
    local after = tutti.task({ function(report) return report end, after = { sup } })
    local list = tutti.all({ sup, after }):await()
    assert.same({ stopped = {}, killed = {}, stuck = {} }, list[1])
    assert.equal(list[1], list[2])
    assert.equal("done", sup:state())
    assert.equal(list[1], sup:await())
  end)

  it("ends when its last child has ended", function()
    local sup, ended = tutti.supervisor(), 0
    for i = 1, 3 do
      sup:start({ function() tutti.sleep(i / 1000) ended = ended + 1 end })
    end
    sup:await()
    assert.equal(3, ended)
  end)

  it("ends when it is awaited without ever having had a child", function()
    tutti.supervisor():await()
    local sup = tutti.supervisor()
    tutti.sleep(0.005)
    assert.is_false(sup:is_done()) -- it may still be given one
    local ran = false
    sup:start({ function() ran = true end })
    sup:await()
    assert.is_true(ran)
  end)

  it("does not hold up its owner when it never had a child", function()
    tutti.spawn(function() tutti.supervisor() end):await()
  end)

  it("is joined by its owner", function()
    local ended = false
    tutti.spawn(function()
      local sup = tutti.supervisor()
      sup:start({ function() tutti.sleep(0.005) ended = true end })
    end):await()
    assert.is_true(ended)
  end)

  it("fails its owner when nobody awaits it", function()
    local err = raised(function()
      tutti.spawn(function()
        local sup = tutti.supervisor({ name = "inner" })
        sup:start({ name = "bad", function() error("boom") end })
      end):await()
    end)
    assert.equal("group", err.kind)
    assert.matches("\"bad\" failed: .*boom", err.errors[1].message)
  end)

  it("cancelled, ends all its children at once, also those that wait for a restart", function()
    local log, starts = {}, 0
    local sup = tutti.supervisor()
    sup:start({ server(log, "a") })
    sup:start({ function() starts = starts + 1 error("x") end, restart = "always", backoff = { 0.2 } })
    tutti.sleep(0.005)
    sup:cancel("enough")
    local ok, err = sup:pawait()
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.equal("cancelled", sup:state())
    assert.same({ "+a", "-a" }, log)
    tutti.sleep(0.25)
    assert.equal(1, starts)
    assert.same({}, sup:children())
  end)

  it("ends with an owner that fails", function()
    local log = {}
    local ok = tutti.spawn(function()
      local sup = tutti.supervisor()
      sup:start({ server(log, "a") })
      tutti.sleep(0.002)
      error("owner")
    end):pawait()
    assert.is_false(ok)
    assert.same({ "+a", "-a" }, log)
  end)
end)

-- ---- policies ------------------------------------------------------------------------------

-- One child that ends as `how` says, at most two restarts; what happened?
local function run_cell(restart, how, on_giveup)
  local runs = 0
  local sup = tutti.supervisor({ name = "cells" })
  local log = {}
  sup:start({ name = "witness", server(log, "witness") })
  local policy = { name = "it", restart = restart, max_restarts = 2, backoff = QUICK, on_giveup = on_giveup }
  policy[1] = function()
    runs = runs + 1
    if how == "error" then
      error("boom")
    elseif how ~= "return" then
      tutti.sleep("1h")
    end
  end
  sup:start(policy)
  local function handle()
    local child = child_of(sup, "it")
    return child and child.task:state() == "suspended" and child.task or nil -- has run
  end
  if how == "cancel" then
    while child_of(sup, "it") and not sup:is_done() do
      local task = handle()
      if task then
        task:cancel()
      end
      tutti.sleep(0.001)
    end
  elseif how == "stop" then
    eventually("the first run", function() return runs == 1 end)
    sup:remove("it")
  end
  tutti.sleep(0.02)
  local cell = { runs = runs, witness = child_of(sup, "witness") and "goes on" or "gone" }
  if cell.witness == "goes on" then
    sup:stop()
  end
  local ok, err = sup:pawait()
  cell.sup = ok and "done" or err.message:match("\"it\" (.-):")
  return cell
end

describe("what an end means", function()
  local ON = "goes on"
  local cells = {
    { "never", "return", "fail", runs = 1, witness = ON, sup = "done" },
    { "never", "error", "fail", runs = 1, witness = "gone", sup = "failed" },
    { "never", "error", "drop", runs = 1, witness = ON, sup = "done" },
    { "never", "error", "shutdown", runs = 1, witness = "gone", sup = "done" },
    { "never", "cancel", "fail", runs = 1, witness = ON, sup = "done" },
    { "never", "stop", "fail", runs = 1, witness = ON, sup = "done" },
    { "on_failure", "return", "fail", runs = 1, witness = ON, sup = "done" },
    { "on_failure", "error", "fail", runs = 3, witness = "gone", sup = "is given up after 2 restarts" },
    { "on_failure", "error", "drop", runs = 3, witness = ON, sup = "done" },
    { "on_failure", "error", "shutdown", runs = 3, witness = "gone", sup = "done" },
    { "on_failure", "cancel", "fail", runs = 1, witness = ON, sup = "done" },
    { "on_failure", "stop", "fail", runs = 1, witness = ON, sup = "done" },
    { "always", "return", "fail", runs = 3, witness = "gone", sup = "is given up after 2 restarts" },
    { "always", "return", "drop", runs = 3, witness = ON, sup = "done" },
    { "always", "error", "fail", runs = 3, witness = "gone", sup = "is given up after 2 restarts" },
    { "always", "error", "drop", runs = 3, witness = ON, sup = "done" },
    { "always", "cancel", "drop", runs = 3, witness = ON, sup = "done" },
    { "always", "stop", "fail", runs = 1, witness = ON, sup = "done" },
  }
  for _, cell in ipairs(cells) do
    local restart, how, on_giveup = table.unpack(cell)
    it(("restart = %q, the child ends by %s, on_giveup = %q"):format(restart, how, on_giveup), function()
      local got = run_cell(restart, how, on_giveup)
      assert.same({ runs = cell.runs, witness = cell.witness, sup = cell.sup }, got)
    end)
  end

  it("max_restarts = 0, 1, 3 and false", function()
    for _, most in ipairs({ 0, 1, 3 }) do
      local runs = 0
      local sup = tutti.supervisor()
      sup:start({ name = "x", restart = "always", max_restarts = most, backoff = QUICK,
        function() runs = runs + 1 error("boom") end })
      assert.is_false((sup:pawait()))
      assert.equal(most + 1, runs)
    end
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = false, backoff = { 0 },
      function() runs = runs + 1 if runs < 200 then error("boom") end end })
    sup:await()
    assert.equal(200, runs)
  end)

  it("a mandatory task that returns is restarted too; then the supervisor fails", function()
    local runs = 0
    local sup = tutti.supervisor({ name = "s" })
    sup:start({ name = "x", restart = "always", max_restarts = 3, backoff = QUICK,
      function() runs = runs + 1 end })
    local ok, err = sup:pawait()
    assert.is_false(ok)
    assert.equal(4, runs)
    assert.matches("\"x\" is given up after 3 restarts: it ended, although it must go on", err.message)
    assert.is_nil(err.cause)
  end)

  it("mandatory, detachable and shutdown_on_exit are what the seed says", function()
    local sup = tutti.supervisor({ name = "s" })
    local runs = { must = 0, may = 0, fine = 0 }
    sup:detachable("may", 1, function() runs.may = runs.may + 1 error("flaky") end)
    sup:detachable("fine", 5, function() runs.fine = runs.fine + 1 end)
    sup:mandatory("must", 1, function() runs.must = runs.must + 1 tutti.sleep(0.03) error("down") end)
    local ok, err = sup:pawait()
    assert.is_false(ok)
    assert.matches("must", err.message)
    assert.same({ must = 2, may = 2, fine = 1 }, runs)

    local log = {}
    sup = tutti.supervisor()
    sup:start({ name = "a", server(log, "a") })
    sup:shutdown_on_exit("ui", function() tutti.sleep(0.002) end)
    assert.same({ stopped = { "a" }, killed = {}, stuck = {} }, sup:await())

    sup = tutti.supervisor()
    sup:start({ name = "a", server(log, "a") })
    sup:shutdown_on_exit("ui", function() error("crash") end)
    ok, err = sup:pawait()
    assert.is_false(ok)
    assert.matches("\"ui\" failed: .*crash", err.message)
    assert.same({ "+a", "-a", "+a", "-a" }, log)
  end)

  it("on_exit = all shuts down when the last of these children has ended", function()
    local log = {}
    local sup = tutti.supervisor()
    sup:start({ name = "a", server(log, "a") })
    sup:start({ name = "x", on_exit = "all", function() end })
    local gate = tutti.channel(1)
    sup:start({ name = "y", on_exit = "all", function() gate:recv() end })
    eventually("x has gone", function() return names(sup) == "a y" end)
    gate:send(true)
    assert.same({ "a" }, sup:await().stopped)
  end)

  it("tells the error, its cause and the history", function()
    local runs = 0
    local sup = tutti.supervisor({ name = "services" })
    sup:start({ name = "api", restart = "on_failure", max_restarts = 2, backoff = QUICK, function()
      runs = runs + 1
      error({ code = runs })
    end })
    local _, err = sup:pawait()
    assert.equal("error", err.kind)
    assert.equal("services", err.task)
    assert.matches("supervisor \"services\": \"api\" is given up after 2 restarts", err.message)
    assert.equal(3, #err.errors)
    assert.equal(err.errors[3], err.cause)
    assert.same({ 1, 2, 3 }, { err.errors[1].value.code, err.errors[2].value.code, err.cause.value.code })
  end)

  it("forgives after a healthy run, and only then", function()
    local runs, slow = 0, { [3] = true, [5] = true }
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = 2, healthy_after = 0.3, backoff = QUICK,
      function()
        runs = runs + 1
        if slow[runs] then
          tutti.sleep(0.3)
        end
        error("boom " .. runs)
      end })
    local _, err = sup:pawait()
    -- Two restarts are allowed: after 1 and 2; after 3, which was healthy, and 4; after 5, as healthy, and 6.
    assert.equal(7, runs)
    assert.equal(3, #err.errors)
    assert.matches("boom 5", err.errors[1].message)
  end)

  it("a delay longer than the healthy time hides no limit", function()
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = 2, healthy_after = 0.2,
      backoff = { 0.25, 0.25, 1, 0 }, function() runs = runs + 1 error("boom") end })
    assert.is_false((sup:pawait()))
    assert.equal(3, runs)
  end)

  it("waits first, then longer and longer up to the cap, and never more than that", function()
    local times = {}
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = 4, backoff = { 0.01, 0.02, 2, 0 },
      function() times[#times + 1] = tutti.now() error("boom") end })
    assert.is_false((sup:pawait()))
    for i, delay in ipairs({ 0.01, 0.02, 0.02, 0.02 }) do
      assert.is_true(math.abs(times[i + 1] - times[i] - delay) < 1e-6)
    end
  end)

  it("a child that somebody else's cancellation ended has failed, not been cancelled", function()
    local victim = tutti.spawn(function() tutti.sleep("1h") end)
    victim:cancel()
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "on_failure", max_restarts = 1, backoff = QUICK,
      function() runs = runs + 1 victim:await() end })
    assert.is_false((sup:pawait()))
    assert.equal(2, runs)
  end)

  it("starts recipes with their options, each time anew", function()
    local seen = {}
    local recipe = tutti.recipe({ name = "job", args = { 1 },
      function(a) seen[#seen + 1] = a error("x") end })
    local sup = tutti.supervisor()
    sup:start({ recipe, restart = "on_failure", max_restarts = 1, backoff = QUICK, on_giveup = "drop" })
    assert.equal("job", sup:children()[1].name)
    sup:start({ name = "other", recipe, args = { 2 }, on_giveup = "drop" })
    sup:await()
    table.sort(seen)
    assert.same({ 1, 1, 2 }, seen)
  end)

  it("runs children on the pool and processes", function()
    local sup = tutti.supervisor()
    sup:start({ name = "pool", on = "pool", args = { 6, 7 }, restart = "on_failure", max_restarts = 1,
      backoff = QUICK, on_giveup = "drop", function(a, b) error("answer " .. a * b) end })
    sup:start({ name = "process", function() tutti.exec({ "sleep", "3600" }):await() end })
    sup:start({ name = "status", restart = "on_failure", max_restarts = 1, backoff = QUICK,
      function() tutti.exec({ "false" }):await() end })
    local ok, err = sup:pawait()
    assert.is_false(ok)
    assert.equal("exit", err.cause.kind)
    assert.matches("status", err.message)
  end)

  it("refuses at the call what cannot be sent to the pool", function()
    local co = coroutine.create(print)
    local sup = tutti.supervisor()
    local err = raised(function() sup:start({ name = "x", on = "pool", function() return co end }) end)
    assert.equal("transfer", err.kind)
    assert.same({}, sup:children())
  end)
end)

-- ---- strategies ----------------------------------------------------------------------------

describe("strategies", function()
  local function run(strategy, log)
    local sup = tutti.supervisor({ strategy = strategy })
    local fail
    sup:start({ name = "a", server(log, "a") })
    sup:start({ name = "b", restart = "on_failure", max_restarts = 3, backoff = QUICK, function()
      log[#log + 1] = "+b"
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "-b" end })
      local ch = tutti.channel(1)
      fail = function() ch:send(true) end
      ch:recv()
      fail = nil
      error("b fails")
    end })
    sup:start({ name = "c", server(log, "c") })
    sup:start({ name = "d", server(log, "d") })
    tutti.sleep(0.005)
    fail()
    eventually("b's restart", function() return fail and child_of(sup, "b").restarts == 1 end)
    tutti.sleep(0.005)
    log[#log + 1] = "|"
    for _, child in ipairs(sup:children()) do
      assert.equal("running", child.state)
      assert.equal(child.name == "b" and 1 or 0, child.restarts)
    end
    sup:stop()
    return table.concat(log, " ")
  end

  it("one_for_one restarts the one that failed", function()
    assert.equal("+a +b +c +d -b +b | -d -c -b -a", run("one_for_one", {}))
  end)

  it("one_for_all stops the others in reverse order, starts all in order, counts nobody else", function()
    assert.equal("+a +b +c +d -b -d -c -a +a +b +c +d | -d -c -b -a", run("one_for_all", {}))
  end)

  it("rest_for_one does that with those that were started after it", function()
    assert.equal("+a +b +c +d -b -d -c +b +c +d | -d -c -b -a", run("rest_for_one", {}))
  end)

  it("counts each of two that fail in the same tick, and starts all once", function()
    local starts = { a = 0, b = 0, c = 0 }
    local sup = tutti.supervisor({ strategy = "one_for_all" })
    for _, name in ipairs({ "a", "b", "c" }) do
      sup:start({ name = name, restart = "on_failure", backoff = QUICK, function()
        starts[name] = starts[name] + 1
        if name ~= "c" and starts[name] == 1 then
          error("at once")
        end
        tutti.sleep("1h")
      end })
    end
    eventually("the restart", function() return starts.c == 2 end)
    tutti.sleep(0.005)
    assert.same({ a = 2, b = 2, c = 2 }, starts)
    assert.equal(1, child_of(sup, "a").restarts)
    assert.equal(1, child_of(sup, "b").restarts)
    assert.equal(0, child_of(sup, "c").restarts)
    sup:stop()
  end)

  it("a failure of an earlier child during the restart of a later one widens it", function()
    local log, fail_a, runs_b = {}, tutti.channel(1), 0
    local sup = tutti.supervisor({ strategy = "rest_for_one" })
    local runs_a = 0
    sup:start({ name = "a", restart = "on_failure", backoff = QUICK, function()
      runs_a = runs_a + 1
      log[#log + 1] = "+a"
      if runs_a == 1 then
        fail_a:recv()
        error("a")
      end
      tutti.sleep("1h")
    end })
    sup:start({ name = "m", server(log, "m") })
    sup:start({ name = "b", restart = "on_failure", backoff = { 0.2 }, function()
      runs_b = runs_b + 1
      log[#log + 1] = "+b"
      if runs_b == 1 then
        error("b")
      end
      tutti.sleep("1h")
    end })
    sup:start({ name = "c", server(log, "c") })
    tutti.sleep(0.005) -- b waits for its restart, c has been stopped
    fail_a:send(true)
    eventually("all run again", function() return #log >= 10 end)
    assert.equal("+a +m +b +c -c -m +a +m +b +c", table.concat(log, " "))
    sup:stop()
  end)

  it("a child without restart that is stopped for another's starts again with it", function()
    local log = {}
    local sup = tutti.supervisor({ strategy = "one_for_all" })
    sup:start({ name = "plain", server(log, "plain") })
    local runs = 0
    sup:start({ name = "x", restart = "on_failure", backoff = QUICK, function()
      runs = runs + 1
      if runs == 1 then
        error("x")
      end
    end })
    eventually("the second start", function() return #log == 3 end)
    assert.same({ "+plain", "-plain", "+plain" }, log)
    sup:stop()
  end)

  it("a child that is given up and dropped leaves the others alone", function()
    local log = {}
    local sup = tutti.supervisor({ strategy = "one_for_all" })
    sup:start({ name = "a", server(log, "a") })
    sup:start({ name = "x", on_giveup = "drop", function() error("x") end })
    tutti.sleep(0.005)
    assert.same({ "+a" }, log)
    assert.equal("a", names(sup))
    sup:stop()
  end)
end)

describe("misuse of a supervisor", function()
  local function refused(pattern, f)
    local err = raised(f)
    assert.equal("usage", err.kind)
    assert.matches("^[^\n]*supervisor_spec.lua:%d+: ", err.message)
    assert.matches(pattern, err.message)
  end

  it("is refused with what to change, at the caller's line", function()
    local sup = tutti.supervisor({ name = "s" })
    local function f() end
    refused("unknown option \"stratgy\".*\"strategy\"",
      function() return tutti.supervisor({ stratgy = "x" }), 1 end)
    refused("must be \"one_for_one\"", function() return tutti.supervisor({ strategy = "all" }), 1 end)
    refused("stop_timeout: a duration", function() return tutti.supervisor({ stop_timeout = "soon" }), 1 end)
    refused("a table", function() return tutti.supervisor("s"), 1 end)
    refused("unknown option \"restrat\".*\"restart\"", function() sup:start({ f, restrat = "always" }) end)
    refused("option \"restart\" must be", function() sup:start({ f, restart = "sometimes" }) end)
    refused("max_restarts\" must be a whole number", function() sup:start({ f, max_restarts = -1 }) end)
    refused("max_restarts\" must be a whole number", function() sup:start({ f, max_restarts = 1.5 }) end)
    refused("healthy_after: a duration", function() sup:start({ f, healthy_after = -1 }) end)
    refused("the cap .* is below the first", function() sup:start({ f, backoff = { 2, 1 } }) end)
    refused("element 4 %(jitter%)", function() sup:start({ f, backoff = { 1, 2, 2, 2 } }) end)
    refused("on_exit = \"shutdown\" can never",
      function() sup:start({ f, restart = "always", on_exit = "shutdown" }) end)
    refused("a function was expected", function() sup:start({ name = "x" }) end)
    refused("a table", function() sup:start(f) end)
    refused("a recipe", function() sup:start(tutti.recipe({ f })) end)
    refused("number of restarts", function() sup:mandatory("x", "3", f) end)
    refused("the name of the child", function() sup:detachable(3, 3, f) end)
    refused("a function was expected", function() sup:shutdown_on_exit("x") end)
    refused("name of a child", function() sup:remove() end)
    sup:start({ name = "twice", function() tutti.sleep("1h") end })
    refused("has a child named \"twice\"", function() sup:start({ name = "twice", f }) end)
    refused("is no supervisor", function() tutti.spawn(f):stop() end)
    refused("a supervisor was expected, got table", function() sup.start({ name = "x", f }) end)
    sup:stop()
  end)
end)

local MANY = build.is_tsan and 500 or 10000

describe("many children", function()
  it(MANY .. " that fail at once are all restarted, and given up", function()
    local count, runs = MANY, 0
    local sup = tutti.supervisor()
    for i = 1, count do
      sup:start({ name = "c" .. i, restart = "on_failure", max_restarts = 1, backoff = { 0.001, 0.01 },
        on_giveup = "drop", function() runs = runs + 1 error("boom") end })
    end
    sup:await()
    assert.equal(2 * count, runs)
  end)

  it("stops them all", function()
    local sup = tutti.supervisor()
    local many = build.times(2000)
    for i = 1, many do
      sup:start({ name = "c" .. i, function() tutti.sleep("1h") end })
    end
    tutti.checkpoint()
    assert.equal(many, #sup:stop().stopped)
  end)

  it("a child that is restarted for ever keeps memory flat", function()
    local runs = 0
    local sup = tutti.supervisor()
    sup:start({ name = "x", restart = "always", max_restarts = false, backoff = 0.001,
      function() runs = runs + 1 error("x") end })
    eventually("500 runs", function() return runs > 500 end)
    collectgarbage()
    local before = collectgarbage("count")
    local many = build.is_tsan and 700 or 3000
    eventually(many .. " runs", function() return runs > many end)
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 100)
    sup:stop()
  end)
end)
