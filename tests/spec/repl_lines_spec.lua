-- SPDX-License-Identifier: MIT
-- Lines of a prompt as tasks: turns, the background, what is told when, Ctrl-C at every moment, the end.
local describe, it, assert = describe, it, assert -- busted's; lines have the globals proper
local _ENV = _G -- luacheck: ignore
local prompts = require("tests.spec.support.prompts")
local program = require("tests.spec.support.program")
local tutti = require("tutti")

-- Run f(prompt, written) in a task, with a prompt that is closed at the end.
local function with_prompt(f, given)
  local prompt, written = prompts.new(given)
  local ok, err = tutti.spawn(function() f(prompt, written) end):pawait()
  prompt:close()
  if not ok then
    error(err.value or err, 0)
  end
end

local function reports(written)
  return (prompts.texts(written, "report"):gsub("%d+%.%d s", "T"))
end

local FAILED = 'tutti: task "%s" failed with nobody awaiting it: %s\n'

-- Feed without waiting; the outcome is task:await().
local function feed_aside(prompt, text)
  return tutti.spawn(function() return prompt:feed(text) end)
end

describe("a line", function()
  it("may await, and gives the prompt back when its function returns, whatever it started", function()
    with_prompt(function(prompt, written)
      local text = "tutti.spawn(function() tutti.sleep(0.001) return 'late' end):await()"
      assert.equal("late", prompt:feed(text)[1])
      _G.gate = tutti.event()
      prompts.feed(prompt, "local t = tutti.spawn({ name = 'waits' }, function() gate:wait() return 5 end)")
      local list = prompt:running()
      assert.equal(1, #list)
      assert.same({ 2, "suspended" }, { list[1].number, list[1].task:state() })
      assert.matches("^local t = ", list[1].text)
      assert.is_true(list[1].age >= 0)
      assert.is_false(prompt:interrupt()) -- it is out of reach
      _G.gate:set()
      assert.equal(5, prompt:feed("t:await()")[1])
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal("", reports(written))
    end)
  end)

  it("is a task named after its text", function()
    with_prompt(function(prompt)
      assert.equal("tutti.current():name()", prompt:feed("tutti.current():name()")[1])
      assert.equal("return tutti.current():name() -- x",
        prompt:feed("return   tutti.current():name() --   x")[1])
      local long = "return tutti.current():name(), '" .. ("ä"):rep(50) .. "'"
      local name = prompt:feed(long)[1]
      assert.equal(43, utf8.len(name))
      assert.equal("...", name:sub(-3))
    end)
  end)

  it("waits its turn, in order", function()
    with_prompt(function(prompt)
      _G.order = {}
      local fed = {}
      for i = 1, 5 do
        local text = "order[#order + 1] = I tutti.sleep(0.002) order[#order + 1] = I"
        fed[i] = feed_aside(prompt, (text:gsub("I", i)))
      end
      tutti.all(fed):await()
      assert.same({ 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 }, _G.order)
    end)
  end)

  it("that waits its turn sees the locals of those before it", function()
    with_prompt(function(prompt)
      local first = feed_aside(prompt, "tutti.sleep(0.002) local x = 4")
      local second = feed_aside(prompt, "x + 1")
      assert.equal(5, second:await()[1])
      first:await()
    end)
  end)

  it("can be fed outside any task", function()
    local prompt = prompts.new()
    assert.equal(3, prompt:feed("tutti.sleep(0.001) return 3")[1])
    prompt:close()
  end)

  it("that feeds its own prompt is refused, since it would wait for itself", function()
    with_prompt(function(prompt)
      _G.own = prompt
      for _, text in ipairs({ "own:feed('1')", "tutti.spawn(function() own:feed('1') end):await()" }) do
        local outcome = prompt:feed(text)
        assert.same({ "error", "usage" }, { outcome.kind, outcome.error.kind })
      end
      assert.equal("running", prompt:feed("tutti.sleep(0.001) own:feed('7') &").kind)
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal(7, prompt:feed("_")[1])
    end)
  end)

  it("whose feeder is cancelled is cancelled, and the next has its turn", function()
    with_prompt(function(prompt)
      local first = feed_aside(prompt, "tutti.defer(function() ended = 1 end) began = true tutti.sleep(60)")
      local second = feed_aside(prompt, "3")
      local third = feed_aside(prompt, "4")
      prompts.wait(function() return _G.began end)
      second:cancel()
      first:cancel()
      assert.equal(4, third:await()[1])
      prompts.wait(function() return _G.ended end)
      prompts.wait(function() return #prompt:running() == 0 end)
      _G.began, _G.ended = nil, nil
    end)
  end)
end)

describe("a line in the background", function()
  it("gives the prompt back at once and is told of when it begins and ends", function()
    with_prompt(function(prompt, written)
      _G.gate = tutti.event()
      local outcome = prompt:feed("gate:wait() return 5, 'x' &")
      assert.same({ "running", 1 }, { outcome.kind, outcome.number })
      assert.equal(1, prompt:running()[1].number)
      prompts.feed(prompt, "local busy = 1")
      _G.gate:set()
      local values = table.pack(outcome.task:await())
      assert.same({ 5, "x", n = 2 }, values)
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal("[1] running\n[1] done (T): 5\t\"x\"\n", (reports(written):gsub("\tx", '\t"x"')))
      assert.is_nil(prompt:feed("_")[1])
    end)
  end)

  it("declares locals that live on from its end", function()
    with_prompt(function(prompt)
      local task = prompt:feed("tutti.checkpoint() local x = 3 &").task
      assert.equal("nil", prompt:feed("type(x)")[1])
      task:await()
      assert.equal(3, prompt:feed("x")[1])
    end)
  end)

  it("is told of once when it fails or is cancelled", function()
    with_prompt(function(prompt, written)
      prompt:feed("error('no') &")
      prompts.wait(function() return #prompt:running() == 0 end)
      local task = prompt:feed("tutti.sleep(60) &").task
      prompts.wait(function() return task:state() == "suspended" end)
      task:cancel("enough")
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal("[1] running\n[1] failed (T): (prompt 1):1: no\n[2] running\n[2] cancelled (T): enough\n",
        reports(written))
      assert.equal("", prompts.texts(written, "error"))
    end)
  end)

  it("has its `&` outside strings and comments; what is left must be whole", function()
    with_prompt(function(prompt)
      assert.equal("values", prompt:feed("local x = 'a &'").kind)
      assert.equal("values", prompt:feed("x -- &").kind)
      assert.equal("running", prompt:feed("x & -- so").kind)
      assert.equal("incomplete", prompt:feed("x + &").kind)
      assert.equal("incomplete", prompt:feed("for i = 1, 2 do &").kind)
      assert.equal(1, prompt:feed("5 & 3")[1])
    end)
  end)
end)

describe("a failure", function()
  it("of a task that a line started is told once, at once, and an await raises it as usual", function()
    with_prompt(function(prompt, written)
      prompts.feed(prompt, "local t = tutti.spawn({ name = 'bad' }, function() error('no') end)")
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal("tutti: task \"bad\" failed with nobody awaiting it: (prompt 1):1: no\n", reports(written))
      assert.equal("error", prompt:feed("t:await()").kind)
      assert.equal(1, #written - 1)
    end)
  end)

  it("of a detached one is told at its prompt, also after the line's end and below other tasks", function()
    with_prompt(function(prompt, written)
      prompts.feed(prompt, "gate = tutti.event()",
        "tutti.spawn(function() bad = tutti.spawn({ name = 'bad', detach = true }, function() gate:wait() "
        .. "error('no') end) end):await()",
        "far = tutti.task{ name = 'far', detach = true, on = 'pool', args = { gate }, function(open) "
        .. "open:wait() error('oh', 0) end }")
      assert.same({ false, false, 0 }, { _G.bad:is_done(), _G.far:is_done(), #written })
      _G.gate:set()
      prompts.wait(function() return #written == 2 end)
      local text = reports(written)
      assert.truthy(text:find(FAILED:format("bad", "(prompt 2):1: no"), 1, true), text)
      assert.truthy(text:find(FAILED:format("far", "(prompt 3):1: oh"), 1, true), text)
      assert.same({ false, false }, { (_G.bad:pawait()), (_G.far:pawait()) })
    end)
  end)

  it("of one that somebody awaits is not told", function()
    with_prompt(function(prompt, written)
      prompts.feed(prompt, "tutti.spawn(function() error('no') end):pawait()")
      assert.equal("", reports(written))
    end)
  end)

  it("cancels neither other tasks of the line nor other lines", function()
    with_prompt(function(prompt, written)
      _G.gate = tutti.event()
      local task = prompt:feed("gate:wait() return 1 &").task
      prompts.feed(prompt, "a = tutti.spawn(function() gate:wait() return 2 end) "
        .. "tutti.spawn({ name = 'bad' }, function() error('no') end)")
      prompts.wait(function() return #reports(written) > #"[1] running\n" end)
      _G.gate:set()
      assert.equal(2, prompt:feed("a:await()")[1])
      assert.equal(1, task:await())
      prompt:feed("error('no')")
      assert.equal(3, prompt:feed("3")[1])
    end)
  end)

  it("that nests is told once: the parts, not what is made of them", function()
    with_prompt(function(prompt, written)
      prompts.feed(prompt, [[tutti.spawn({ name = "outer" }, function()
        tutti.spawn({ name = "inner" }, function() error("no", 0) end) end)]])
      prompts.wait(function() return #prompt:running() == 0 end)
      assert.equal(FAILED:format("inner", "(prompt 1):2: no"), reports(written))
    end)
  end)

  it("in a scope of a line is told to the line's prompt as well, also from two prompts", function()
    local one, written_one = prompts.new()
    local other, written_other = prompts.new()
    local text = [[tutti.scope({ on_failure = "collect" }, function(s)
      s:spawn({ name = NAME }, function() error("no", 0) end) end)]]
    one:feed((text:gsub("NAME", "'one'")))
    other:feed((text:gsub("NAME", "'other'")))
    assert.equal(FAILED:format("one", "(prompt 1):2: no"), reports(written_one))
    assert.equal(FAILED:format("other", "(prompt 1):2: no"), reports(written_other))
    one:close()
    other:close()
  end)

  it("that comes a thousand times from one line takes a few lines, and each line counts anew", function()
    with_prompt(function(prompt, written)
      for _ = 1, 2 do
        prompts.feed(prompt, "for i = 1, 1001 do tutti.spawn({ name = 'bad' }, error, 'no') end")
        prompts.wait(function() return #prompt:running() == 0 end)
      end
      local said, one = reports(written), FAILED:format("bad", "(prompt 1):1: no"):sub(1, -2)
      local some = one .. "\n" .. one .. "\n" .. one .. "\n" .. one .. " (the 10th like this)\n" .. one
        .. " (the 100th like this)\n" .. one .. " (the 1000th like this)\n"
        .. "tutti: 1001 tasks in all failed like task \"bad\" with nobody awaiting them\n"
      assert.equal(some .. some:gsub("prompt 1", "prompt 2"), said)
    end)
  end)
end)

describe("Ctrl-C", function()
  -- What is written of a line that is interrupted as soon as `is_time` is true.
  local function interrupt(text, is_time)
    local message, outcome
    with_prompt(function(prompt, written)
      local fed = feed_aside(prompt, text)
      prompts.wait(is_time)
      assert.is_true(prompt:interrupt())
      outcome = fed:await()
      message = prompts.texts(written, "error")
      assert.equal(0, #prompt:running())
      assert.equal(1, prompt:feed("1")[1])
      assert.is_false(prompt:interrupt())
    end)
    return outcome, message
  end

  it("with nothing running says that nothing runs", function()
    local prompt = prompts.new()
    assert.is_false(prompt:interrupt())
    prompt:close()
    assert.is_false(prompt:interrupt())
  end)

  it("ends a line that awaits, sleeps, waits for a process or for its children", function()
    for _, text in ipairs({ "began = true tutti.sleep(60)",
      "began = true tutti.spawn(tutti.sleep, 60):await()",
      "local p = tutti.exec{ 'sleep', '60' } began = true p:await()",
      "local ch = tutti.channel(1) began = true ch:recv()",
      "tutti.scope(function(s) s:spawn(tutti.sleep, 60) began = true end)",
      "tutti.spawn(tutti.sleep, 60) began = true tutti.checkpoint() tutti.sleep(60)" }) do
      _G.began = nil
      local outcome, message = interrupt(text, function() return _G.began end)
      assert.same({ "error", "cancelled" }, { outcome.kind, outcome.error.kind }, text)
      assert.matches("^cancelled: interrupted %(Ctrl%-C%)\n", message)
      assert.not_matches("tutti/", message)
      assert.not_matches("call", message)
    end
  end)

  it("ends a line that has not begun, in a task and outside", function()
    with_prompt(function(prompt, written)
      local fed = feed_aside(prompt, "began = 'never'")
      tutti.checkpoint() -- the feeder has fed; the line is ready
      assert.is_true(prompt:interrupt())
      assert.equal("cancelled", fed:await().error.kind)
      assert.equal("cancelled: interrupted (Ctrl-C)\n", prompts.texts(written, "error"))
    end)
    _G.began = nil
    local prompt = prompts.new()
    tutti.spawn(function() assert.is_true(prompt:interrupt()) end)
    assert.equal("cancelled", prompt:feed("began = 'never'").error.kind)
    assert.is_nil(_G.began)
    prompt:close()
  end)

  it("at any moment ends the line or comes too late, and leaves the prompt and its locals whole", function()
    local texts = {
      "local x = 1 tutti.checkpoint() tutti.checkpoint() x = 2 return x",
      "tutti.spawn(function() tutti.checkpoint() tutti.checkpoint() end):await() n = n + 1",
      "tutti.scope(function(s) for i = 1, 3 do s:spawn(tutti.checkpoint) end end)",
      "tutti.all({ tutti.spawn(tutti.checkpoint), tutti.parallel(function() return 1 end) }):await()",
      "local ok = pcall(function() tutti.checkpoint() error('own') end) tutti.checkpoint()",
      "tutti.defer(tutti.checkpoint) tutti.checkpoint() error('no')",
      "tutti.exec{ 'true' }:await()",
    }
    with_prompt(function(prompt)
      prompts.feed(prompt, "local n = 0")
      local counts = { values = 0, error = 0 }
      for _, text in ipairs(texts) do
        for moment = 0, 14 do
          local fed = feed_aside(prompt, text)
          for _ = 1, moment do
            tutti.checkpoint()
          end
          prompt:interrupt()
          local outcome = fed:await()
          counts[outcome.kind] = counts[outcome.kind] + 1
          if outcome.kind == "error" then
            local kind = outcome.error.kind
            assert.is_true(kind == "cancelled" or kind == "error", text .. ": " .. kind)
          end
          assert.equal(3, prompt:feed("1 + 2")[1])
          assert.is_number(prompt:feed("n")[1])
          prompts.wait(function() return #prompt:running() == 0 end)
        end
      end
      assert.is_true(counts.values > 0 and counts.error > 0)
    end)
  end)

  it("reaches neither the background nor what earlier lines started", function()
    with_prompt(function(prompt)
      _G.gate, _G.began = tutti.event(), nil
      local background = prompt:feed("gate:wait() return 1 &").task
      prompts.feed(prompt, "local t = tutti.spawn(function() gate:wait() return 2 end)")
      local fed = feed_aside(prompt, "began = true t:await()")
      local after = feed_aside(prompt, "5")
      prompts.wait(function() return _G.began end)
      prompt:interrupt()
      assert.equal("cancelled", fed:await().error.kind)
      assert.equal(5, after:await()[1]) -- one that waits its turn is another line
      _G.gate:set()
      assert.equal(1, background:await())
      assert.equal(2, prompt:feed("t:await()")[1])
    end)
  end)

  it("lets cleanup run; the second time kills what is left and gives the prompt back", function()
    with_prompt(function(prompt, written)
      _G.began, _G.gate = nil, tutti.event()
      local fed = feed_aside(prompt, "local h <close> = setmetatable({}, { __close = function() "
        .. "tutti.shield(60, function() cleaning = true gate:wait() end) end }) began = true tutti.sleep(60)")
      prompts.wait(function() return _G.began end)
      prompt:interrupt()
      prompts.wait(function() return _G.cleaning end)
      assert.is_false(fed:is_done())
      assert.is_true(prompt:interrupt())
      local outcome = fed:await()
      assert.equal("cancelled", outcome.error.kind)
      prompts.wait(function() return #prompt:running() == 0 end)
      local _, count = prompts.texts(written, "error"):gsub("cancelled: interrupted", "")
      assert.equal(1, count)
      _G.began, _G.cleaning = nil, nil
    end)
  end)

  it("in the program ends `while true do end`, and loops of pcall", function()
    local code, out, err = program.run_script([[
      local tutti = require("tutti")
      local function write(text) io.write(text:match("^[^\n]*\n")) end
      local prompt = require("tutti.repl").new({ write = write })
      started = tutti.channel(1)
      local START = "started:send(tutti.current()) "
      local texts = { "tutti.defer(function() n = 1 end) " .. START
        .. "while true do pcall(tutti.sleep, 60) end" }
      if os.getenv("TUTTI_PREEMPT") ~= "hook" then -- which interrupts pool tasks alone
        texts[2] = START .. "while true do end"
        texts[3] = START .. "while true do pcall(function() while true do end end) end"
      end
      for _, text in ipairs(texts) do
        local other = tutti.parallel(function(ch)
          ch:recv():cancel() -- a signal comes to the loop as this does
        end, started)
        print(prompt:feed(text).error.kind)
        other:await()
      end
      print(prompt:feed("n").kind)
    ]])
    local count = os.getenv("TUTTI_PREEMPT") == "hook" and 1 or 3
    assert.same({ 0, ("cancelled\ncancelled\n"):rep(count) .. "1\nvalues\n", "" },
      { code, out, err })
  end)
end)

describe("closing a prompt", function()
  it("cancels and joins all that is left, says nothing, and refuses more", function()
    local prompt, written = prompts.new()
    _G.ended = 0
    local text = "tutti.defer(function() ended = ended + 1 end) tutti.sleep(60)"
    prompt:feed(text .. " &")
    prompts.feed(prompt, "tutti.spawn(function() " .. text .. " end) tutti.checkpoint() tutti.checkpoint()")
    prompt:close("leaving")
    assert.equal(2, _G.ended)
    assert.equal("[1] running\n", reports(written))
    assert.has_error(function() prompt:feed("1") end)
  end)

  it("ends what waits for a line or for a turn", function()
    local prompt = prompts.new()
    tutti.spawn(function()
      local fed = feed_aside(prompt, "tutti.sleep(60)")
      local waits = feed_aside(prompt, "1")
      tutti.sleep(0.002)
      prompt:close()
      assert.equal("cancelled", fed:await().error.kind)
      assert.equal("cancelled", waits:await().error.kind)
    end):await()
  end)

  it("happens when the task that made it ends", function()
    local prompt
    tutti.spawn(function()
      prompt = prompts.new()
      prompt:feed("tutti.sleep(60) &")
    end):await()
    assert.has_error(function() prompt:feed("1") end)
  end)

  it("holds no join open: tutti.run ends with a prompt that nobody closed", function()
    prompts.new()
    tutti.run()
  end)
end)

describe("what is written", function()
  it("may be refused: a writer that raises is named on stderr and ends no line and no prompt", function()
    local code, out, err = program.run_script([[
      local wrong = true
      local function write() if wrong then error("no room", 0) end end
      local prompt = require("tutti.repl").new({ write = write })
      print(prompt:feed("1").kind, prompt:feed("x y").kind, prompt:feed("error('no')").kind)
      wrong = false
      print(prompt:feed("2")[1])
    ]])
    local expected = ("tutti: prompt \"prompt\": no room\n"):rep(3)
    assert.same({ 0, "values\terror\terror\n2\n", expected }, { code, out, err })
  end)
end)
