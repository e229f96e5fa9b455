-- SPDX-License-Identifier: MIT
-- How many tasks of graphs run at once: jobs, limits, resources; places that are lent; circles.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local function noop() end

-- Counts who is inside at once, and the most there ever were.
local function counter()
  local self = { now = 0, most = 0 }
  function self.work(seconds)
    return function()
      self.now = self.now + 1
      self.most = math.max(self.most, self.now)
      tutti.sleep(seconds or 1)
      self.now = self.now - 1
    end
  end
  return self
end

local function in_test(f)
  return function() tutti.testing({ name = "limits" }, f) end
end

describe("jobs", function()
  it("is how many run at once, in the order in which they became ready", in_test(function()
    local g, c, order = tutti.graph("jobs"), counter(), {}
    for i = 1, 10 do
      local work = c.work()
      g:task("t" .. i, function()
        order[i] = tutti.now()
        work()
      end)
    end
    local r = g:run({ jobs = 3 }):await()
    assert.is_true(r:ok())
    assert.equal(3, c.most)
    assert.equal(4, r.elapsed)
    for i = 2, 10 do
      assert.is_true(order[i] >= order[i - 1])
    end
  end))

  it("counts until the children have ended too", in_test(function()
    local g, c = tutti.graph("children"), counter()
    for i = 1, 4 do
      g:task("t" .. i, function() tutti.spawn(c.work()) end)
    end
    g:run({ jobs = 1 }):await()
    assert.equal(1, c.most)
  end))

  it("lets tasks of a higher priority begin first", in_test(function()
    local g, order = tutti.graph("priority"), {}
    for i, priority in ipairs({ "low", "normal", "low", "high", "normal", "high" }) do
      g:task("t" .. i, { priority = priority }, function() order[#order + 1] = i end)
    end
    g:run({ jobs = 1 }):await()
    assert.same({ 1, 4, 6, 2, 5, 3 }, order) -- the first had begun before the others came
  end))

  it("goes on after failures, retries, conditions and cancelled tasks", in_test(function()
    local g, c = tutti.graph("mixed"), counter()
    for i = 1, 20 do
      local work = c.work()
      g:task("t" .. i, { retry = i % 5 == 0 and { times = 1, backoff = 1 } or nil,
        when = i % 4 == 0 and function() return false end or nil, timeout = i % 7 == 0 and 0.5 or nil },
        function()
          work()
          if i % 5 == 0 then
            error("boom")
          elseif i == 3 then
            tutti.current_run().entries.t19.task:cancel()
          end
        end)
    end
    local r = g:run({ jobs = 2 }):await()
    assert.same({ 3, 1, 5 }, { r.failed - 2, r.cancelled, r.skipped })
    assert.equal("cancelled", r.t19.state)
    assert.is_true(c.most <= 4) -- what a time limit has ended never counted itself out
    assert.equal(20, r.succeeded + r.failed + r.cancelled + r.skipped)
  end))
end)

describe("a limit", function()
  it("holds back its own tasks only", in_test(function()
    local g, net, all = tutti.graph("limit"), counter(), counter()
    g:limit("net", 2)
    for i = 1, 6 do
      local work = net.work()
      g:task("n" .. i, { limit = "net" }, function() all.work(0)() work() end)
      g:task("o" .. i, all.work())
    end
    local r = g:run():await()
    assert.equal(2, net.most)
    assert.is_true(all.most >= 6)
    assert.equal(3, r.elapsed)
  end))

  it("does not hold back others while jobs has room", in_test(function()
    local g, ends = tutti.graph("limit and jobs"), {}
    g:limit("one", 1)
    for i = 1, 3 do
      g:task("n" .. i, { limit = "one" }, function() tutti.sleep(10) end)
    end
    g:task("other", function() ends.other = tutti.now() end)
    local began = tutti.now()
    g:run({ jobs = 2 }):await()
    assert.equal(0, ends.other - began)
  end))

  it("is shared by runs of one graph", in_test(function()
    local g, c = tutti.graph("shared"), counter()
    g:limit("net", 2)
    for i = 1, 4 do
      g:task("t" .. i, { limit = "net" }, c.work())
    end
    tutti.all({ g:run(), g:run(), g:run() }):await()
    assert.equal(2, c.most)
  end))

  it("is free again after a run was cancelled", in_test(function()
    local g, c = tutti.graph("cancelled"), counter()
    g:limit("net", 1)
    for i = 1, 3 do
      g:task("t" .. i, { limit = "net" }, c.work())
    end
    local first = g:run()
    tutti.sleep(0.5)
    first:cancel()
    assert.equal("cancelled", select(2, first:pawait()).kind)
    assert.is_true(g:run():await():ok())
  end))
end)

describe("resources", function()
  it("are shared out, and what is large is not overtaken for ever", in_test(function()
    local g, used, most, order = tutti.graph("resources"), 0, 0, {}
    g:limit("gpu", 4)
    for i, amount in ipairs({ 1, 4, 1, 2, 1, 3 }) do
      g:task("t" .. i, { resources = { gpu = amount } }, function()
        order[#order + 1] = i
        used = used + amount
        most = math.max(most, used)
        tutti.sleep(1)
        used = used - amount
      end)
    end
    local r = g:run():await()
    assert.equal(4, most)
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
    assert.equal(4, r.elapsed)
  end))

  it("of the machine: more CPUs than there are run alone", in_test(function()
    local g, c = tutti.graph("cpu"), counter()
    g:task("large", { resources = { cpu = 100000 } }, c.work())
    g:task("small", { resources = { cpu = 0.5, mem = "1MiB" } }, c.work())
    g:task("free", noop)
    assert.is_true(g:run():await():ok())
    assert.equal(1, c.most)
  end))

  it("that there can never be are refused, by the plan", function()
    local g = tutti.graph("mem")
    g:task("huge", { resources = { mem = "1000TiB" } }, noop)
    local ok, err = pcall(g.plan, g)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.is_truthy(err.message:find("\"huge\"", 1, true) and err.message:find("could never run", 1, true))
    local h = tutti.graph("gpu"):limit("gpu", 2)
    h:task("a", { resources = { gpu = 3 } }, noop)
    assert.is_false(pcall(h.run, h))
  end)
end)

describe("a task that awaits another of its run", function()
  it("lends its place, and waits for it again", in_test(function()
    local g, c = tutti.graph("await"), counter()
    local work = c.work()
    g:task("a", function()
      local run = tutti.current_run()
      local b = run:task("b", function() work() return 5 end)
      run:task("c", work)
      work()
      local value = b:await()
      work()
      return value
    end)
    local r = g:run({ jobs = 1 }):await()
    assert.equal(5, r.a.value)
    assert.equal(1, c.most)
    assert.equal(4, r.elapsed)
  end))

  it("lends it through what it has started, gathers, scopes and joins", in_test(function()
    for i, wait in ipairs({
      function(b) tutti.spawn(function() tutti.sleep(1) b:await() end) end,
      function(b) return tutti.all({ b }):await() end,
      function(b) return tutti.any({ b, tutti.spawn(function() tutti.sleep(100) end) }):await() end,
      function(b) return tutti.spawn(function() return b:await() end):await() end,
      function(b) tutti.scope(function(s) s:spawn(function() b:await() end) end) end,
      function(b) for t in tutti.completed({ b }) do t:await() end end,
      function(b) tutti.timeout(50, function() b:await() end) end,
      function(b) tutti.task({ noop, after = { b } }):await() end,
    }) do
      local g = tutti.graph("wait " .. i)
      g:task("a", function()
        local run = tutti.current_run()
        run:task("first", function() tutti.sleep(1) end)
        wait(run:task("b", { needs = { "first" } }, noop))
      end)
      assert.is_true(tutti.timeout(60, function() return g:run({ jobs = 1 }):await():ok() end), "way " .. i)
    end
  end))

  it("keeps its place while it waits for anything else", in_test(function()
    local g, c = tutti.graph("keep"), counter()
    for i = 1, 3 do
      g:task("t" .. i, function() tutti.spawn(c.work()):await() end)
    end
    g:run({ jobs = 1 }):await()
    assert.equal(1, c.most)
  end))

  it("lends it to a run inside it, under the same limit", in_test(function()
    local g, depth = tutti.graph("nested"):limit("one", 1), 0
    g:task("n", { limit = "one" }, function()
      depth = depth + 1
      return depth == 5 or g:run({ jobs = 1 }):await().n.value
    end)
    assert.is_true(tutti.timeout(60, function() return g:run({ jobs = 1 }):await().n.value end))
    assert.equal(5, depth)
  end))

  it("goes on at once when it is cancelled meanwhile", in_test(function()
    local g, cleaned = tutti.graph("cancel"), false
    g:task("a", function()
      tutti.defer(function() cleaned = tutti.now() end)
      local run = tutti.current_run()
      local b = run:task("b", function() run.entries.a.task:cancel() end)
      run:task("c", function() tutti.sleep(100) end)
      b:await()
    end)
    local began = tutti.now()
    local r = g:run({ jobs = 1 }):await()
    assert.same({ "cancelled", "done", "done" }, { r.a.state, r.b.state, r.c.state })
    assert.equal(0, cleaned - began)
  end))

  it("that needs it gets kind cycle, with the path", in_test(function()
    local g = tutti.graph("circle")
    g:task("a", function() return tutti.current_run().entries.c.task:await() end)
    g:task("b", { needs = { "a" } }, noop)
    g:task("c", { needs = { "b" } }, noop)
    for _, jobs in ipairs({ false, 1 }) do
      local r = g:run({ jobs = jobs or nil }):await()
      assert.equal("cycle", r.a.error.kind)
      assert.same({ "a", "b", "c", "a" }, r.a.error.path)
    end
  end))
end)
