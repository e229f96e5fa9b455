-- SPDX-License-Identifier: MIT
-- core.random and tutti.testing: one thread, a virtual clock, chance and order from a seed.
local tutti = require("tutti")
local core = require("tutti.core")
local describe, it, assert = describe, it, assert
local _ENV = _G -- luacheck: ignore

local HOUR, YEAR = 3600, 365 * 86400

describe("core.random", function()
  it("gives floats in [0, 1) that differ", function()
    local seen, sum = {}, 0
    for _ = 1, 1000 do
      local r = core.random()
      assert.equal("float", math.type(r))
      assert.is_true(r >= 0 and r < 1)
      assert.is_nil(seen[r])
      seen[r] = true
      sum = sum + r
    end
    assert.is_true(sum > 400 and sum < 600)
  end)
end)

describe("tutti.testing", function()
  it("gives the results of its function, and hands it the arguments", function()
    local function f(...) return select("#", ...), ... end
    local list = table.pack(tutti.testing({ seed = 1 }, f, nil, 2, nil))
    assert.same({ n = 4, 3, nil, 2, nil }, list)
    assert.equal(0, select("#", tutti.testing({}, function() end)))
  end)

  it("raises its function's error, the very object", function()
    local inside
    local ok, err = pcall(tutti.testing, {}, function()
      inside = select(2, tutti.spawn(function() error("boom") end):pawait())
      error(inside)
    end)
    assert.is_false(ok)
    assert.equal(inside, err)
    assert.matches("testing_spec.lua:%d+: boom", tostring(err))
  end)

  it("sleeps a year in no time, and counts from 0", function()
    local before = tutti.now()
    local first, last = tutti.testing({}, function()
      local first = tutti.now()
      tutti.sleep(YEAR)
      return first, tutti.now()
    end)
    assert.equal(0, first)
    assert.equal(YEAR, last)
    assert.is_true(tutti.now() - before < 60)
  end)

  it("keeps the order of timers", function()
    local log = {}
    tutti.testing({}, function()
      for _, delay in ipairs({ 3, 1, 2 }) do
        tutti.spawn(function()
          tutti.sleep(delay * HOUR)
          log[#log + 1] = { delay, tutti.now() }
        end)
      end
    end)
    assert.same({ { 1, HOUR }, { 2, 2 * HOUR }, { 3, 3 * HOUR } }, log)
  end)

  it("joins what was detached too", function()
    local done
    tutti.testing({}, function()
      tutti.spawn({ detach = true }, function()
        tutti.sleep(HOUR)
        done = tutti.now()
      end)
    end)
    assert.equal(HOUR, done)
  end)

  it("raises the failures that nobody owned as a group", function()
    local ok, err = pcall(tutti.testing, {}, function()
      tutti.spawn({ detach = true }, function() error("lost") end)
    end)
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.matches("lost", err.errors[1].message)
  end)

  it("leaves the handles of its tasks readable", function()
    local task, pool, failed, channel = tutti.testing({}, function()
      local failed = tutti.spawn(function() error("x") end)
      failed:pawait()
      local channel = tutti.channel(2)
      channel:send("left")
      local pool = tutti.parallel(function() return { 1, { 2 } } end)
      tutti.settle({ pool }):await()
      return tutti.spawn(function() return 5, 6 end), pool, failed, channel
    end)
    assert.same({ 5, 6 }, { task:await() })
    assert.same({ 1, { 2 } }, pool:await())
    assert.equal("done", pool:state())
    assert.matches("x", select(2, failed:pawait()).message)
    assert.equal("left", channel:recv())
    local echo = tutti.parallel(function(t) return t:await() end, pool)
    assert.same({ 1, { 2 } }, echo:await())
  end)

  it("runs inside a task as well, whose world stands still", function()
    local ticks = 0
    local ticker = tutti.spawn(function()
      for _ = 1, 3 do
        tutti.checkpoint()
        ticks = ticks + 1
      end
    end)
    local now, seen = tutti.spawn(function()
      return tutti.testing({}, function()
        local before = ticks
        tutti.sleep(HOUR)
        return tutti.now(), ticks - before
      end)
    end):await()
    assert.equal(HOUR, now)
    assert.equal(0, seen)
    ticker:await()
    assert.equal(3, ticks)
  end)
end)

describe("what is refused", function()
  local function usage(pattern, f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches(pattern, err.message)
    assert.matches("testing_spec.lua:%d+", err.message)
  end

  it("nested tests", function()
    tutti.testing({}, function()
      usage("do not nest", function() tutti.testing({}, function() end) end)
    end)
  end)

  it("a test in a pool task", function()
    local task = tutti.parallel(function()
      return require("tutti").testing({}, function() end)
    end)
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("usage", err.kind)
  end)

  it("options that are not its own", function()
    local function f() end
    usage('unknown option "sed" %(did you mean "seed"', function() tutti.testing({ sed = 1 }, f) end)
    usage('"seed" must be an integer, got 1.5', function() tutti.testing({ seed = 1.5 }, f) end)
    usage("a table of options", function() tutti.testing(f) end)
    usage("a function was expected", function() tutti.testing({}, 5) end)
  end)

  it("tutti.uv, also where it is known already", function()
    local has_uv, uv = pcall(function() return tutti.uv end)
    tutti.testing({}, function()
      usage("tutti.uv is real time", function() return tutti.uv.now() end)
      if has_uv then
        usage("tutti.await", function() tutti.await(uv.fs_stat, "/") end)
      end
    end)
    if has_uv then
      assert.equal("directory", tutti.await(tutti.uv.fs_stat, "/").type)
    end
  end)
end)

describe("a test in which nothing can go on", function()
  local function stuck(f)
    local ok, err = pcall(tutti.testing, { name = "the test" }, f)
    assert.is_false(ok)
    assert.equal("cycle", err.kind)
    return err
  end

  it("is ended, and says who waits for what, and where", function()
    local err = stuck(function()
      local channel = tutti.channel()
      tutti.spawn({ name = "reader" }, function() channel:recv() end):await()
    end)
    assert.matches("2 tasks wait for what can never come", err.message)
    assert.matches('task "the test" waits in await at [^\n]*_spec.lua:%d+ for task "reader"', err.message)
    assert.matches('task "reader" waits in recv at [^\n]*testing_spec.lua:%d+', err.message)
    assert.equal(2, #err.waits)
  end)

  it("raises the error of its function rather than that others then wait for ever", function()
    local ok, err = pcall(tutti.testing, {}, function()
      local channel = tutti.channel()
      tutti.spawn({ detach = true }, function() channel:recv() end)
      error("the cause")
    end)
    assert.is_false(ok)
    assert.matches("the cause", err.message)
  end)

  it("names tasks that wait for each other", function()
    local ok, err = pcall(tutti.testing, { name = "the test" }, function()
      local a, b
      a = tutti.spawn({ name = "a" }, function() b:await() end)
      b = tutti.spawn({ name = "b" }, function() a:await() end)
    end)
    assert.is_false(ok)
    assert.equal("group", err.kind)
    assert.same({ "b", "a", "b" }, err.errors[1].path)
  end)

  it("waits for no task of the world outside", function()
    local outside = tutti.spawn({ name = "outside" }, function() return 1 end)
    local err = stuck(function() outside:await() end)
    assert.matches('for task "outside", which is outside and stands still meanwhile', err.message)
    assert.equal(1, outside:await())
    local pool = tutti.parallel({ name = "elsewhere" }, function() return 2 end)
    err = stuck(function() pool:await() end)
    assert.matches('for task "elsewhere", which is outside', err.message)
    assert.equal(2, pool:await())
  end)

  it("may cancel a task outside, which then ends there", function()
    local closed = false
    local outside = tutti.spawn(function()
      local guard <close> = setmetatable({}, { __close = function() closed = true end })
      tutti.sleep(HOUR)
      return guard
    end)
    tutti.checkpoint()
    tutti.checkpoint()
    tutti.testing({}, function() outside:cancel("from a test") end)
    assert.is_false(closed)
    local ok, err = outside:pawait()
    assert.is_false(ok)
    assert.equal("from a test", err.reason)
    assert.is_true(closed)
  end)
end)

-- ---- the same seed, the same schedule ------------------------------------------------------

-- A random program: tasks here and on the pool that sleep, talk, start and cancel each other. Returns a
-- log of everything anybody could observe.
local function random_program(seed, tasks)
  local log = {}
  local function note(format, ...) log[#log + 1] = format:format(...) end
  local function pool_body(n, channel)
    local here, chance = require("tutti"), require("tutti.core").random
    here.sleep(chance() * 3)
    channel:send(n)
    here.checkpoint()
    return n * 2 + math.random(0, 1), here.now()
  end
  tutti.testing({ seed = seed }, function()
    local channel, running = tutti.channel(3), {}
    local function body(n)
      note("start %d at %.6f", n, tutti.now())
      tutti.sleep(core.random() * 5)
      local what = core.random()
      if what < 0.3 then
        channel:send(n)
      elseif what < 0.5 and #running > 0 then
        local victim = running[math.floor(core.random() * #running) + 1]
        note("%d cancels %s", n, tostring(victim))
        victim:cancel()
      elseif what < 0.6 then
        error("planned")
      end
      note("end %d at %.6f", n, tutti.now())
      return n
    end
    tutti.spawn({ detach = true, name = "reader" }, function()
      for value in channel:iter() do
        note("got %s at %.6f", tostring(value), tutti.now())
      end
    end)
    for n = 1, tasks do
      if core.random() < 0.3 then
        running[n] = tutti.parallel({ name = "p" .. n }, pool_body, n, channel)
      else
        running[n] = tutti.spawn({ name = "s" .. n }, body, n)
      end
      if core.random() < 0.3 then
        tutti.sleep(core.random())
      end
    end
    for n, outcome in ipairs(tutti.settle(running):await()) do
      note("%d: %s %s", n, outcome.ok and "ok" or outcome.error.kind, tostring(outcome.value))
    end
    channel:close()
  end)
  return table.concat(log, "\n")
end

describe("a seed", function()
  it("decides the schedule", function()
    local differ = false
    for seed = 1, 3 do
      local first = random_program(seed, 200)
      assert.equal(first, random_program(seed, 200))
      differ = differ or first ~= random_program(seed + 10, 200)
    end
    assert.is_true(differ)
  end)

  it("shuffles what has no promised order, and only that", function()
    local orders, spawned = {}, {}
    for seed = 1, 20 do
      local order = tutti.testing({ seed = seed }, function()
        local list, tasks = {}, {}
        for i = 1, 4 do
          tasks[i] = tutti.parallel(function() return i end)
          tutti.spawn(function() spawned[#spawned + 1] = i end)
        end
        for task in tutti.completed(tasks) do
          list[#list + 1] = task:await()
        end
        return table.concat(list)
      end)
      orders[order] = true
    end
    local count = 0
    for _ in pairs(orders) do
      count = count + 1
    end
    assert.is_true(count > 3)
    for i, n in ipairs(spawned) do
      assert.equal((i - 1) % 4 + 1, n)
    end
  end)
end)

-- ---- pool tasks, processes, files ----------------------------------------------------------

describe("in a test", function()
  it("pool tasks run on the same thread, in one worker's state", function()
    local a, b, now = tutti.testing({}, function()
      local function identity()
        require("tutti").sleep(1)
        package.loaded.tutti_testing_mark = package.loaded.tutti_testing_mark or tostring({})
        return package.loaded.tutti_testing_mark
      end
      local a, b = tutti.parallel(identity), tutti.parallel(identity)
      return a:await(), b:await(), tutti.now()
    end)
    assert.equal(a, b)
    assert.equal(1, now)
    assert.is_nil(package.loaded.tutti_testing_mark)
  end)

  it("pool tasks are cancelled like others", function()
    local state, now = tutti.testing({}, function()
      local task = tutti.parallel(function() require("tutti").sleep(10) end)
      tutti.sleep(1)
      task:cancel()
      task:pawait()
      return task:state(), tutti.now()
    end)
    assert.equal("cancelled", state)
    assert.equal(1, now)
  end)

  it("programs really run, and take no time of the clock", function()
    local out, now = tutti.testing({}, function()
      local result = tutti.exec({ "sh", "-c", "sleep 0.02; echo $((6 * 7))" }):await()
      return result.stdout, tutti.now()
    end)
    assert.equal("42\n", out)
    assert.equal(0, now)
  end)

  it("a timer that comes before a program's end is waited for in real time", function()
    local log = {}
    tutti.testing({}, function()
      local program = tutti.exec({ "sleep", "30" })
      tutti.sleep(0.01)
      log[1] = tutti.now()
      program:cancel()
      program:pawait()
      log[2] = tutti.now()
    end)
    assert.same({ 0.01, 0.01 }, log)
  end)

  it("files are read in the very thread", function()
    local text = tutti.testing({}, function()
      return tutti.spawn(function() return tutti.fs.read("/proc/self/stat") end):await()
    end)
    assert.matches("^%d+ ", text)
  end)

end)

describe("after a test", function()
  local function open_files()
    local count = 0
    for _ in pairs(tutti.fs.list("/proc/self/fd")) do
      count = count + 1
    end
    return count
  end

  it("nothing is left: no task, no descriptor", function()
    local function once(seed)
      pcall(tutti.testing, { seed = seed }, function()
        tutti.parallel(function() return {} end):await()
        tutti.exec({ "true" }):await()
        local _ = seed % 2 == 0 and tutti.channel():recv()
      end)
    end
    once(0)
    local files = open_files()
    local pending = #core.pending()
    for seed = 1, 20 do
      once(seed)
    end
    assert.equal(files, open_files())
    assert.equal(pending, #core.pending())
  end)
end)
