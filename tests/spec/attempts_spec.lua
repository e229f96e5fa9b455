-- SPDX-License-Identifier: MIT
-- Options timeout and retry of tasks, in this state and on the pool.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local FAST = { times = 3, backoff = 0 }

-- Starts f(...) as each kind of task takes its options.
local STARTERS = {
  spawn = function(opts, f, ...) return tutti.spawn(opts, f, ...) end,
  parallel = function(opts, f, ...) return tutti.parallel(opts, f, ...) end,
  task = function(opts, f, ...)
    local spec = { f, args = table.pack(...) }
    for key, value in pairs(opts) do
      spec[key] = value
    end
    return tutti.task(spec)
  end,
  recipe = function(opts, f, ...)
    local spec = { f, on = "pool" }
    for key, value in pairs(opts) do
      spec[key] = value
    end
    return tutti.recipe(spec)(...)
  end,
}

describe("retry", function()
  it("tries again until it succeeds", function()
    for name, start in pairs(STARTERS) do
      local tickets = tutti.channel(3)
      tickets:send(false)
      tickets:send(false)
      tickets:send(true)
      local task = start({ retry = FAST }, function(ch, a, b)
        if not ch:recv() then
          error("not yet")
        end
        return a, b, "done"
      end, tickets, 1, nil)
      assert.same({ 1, nil, "done" }, { task:await() }, name)
    end
  end)

  it("fails with the last attempt's error, which counts them", function()
    for name, start in pairs(STARTERS) do
      local tries = tutti.channel(10)
      local task = start({ retry = FAST, name = "stubborn" }, function(ch)
        ch:send(1)
        error("never")
      end, tries)
      local ok, err = task:pawait()
      assert.is_false(ok)
      assert.equal("failed", task:state(), name)
      assert.equal("error", err.kind)
      assert.matches("attempts_spec.lua:%d+: never", err.message)
      assert.equal(4, err.attempt)
      assert.equal("stubborn", err.task)
      tries:close()
      local count = 0
      for _ in tries:iter() do
        count = count + 1
      end
      assert.equal(4, count, name)
    end
  end)

  it("asks `on` with the error, where the task runs", function()
    for name, start in pairs(STARTERS) do
      local seen = tutti.channel(10)
      local ok, err = start({ retry = { times = 5, backoff = 0, on = function(e)
        seen:send(e.message:match("%d$"))
        return e.attempt < 2
      end } }, function() error("number 7", 0) end):pawait()
      assert.is_false(ok)
      assert.equal(2, err.attempt, name)
      assert.equal("7", (seen:recv()))
      assert.equal("7", (seen:recv()))
    end
  end)

  it("never tries a cancelled task again", function()
    for name, start in pairs(STARTERS) do
      local begun = tutti.channel(10)
      local task = start({ retry = { times = 10, backoff = 0 } }, function(ch)
        ch:send(1)
        tutti.sleep(60)
      end, begun)
      begun:recv()
      task:cancel()
      local ok, err = task:pawait()
      assert.is_false(ok)
      assert.equal("cancelled", err.kind)
      assert.equal("cancelled", task:state(), name)
      begun:close()
      assert.is_nil((begun:recv()))
    end
  end)

  it("is cancelled while it waits for the next attempt", function()
    local task = tutti.spawn({ retry = { times = 3, backoff = 60 } }, function() error("x") end)
    tutti.sleep(0.005)
    task:cancel()
    assert.equal("cancelled", select(2, task:pawait()).kind)
  end)

  it("cancels and joins what the failed attempt started before the next", function()
    local log = {}
    local attempt = 0
    local task = tutti.spawn({ retry = { times = 1, backoff = 0 } }, function()
      attempt = attempt + 1
      local mine = attempt
      tutti.spawn(function()
        local function note()
          log[#log + 1] = "child " .. mine .. " ended"
        end
        local _ <close> = setmetatable({}, { __close = note })
        tutti.sleep(mine == 1 and 60 or 0)
      end)
      tutti.sleep(0.001)
      log[#log + 1] = "attempt " .. mine
      if mine == 1 then
        error("again")
      end
    end)
    task:await()
    assert.same({ "attempt 1", "child 1 ended" }, { log[1], log[2] })
    assert.equal(4, #log)
  end)

  it("counts a child that failed unseen as the attempt's failure", function()
    local attempt = 0
    local task = tutti.spawn({ retry = { times = 2, backoff = 0 } }, function()
      attempt = attempt + 1
      if attempt < 3 then
        tutti.spawn(function() error("child", 0) end)
      end
      return attempt
    end)
    assert.equal(3, task:await())
  end)

  it("waits between the attempts", function()
    local t0 = tutti.now()
    tutti.spawn({ retry = { times = 2, backoff = "10ms" } }, function() error("x") end):pawait()
    assert.is_true(tutti.now() - t0 >= 0.02)
    t0 = tutti.now()
    tutti.spawn({ retry = { times = 2, backoff = { "10ms", 1, 2, 0 } } }, function() error("x") end):pawait()
    assert.is_true(tutti.now() - t0 >= 0.03)
  end)

  it("gives the results of what it comes after to each attempt", function()
    for _, on in ipairs({ "loop", "pool" }) do
      local first = tutti.spawn(function() return 20 end)
      local second = tutti.parallel(function() return 22 end)
      local seen = tutti.channel(10)
      local task = tutti.task({ function(a, b, ch, c)
        ch:send(a + b + c)
        error("again")
      end, after = { first, second }, args = { seen, 100 }, on = on, retry = { times = 1, backoff = 0 } })
      assert.is_false((task:pawait()))
      assert.equal(142, (seen:recv()))
      assert.equal(142, (seen:recv()))
    end
  end)

  it("does not run at all when it is skipped", function()
    local bad = tutti.spawn(function() error("x") end)
    local task = tutti.task({ function() error("never") end, after = { bad }, retry = 3 })
    assert.equal("skipped", select(2, task:pawait()).kind)
    bad:pawait()
  end)
end)

describe("exec", function()
  it("takes retry and after", function()
    local file = os.tmpname()
    local script = ([[n=$(wc -l < %s); echo >> %s; echo $n; test "$n" -ge 2]]):format(file, file)
    local ready = tutti.spawn(function() return "ready" end)
    local result = tutti.sh({ script, retry = { times = 3, backoff = 0 }, after = { ready },
      name = "third time" }):await()
    assert.equal("2\n", result.stdout)
    local task = tutti.exec({ "/bin/false", retry = { times = 1, backoff = 0 } })
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("exit", err.kind)
    assert.equal(2, err.attempt)
    assert.equal("false", task:name())
    local made = tutti.spawn(function() return "from a task" end)
    local lines = 0
    ok, err = tutti.exec({ "/bin/echo", "x", retry = { times = 2, backoff = 0 }, stdout = function()
      lines = lines + 1
      error("no more lines", 0)
    end }):pawait()
    assert.is_false(ok)
    assert.equal("no more lines", err.message)
    assert.equal(3, lines)
    result = tutti.exec({ "/bin/cat", stdin = { from = made }, retry = 1, after = { ready } }):await()
    assert.equal("from a task", result.stdout)
    os.remove(file)
  end)

  it("is skipped after a task that failed", function()
    local bad = tutti.spawn(function() error("x", 0) end)
    assert.equal("skipped", select(2, tutti.exec({ "/bin/true", after = { bad } }):pawait()).kind)
    bad:pawait()
    local ok, err = pcall(function() return (tutti.exec({ "/bin/true", retry = "x" })) end)
    assert.is_false(ok)
    assert.matches('attempts_spec.lua:%d+: tutti.exec: option "retry"', err.message)
  end)
end)

describe("timeout", function()
  it("ends the task failed, kind timeout, and cancels what it started", function()
    for name, start in pairs(STARTERS) do
      local limit, has_begun = 0.01
      repeat -- on a busy machine what it starts may need longer to begin
        limit = limit * 2
        local begun, closed = tutti.channel(1), tutti.channel(1)
        local task = start({ timeout = limit, name = "slow" }, function(first, last)
          tutti.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() last:close() end })
            first:send(true)
            tutti.sleep(60)
          end)
          tutti.sleep(60)
        end, begun, closed)
        local ok, err = task:pawait()
        assert.is_false(ok)
        assert.equal("timeout", err.kind, name)
        assert.equal("failed", task:state())
        assert.matches(("slow did not end within its time limit of %g s"):format(limit), err.message, 1, true)
        begun:close()
        has_begun = begun:recv()
        assert.same({ nil, false }, has_begun and { closed:recv() } or { nil, false })
      until has_begun or limit > 10
      assert.is_true(has_begun, name)
    end
  end)

  it("does nothing to what ends in time", function()
    for name, start in pairs(STARTERS) do
      assert.same({ 1, 2 }, { start({ timeout = 60 }, function() return 1, 2 end):await() }, name)
    end
  end)

  it("counts from the first run, not from the start", function()
    local gate = tutti.spawn(tutti.sleep, 0.05)
    local task = tutti.task({ function() return "in time" end, after = { gate }, timeout = 0.03 })
    assert.equal("in time", select(1, task:await()))
  end)

  it("holds for each attempt by itself", function()
    local attempt = 0
    local task = tutti.spawn({ timeout = 0.02, retry = { times = 2, backoff = 0 } }, function()
      attempt = attempt + 1
      if attempt < 3 then
        tutti.sleep(60)
      end
      return attempt
    end)
    assert.equal(3, task:await())
    task = tutti.spawn({ timeout = 0.005, retry = { times = 1, backoff = 0 } }, tutti.sleep, 60)
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    assert.equal(2, err.attempt)
  end)

  it("is an option of map as well", function()
    local ok, err = tutti.map({ 1, 2 }, function() tutti.sleep(60) end, { timeout = 0.02 }):pawait()
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
  end)
end)

describe("the options", function()
  it("are checked at the caller's line", function()
    local cases = {
      ['option "retry": the number of further attempts .* 0 or more, got %-1'] = { retry = -1 },
      ['option "retry": the number of further attempts .* 0 or more, got 1.5'] = { retry = 1.5 },
      ['option "retry": a number, or { times =, .* was expected, got string'] = { retry = "3" },
      ['option "retry": the number of further .* got nil'] = { retry = {} },
      ['option "retry": unknown option "time" %(did you mean "times"%?%)'] = { retry = { time = 1 } },
      ["got \"soon\""] = { retry = { times = 1, backoff = "soon" } },
      ['"on": a function was expected, got boolean'] = { retry = { times = 1, on = true } },
      ['option "timeout"'] = { timeout = -1 },
    }
    for message, opts in pairs(cases) do
      for name, start in pairs(STARTERS) do
        local ok, err = pcall(start, opts, function() end)
        assert.is_false(ok, message)
        assert.equal("usage", err.kind, name)
        assert.matches(message, err.message)
        assert.matches("attempts_spec.lua:%d+: ", err.message)
      end
    end
  end)

  it("name the user's arguments when something cannot be sent", function()
    local co = coroutine.create(print)
    local ok, err = pcall(function() return (tutti.parallel({ retry = 1 }, function() end, 1, { co })) end)
    assert.is_false(ok)
    assert.equal("transfer", err.kind)
    assert.matches("attempts_spec.lua:%d+: .*argument 2, ", err.message)
    ok, err = pcall(tutti.parallel, { retry = 1 }, function() return co end)
    assert.is_false(ok)
    assert.matches('upvalue "co"', err.message)
  end)

  it("keep name and place of the task", function()
    local task = tutti.spawn({ retry = 1, name = "me" }, function() return tutti.current():name() end)
    assert.equal("me", task:await())
    task = tutti.spawn({ timeout = 1 }, function() end)
    assert.matches("attempts_spec.lua:%d+$", task:name())
    task = tutti.parallel({ timeout = 1 }, function() end)
    assert.matches("attempts_spec.lua:%d+$", task:name())
    tutti.all({ task }):await()
  end)
end)
