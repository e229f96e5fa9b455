-- SPDX-License-Identifier: MIT
-- Runs of graphs in mode "loop": order, values, failures, skipping, conditions, adding, cancelling, results.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local session = require("tutti.session")
local _ENV = _G -- luacheck: ignore

local function noop() end

local function fail()
  error("boom")
end

local function returns(...)
  local values = table.pack(...)
  return function() return table.unpack(values, 1, values.n) end
end

-- What f does, with the names of tasks in the order in which they ran.
local function noting(order, name, f)
  return function(...)
    order[#order + 1] = name
    return (f or noop)(...)
  end
end

describe("a run", function()
  it("starts a task when all it needs is there, without barriers", function()
    tutti.testing({}, function()
      local g, order = tutti.graph("deploy"), {}
      local function work(name, seconds)
        return function()
          tutti.sleep(seconds)
          order[#order + 1] = ("%s %g"):format(name, tutti.now())
        end
      end
      local began = tutti.now()
      g:task("db", work("db", 2)):task("assets", work("assets", 2))
      g:task("server", { needs = { "db" } }, work("server", 1))
      g:task("tests", { needs = { "server", "assets" } }, work("tests", 2))
      local r = g:run():await()
      assert.is_true(r:ok())
      assert.equal(5, tutti.now() - began)
      assert.equal(3, r.server.ended - began)
      assert.equal(2, r.tests.elapsed)
    end)
  end)

  it("hands on the first results in the order of needs", function()
    local g = tutti.graph("values")
    g:task("a", returns(1, "more")):task("b", returns(nil)):task("c", returns({ 3 }))
    local got
    g:task("all", { needs = { "c", "a", "b", "c" } }, function(...) got = table.pack(...) end)
    local r = g:run():await()
    assert.equal(3, got.n)
    assert.equal(got[1], r.c.value)
    assert.same({ 3 }, got[1])
    assert.equal(1, got[2])
    assert.is_nil(got[3])
    assert.same({ 1, "more", n = 2 }, r.a.values)
  end)

  it("can be made again, also twice at once", function()
    local g, count = tutti.graph("again"), 0
    g:task("a", function() count = count + 1 tutti.sleep(0.001) return count end)
    g:task("b", { needs = { "a" } }, function(a) return a end)
    local one, two = g:run(), g:run()
    assert.is_true(one:await():ok() and two:await():ok())
    assert.is_true(g:run():await():ok())
    assert.equal(3, count)
    assert.not_equal(one:await().run.id, two:await().run.id)
  end)

  it("of an empty graph is over at once", function()
    local r = tutti.graph("empty"):run():await()
    assert.is_true(r:ok())
    assert.equal(0, r.total)
    assert.same({}, r:results())
  end)

  it("runs what is selected, with what that needs", function()
    local g, order = tutti.graph("select"), {}
    for _, row in ipairs({ { "a" }, { "b", "a" }, { "c", "b" }, { "d" } }) do
      g:task(row[1], { needs = { row[2] } }, noting(order, row[1]))
    end
    local r = g:run({ { "b" } }):await()
    assert.same({ "a", "b" }, order)
    assert.equal(2, r.total)
    assert.is_nil(r.tasks.c)
  end)

  it("takes recipes and what can be called", function()
    local g = tutti.graph("recipes")
    g:task("r", tutti.recipe({ function(x) return x * 2 end, args = { 21 } }))
    g:task("c", setmetatable({}, { __call = function(_, x) return x + 1 end }))
    g:task("d", { needs = { "r" } }, setmetatable({}, { __call = function(_, x) return x + 1 end }))
    local r = g:run():await()
    assert.equal(42, r.r.value)
    assert.equal("failed", r.c.state)
    assert.equal(43, r.d.value)
    assert.is_false(r:ok())
  end)

  it("joins what its tasks have started", function()
    local g, ended = tutti.graph("join"), false
    g:task("a", function()
      tutti.spawn(function()
        tutti.sleep(0.005)
        ended = true
      end)
    end)
    g:task("b", { needs = { "a" } }, function() return ended end)
    assert.is_true(g:run():await().b.value)
  end)

  it("is one task among others: scopes and time limits end it", function()
    local g, ran = tutti.graph("slow"), 0
    g:task("a", function() tutti.sleep(10) end)
    g:task("b", { needs = { "a" } }, function() ran = ran + 1 end)
    local ok, err = pcall(tutti.timeout, 0.01, function() return g:run():await() end)
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    assert.equal(0, ran)
    assert.equal(0, tutti.stats().live)
  end)

  it("can be in a task of another", function()
    local inner, outer = tutti.graph("inner"), tutti.graph("outer")
    inner:task("x", returns(7))
    outer:task("a", function() return inner:run():await().x.value end)
    outer:task("b", { needs = { "a" } }, function(a) return a + 1 end)
    assert.equal(8, outer:run({ jobs = 1 }):await().b.value)
  end)

  it("goes the same way for the same seed", function()
    local function order_of()
      return tutti.testing({ seed = 5 }, function()
        local g, order = tutti.graph("seed"), {}
        for i = 1, 30 do
          g:task("t" .. i, { needs = i > 5 and { "t" .. i // 2 } or nil, on = i % 3 == 0 and "pool" or nil },
            i % 3 == 0 and function() return 1 end or noting(order, i))
        end
        g:run():await()
        return table.concat(order, " ")
      end)
    end
    assert.equal(order_of(), order_of())
  end)
end)

describe("a task that fails", function()
  local function failing(g)
    g = g or tutti.graph("failing")
    g:task("bad", fail):task("other", returns(1))
    g:task("child", { needs = { "bad" } }, noop)
    g:task("grandchild", { needs = { "child", "other" } }, noop)
    return g
  end

  it("has what needs it skipped, with the root failure as cause", function()
    local r = failing():run():await()
    assert.is_false(r:ok())
    assert.same({ 4, 1, 1, 2, 0 }, { r.total, r.succeeded, r.failed, r.skipped, r.cancelled })
    assert.equal("boom", r.bad.error.message:match("boom$"))
    for _, name in ipairs({ "child", "grandchild" }) do
      local entry = r[name]
      assert.equal("skipped", entry.state)
      assert.equal("skipped", entry.error.kind)
      assert.equal(r.bad.error, entry.error.cause)
      assert.equal("\"bad\" failed", entry.reason)
      assert.is_nil(entry.began)
      assert.equal(0, entry.attempts)
    end
    assert.equal(1, #r:failures())
    assert.equal("bad", r:failures()[1].name)
    assert.equal("other", r:successes()[1].name)
    assert.equal(4, #r:results())
  end)

  it("skips before others that are needed have ended", function()
    tutti.testing({}, function()
      local g = tutti.graph("early")
      g:task("bad", fail):task("slow", function() tutti.sleep(5) end)
      g:task("both", { needs = { "slow", "bad" } }, noop)
      local r = g:run():await()
      assert.is_true(r.both.ended < r.slow.ended)
    end)
  end)

  it("lets run what has run_on_skip, which gets handles", function()
    local g = failing()
    local states
    g:task("after", { needs = { "grandchild", "bad", "other" }, run_on_skip = true }, function(...)
      states = {}
      for i, task in ipairs({ ... }) do
        local ok, value = task:pawait()
        states[i] = ("%s %s %s"):format(task:name(), task:state(), ok and value or value.kind)
      end
      return "went"
    end)
    local r = g:run():await()
    assert.same({ "grandchild skipped skipped", "bad failed error", "other done 1" }, states)
    assert.equal("went", r.after.value)
  end)

  it("stops the run with on_failure = \"stop\": what runs finishes, the rest does not start", function()
    tutti.testing({}, function()
      local g = tutti.graph("stop")
      g:task("slow", function() tutti.sleep(1) return "finished" end)
      failing(g)
      g:task("next", { needs = { "slow" } }, noop)
      g:task("cleanup", { needs = { "bad" }, run_on_skip = true }, noop)
      local r = g:run({ on_failure = "stop" }):await()
      assert.equal("finished", r.slow.value)
      assert.equal("cancelled", r.next.state)
      assert.is_truthy(r.next.reason:find("on_failure"))
      assert.equal("skipped", r.child.state)
      assert.equal("skipped", r.cleanup.state)
      assert.equal("cancelled", r.other.state) -- it had not begun
      assert.same({ 7, 1, 1, 3, 2 }, { r.total, r.succeeded, r.failed, r.skipped, r.cancelled })
    end)
  end)

  it("may be tried again, and have a time limit", function()
    tutti.testing({}, function()
      local g, tries = tutti.graph("retry"), 0
      g:task("flaky", { retry = { times = 3, backoff = 1 } }, function()
        tries = tries + 1
        return tries > 2 and "fine" or error("not yet")
      end)
      g:task("slow", { timeout = "1s" }, function() tutti.sleep(5) end)
      local r = g:run():await()
      assert.equal("fine", r.flaky.value)
      assert.equal(3, r.flaky.attempts)
      assert.equal("timeout", r.slow.error.kind)
      assert.equal(1, r.slow.attempts)
    end)
  end)

  it("fails for its children too", function()
    local g = tutti.graph("children")
    g:task("parent", function()
      local task = tutti.spawn(fail)
      return task:pawait() and 1 or 2
    end)
    g:task("careless", function() tutti.spawn(function() tutti.checkpoint() error("child") end) return 1 end)
    local said = {}
    session.say = function(text) said[#said + 1] = text end
    local r = g:run():await()
    session.say = nil
    assert.equal(2, r.parent.value)
    assert.equal("group", r.careless.error.kind)
    assert.is_nil(r.careless.value)
    assert.is_truthy(said[1]:find("nobody awaiting"))
  end)
end)

describe("when", function()
  it("decides with the results whether the task runs, and says why not", function()
    local g, ran = tutti.graph("when"), 0
    g:task("day", returns("Sunday"))
    local function weekday(day)
      return day ~= "Sunday", "not on " .. day .. "s"
    end
    g:task("deploy", { needs = { "day" }, when = weekday }, function() ran = ran + 1 end)
    g:task("announce", { needs = { "deploy" } }, noop)
    g:task("rest", { needs = { "day" }, when = returns(true) }, returns("yes"))
    local r = g:run():await()
    assert.is_true(r:ok())
    assert.equal(0, ran)
    assert.equal("skipped", r.deploy.state)
    assert.equal("not on Sundays", r.deploy.reason)
    assert.equal("\"deploy\" was skipped", r.announce.reason)
    assert.equal(r.deploy.error, r.announce.error.cause)
    assert.equal("yes", r.rest.value)
    assert.same({ 2, 0, 2 }, { r.succeeded, r.failed, r.skipped })
  end)

  it("that raises fails the task", function()
    local g = tutti.graph("when")
    g:task("a", { when = fail }, noop)
    assert.equal("failed", g:run():await().a.state)
  end)
end)

describe("current_run", function()
  it("is that of the task, and of what it has started", function()
    local g, seen = tutti.graph("current"), {}
    g:task("a", function()
      seen[1] = tutti.current_run()
      seen[2] = tutti.spawn(function() return tutti.current_run() end):await()
      tutti.scope(function() seen[3] = tutti.current_run() end)
    end)
    local r = g:run():await()
    assert.equal(r.run, seen[1])
    assert.equal(r.run, seen[2])
    assert.equal(r.run, seen[3])
    assert.is_nil(tutti.current_run())
  end)

  it("takes more tasks while it runs, which need settled, running and waiting ones", function()
    local g = tutti.graph("add")
    g:task("done", returns(1))
    g:task("adds", { needs = { "done" } }, function()
      local run = tutti.current_run()
      run:task("on_done", { needs = { "done" } }, function(x) return x + 1 end)
      run:task("on_me", { needs = { "adds" } }, function(x) return x .. "!" end)
      run:task("on_last", { needs = { "last", "on_me" } }, function(x, y) return x .. y end)
      return "me"
    end)
    g:task("last", { needs = { "adds" } }, returns("last"))
    local r = g:run():await()
    assert.is_true(r:ok())
    assert.equal(6, r.total)
    assert.equal(6, r.succeeded)
    assert.equal(2, r.on_done.value)
    assert.equal("lastme!", r.on_last.value)
    assert.equal(3, #g.nodes) -- the graph itself has not changed
    assert.is_nil(g:run({ { "done" } }):await().tasks.on_me)
  end)

  it("does not end before what was added last", function()
    local g, depth = tutti.graph("grow"), 0
    local function grow()
      depth = depth + 1
      if depth < 50 then
        tutti.current_run():task("grow" .. depth, grow)
      end
    end
    g:task("seed", grow)
    local r = g:run():await()
    assert.equal(50, r.succeeded)
  end)

  it("gives a handle that can be awaited and cancelled before it starts", function()
    local g = tutti.graph("await")
    g:task("slow", function() tutti.sleep(10) end)
    g:task("adds", function()
      local run = tutti.current_run()
      local first = run:task("first", returns("one", "two"))
      local never = run:task("never", { needs = { "slow" } }, noop)
      run:task("below", { needs = { "never" } }, noop)
      local one, two = first:await()
      never:cancel("not wanted")
      run.entries.slow.task:cancel()
      return one .. two
    end)
    local r = g:run():await()
    assert.equal("onetwo", r.adds.value)
    assert.equal("cancelled", r.never.state)
    assert.equal("not wanted", r.never.reason)
    assert.equal("cancelled", r.slow.state)
    assert.equal("skipped", r.below.state)
    assert.is_false(r:ok())
  end)

  it("skips at once what needs a task that has failed", function()
    local g = tutti.graph("late")
    g:task("bad", fail)
    g:task("adds", { needs = { "bad" }, run_on_skip = true }, function()
      local run = tutti.current_run()
      local task = run:task("late", { needs = { "bad" } }, noop)
      run:task("later", { needs = { "late" } }, noop)
      run:task("anyway", { needs = { "late" }, run_on_skip = true }, function(late) return late:state() end)
      return task:state()
    end)
    local r = g:run():await()
    assert.equal("skipped", r.adds.value)
    assert.equal(r.bad.error, r.later.error.cause)
    assert.equal("skipped", r.anyway.value)
    assert.equal(5, r.total)
  end)

  it("refuses unknown needs, names that are taken, and what has ended", function()
    local g, errs, run = tutti.graph("wrong"), {}, nil
    g:task("server", function()
      run = tutti.current_run()
      for i, call in ipairs({ { "server", noop }, { "x", { needs = { "servr" } }, noop }, { "x", 5 },
        { "x", { limit = "net" }, noop } }) do
        local _, err = pcall(run.task, run, table.unpack(call))
        errs[i] = err
      end
    end)
    local r = g:run():await()
    assert.is_true(r:ok())
    assert.equal(1, r.total)
    assert.equal("usage", errs[1].kind)
    assert.equal("missing", errs[2].kind)
    assert.is_truthy(errs[2].message:find("\"server\"", 1, true))
    assert.equal("usage", errs[3].kind)
    assert.equal("missing", errs[4].kind)
    local ok, err = pcall(run.task, run, "late", noop)
    assert.is_false(ok)
    assert.is_truthy(err.message:find("has ended", 1, true))
  end)
end)

describe("cancelling", function()
  it("a run ends what runs and joins it", function()
    local g, cleaned, begun = tutti.graph("cancel"), 0, tutti.event()
    g:task("a", function()
      tutti.defer(function() cleaned = cleaned + 1 end)
      begun:set()
      tutti.sleep(10)
    end)
    g:task("b", { needs = { "a" } }, noop)
    local task = g:run()
    begun:wait()
    task:cancel("enough")
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("enough", err.reason)
    assert.equal(1, cleaned)
    assert.equal(0, tutti.stats().live)
  end)

  it("one task by another has what needs it skipped", function()
    local g = tutti.graph("cancel")
    g:task("a", function() tutti.sleep(10) end)
    g:task("b", { needs = { "a" } }, noop)
    g:task("c", function() tutti.current_run().entries.a.task:cancel("by c") end)
    local r = g:run():await()
    assert.same({ "cancelled", "skipped", "done" }, { r.a.state, r.b.state, r.c.state })
    assert.equal("by c", r.a.reason)
    assert.equal("\"a\" was cancelled", r.b.reason)
  end)
end)

describe("a result", function()
  local function failed_run()
    local g = tutti.graph("unread")
    g:task("bad", fail)
    return g:run():await()
  end

  local function unread()
    local ok, err = pcall(tutti.run)
    return not ok and err or nil
  end

  it("with failures must be read, else it is raised in the end", function()
    failed_run()
    local err = unread()
    assert.equal("group", err.kind)
    assert.is_truthy(err.message:find("graph \"unread\"", 1, true))
    assert.is_truthy(err.message:find("boom", 1, true))
    assert.is_nil(unread())
  end)

  it("is read by ok, failed, failures, tasks and entries, and by nothing else", function()
    for _, read in ipairs({ function(r) return r:ok() end, function(r) return r.failed end,
      function(r) return r:failures() end, function(r) return r.tasks end, function(r) return r.bad end,
      function(r) return r:results() end }) do
      read(failed_run())
      assert.is_nil(unread())
    end
    for _, look in ipairs({ function(r) return r.total end, function(r) return r.elapsed end,
      function(r) return r.skipped end, function(r) return r.no_such_task end, tostring }) do
      look(failed_run())
      assert.is_truthy(unread())
    end
  end)

  it("has fields and methods that win over names of tasks", function()
    local g = tutti.graph("names")
    g:task("ok", noop):task("total", noop):task("x", noop)
    local r = g:run():await()
    assert.equal(3, r.total)
    assert.is_function(r.ok)
    assert.equal("ok", r.tasks.ok.name)
    assert.equal("total", r.tasks["total"].name)
  end)

  it("cannot be changed, and says what it is", function()
    local r = failed_run()
    assert.is_false(r:ok())
    assert.is_false(pcall(function() r.failed = 0 end))
    assert.is_truthy(tostring(r):find("0 of 1 done, 1 failed", 1, true))
    assert.equal("task \"bad\" (failed", tostring(r.bad):match("^[^,]*"))
  end)
end)

describe("g:run", function()
  local function refusal(...)
    local g = tutti.graph("options")
    g:task("a", noop)
    local ok, err = pcall(g.run, g, ...)
    assert.is_false(ok)
    return err
  end

  it("refuses options that it does not know or that make no sense", function()
    for _, given in ipairs({ { job = 2 }, { jobs = 0 }, { jobs = 1.5 }, { jobs = "2" }, { mode = "threads" },
      { on_failure = "ignore" }, { on_failure = 1 } }) do
      assert.equal("usage", refusal(given).kind)
    end
    assert.equal("usage", refusal(5).kind)
    assert.is_truthy(refusal({ job = 2 }).message:find("did you mean \"jobs\"", 1, true))
    assert.is_truthy(refusal({ jobs = 0 }).message:find("graph_run_spec.lua:", 1, true))
    assert.equal("missing", refusal({ { "b" } }).kind)
  end)

  it("raises what the plan raises, before anything has run", function()
    local g, ran = tutti.graph("plan"), false
    g:task("a", function() ran = true end):task("b", { needs = { "c" } }, noop)
    assert.is_false(pcall(g.run, g))
    tutti.run()
    assert.is_false(ran)
  end)
end)
