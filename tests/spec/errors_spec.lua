-- SPDX-License-Identifier: MIT
-- Error objects (design 2.7): values of every type, joined tracebacks, groups, and how they cross.
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function failure(start, ...)
  local ok, err = start(...):pawait()
  assert.is_false(ok)
  return err
end

-- The lines of `text` in which `pattern` occurs, as a number.
local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

describe("what was raised", function()
  it("is the very value in one state", function()
    local values = { false, 42, "text", {}, io.stdout, print, coroutine.create(print) }
    for _, value in ipairs(values) do
      local err = failure(tutti.spawn, function() error(value, 0) end)
      assert.is_true(rawequal(value, err.value))
      assert.is_string(err.message)
      assert.equal("error", err.kind)
    end
    local err = failure(tutti.spawn, function() error(nil) end)
    assert.is_nil(err.value)
    assert.matches("the value nil", err.message)
  end)

  it("says something useful for a table", function()
    local function shown(value)
      return failure(tutti.spawn, function() error(value) end).message
    end
    assert.equal("{ code = 2 }", shown({ code = 2 }))
    assert.equal("no disk (code 2)", shown({ code = 2, message = "no disk" }))
    assert.equal("no disk", shown({ message = "no disk" }))
    assert.equal("{ \"a\", {}, { 1, x = { y = true } } }", shown({ "a", {}, { 1, x = { y = true } } }))
    local cycle, many = { code = {} }, {}
    cycle.self = cycle
    for i = 1, 1000 do
      many[i] = i
    end
    assert.equal("{ code = {}, self = <cycle to the top> }", shown(cycle))
    assert.matches("^{ 1, 2, [%d, ]*%.%.%. 9%d%d more }$", shown(many))
    assert.equal("{ \"" .. ("\\x1b"):rep(40) .. "\"... 960 more bytes }", shown({ ("\27"):rep(1000) }))
    local own = setmetatable({}, { __tostring = error })
    assert.equal("{ f = function (C), file = userdata (FILE*), own = {} }",
      shown({ f = print, file = io.stdout, own = own }))
    assert.equal("{}", shown({}))
    assert.equal("by itself", shown(setmetatable({}, { __tostring = function() return "by itself" end })))
  end)

  it("is said of a table also where the script has not loaded tutti", function()
    local code, _, err = program.script("error({ 1, x = { 2 } })", {})
    assert.equal(3, code)
    assert.matches("script.lua:1: { 1, x = { 2 } } (task", err, 1, true)
  end)

  it("may have a __tostring that fails, or gives no string", function()
    for _, bad in ipairs({ function() error("no") end, function() return {} end }) do
      local err = failure(tutti.spawn, function() error(setmetatable({}, { __tostring = bad })) end)
      assert.matches("__tostring failed", tostring(err))
      local far = failure(tutti.parallel, function() error(setmetatable({}, { __tostring = bad })) end)
      assert.matches("__tostring failed", tostring(far))
    end
  end)

  it("crosses, or is described by its type", function()
    assert.is_false(failure(tutti.parallel, function() error(false) end).value)
    assert.is_nil(failure(tutti.parallel, function() error(nil) end).value)
    assert.same({ code = 2 }, failure(tutti.parallel, function() error({ code = 2 }) end).value)
    assert.equal("(userdata)", failure(tutti.parallel, function() error(io.stdout) end).value)
    local mixed = failure(tutti.parallel, function()
      local t = { code = 2, file = io.stdout, co = coroutine.create(print) }
      t.me = t
      error(t)
    end).value
    assert.equal(2, mixed.code)
    assert.equal("(userdata)", mixed.file)
    assert.equal("(thread)", mixed.co)
    assert.equal(mixed, mixed.me)
  end)

  it("may be a stack overflow, on the pool too", function()
    for _, start in ipairs({ tutti.spawn, tutti.parallel }) do
      local err = failure(start, function()
        local function deeper() return 1 + deeper() end
        deeper()
      end)
      assert.matches("stack overflow", err.message)
      assert.is_true(#err.traceback < 5000)
    end
  end)

  it("may be an error in an error handler", function()
    local err = failure(tutti.spawn, function()
      local _, raised = xpcall(error, function() error("in the handler") end, "first")
      error(raised, 0)
    end)
    assert.equal("error", err.kind)
    assert.is_string(tostring(err))
  end)
end)

describe("an error object", function()
  it("cannot be changed, nor can its lists", function()
    local group = failure(tutti.any, { tutti.spawn(error, "a"), tutti.spawn(error, "b") })
    for _, change in ipairs({
      function() group.kind = "x" end, function() group.errors = {} end,
      function() group.errors[1] = "x" end, function() group.errors[3] = "x" end,
      function() table.remove(group.errors) end,
    }) do
      local ok, err = pcall(change)
      assert.is_false(ok)
      assert.matches("cannot be changed", tostring(err))
    end
    assert.equal(2, #group.errors)
    local seen = {}
    for i, err in ipairs(group.errors) do seen[i] = err.message end
    assert.same({ "a", "b" }, seen)
    for i, err in pairs(group.errors) do assert.equal(seen[i], err.message) end
    assert.equal(group.errors, group.errors)
  end)
end)

describe("the traceback", function()
  it("is joined through two hops over the pool", function()
    local err = failure(tutti.parallel, { name = "outer" }, function()
      local inner = tutti.parallel({ name = "inner" }, function()
        local nothing = nil
        return nothing.field
      end)
      return inner:await()
    end)
    local text = err.traceback
    assert.equal(1, count(text, 'started task "inner"'))
    assert.equal(1, count(text, 'started task "outer"'))
    assert.matches('index a nil value.-started task "inner".-awaited by:\n\t[^\n]*errors_spec.lua:%d+: in '
      .. '.-started task "outer"', text)
    assert.is_nil(text:find("tutti/[%w_]+%.lua"))
    assert.is_nil(text:find("tutti.core", 1, true))
  end)

  it("of a cancelled task shows where it waited, of a deep one both ends", function()
    local function sink(depth)
      if depth == 0 then
        tutti.sleep(60)
      else
        sink(depth - 1)
      end
      return depth
    end
    local function traceback(depth)
      local t = tutti.spawn({ name = "sunk" }, function() return (sink(depth)) end)
      tutti.sleep(0.001)
      t:cancel()
      return failure(function() return t end).traceback
    end
    local text = traceback(3)
    assert.matches("%[C%]: in %l+ '[%w_.]*sleep'\n\t[^\n]*errors_spec.lua:%d+: in upvalue 'sink'", text)
    assert.equal(4, count(text, "in upvalue 'sink'"))
    assert.matches('started task "sunk"', text)
    -- 10,001 of sink, the sleep, the function of the task, and the frame below it, which is ours and left out
    local deep = traceback(10000)
    assert.equal(20, count(deep, "\n\t[^\n]+: in "))
    assert.matches("%(skipping " .. 10004 - 21 .. " levels%)", deep)
  end)

  it("of tasks cancelled together shows of each where it waited, and what it is", function()
    local function first() tutti.sleep(60) end
    local function second() tutti.sleep(60) end
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = tutti.spawn(i % 2 == 1 and first or second)
    end
    tasks[21] = tutti.spawn({ name = "named" }, first)
    tutti.checkpoint()
    for _, task in ipairs(tasks) do
      task:cancel("enough")
    end
    for i, task in ipairs(tasks) do
      local err = failure(function() return task end)
      local line = debug.getinfo(i % 2 == 1 and first or second, "S").linedefined
      local wanted = ("errors_spec.lua:%d: in "):format(line)
      assert.truthy(err.traceback:find(wanted, 1, true), err.traceback)
      assert.same({ "cancelled", "cancelled: enough", "enough" }, { err.kind, err.message, err.reason })
      assert.matches(i == 21 and "^named$" or "errors_spec.lua:%d+$", err.task)
      assert.is_true(rawequal(err, select(2, task:pawait())))
    end
  end)

  it("of many places where cancelled tasks waited is that of each, again and again", function()
    local lines = { "local sleep = ...", "return {" }
    for i = 1, 60 do
      lines[#lines + 1] = ("function() sleep(%d) end,"):format(60 + i)
    end
    local waits = assert(load(table.concat(lines, "\n") .. "}", "@many_places.lua"))(tutti.sleep)
    for round = 1, 3 do
      local tasks = {}
      for i = 1, 2 * #waits do
        tasks[i] = tutti.spawn(waits[i * 7 % #waits + 1])
      end
      tutti.checkpoint()
      for i, task in ipairs(tasks) do
        task:cancel()
        local err = failure(function() return task end)
        local wanted = ("many_places.lua:%d: in "):format(i * 7 % #waits + 1 + 2)
        assert.truthy(err.traceback:find(wanted, 1, true), round .. err.traceback)
      end
    end
  end)

  it("of a cancelled task is whole when it crosses before anybody has read it", function()
    local task = tutti.spawn({ name = "sleeper" }, tutti.sleep, 60)
    tutti.checkpoint()
    task:cancel("late")
    local kind, message, reason, name = tutti.parallel(function(err)
      return err.kind, err.message, err.reason, err.task
    end, select(2, task:pawait())):await()
    assert.same({ "cancelled", "cancelled: late", "late", "sleeper" }, { kind, message, reason, name })
  end)

  it("names who awaited inside a pool task", function()
    local err = failure(tutti.parallel, { name = "outer" }, function()
      return tutti.spawn({ name = "inner" }, function() error("boom") end):await()
    end)
    assert.matches('boom.-started task "inner".-awaited by:.-started task "outer"', err.traceback)
  end)

  it("goes on with what a skipped task was skipped for", function()
    local a = tutti.spawn({ name = "a" }, function() error("boom") end)
    for _, on in ipairs({ "loop", "pool" }) do
      local err = failure(tutti.task, { name = "b", on = on, after = { a }, function() end })
      assert.equal("skipped", err.kind)
      assert.matches('started task "b".-because of: [^\n]*boom.-errors_spec.lua:%d+: in .-started task "a"',
        err.traceback)
    end
    a:pawait()
  end)

  it("has the members of a group", function()
    local members = { tutti.spawn({ name = "a" }, function() error("x1") end),
      tutti.parallel({ name = "b" }, function() error("x2") end) }
    local err = failure(tutti.any, members)
    assert.matches('failed: [^\n]*x1.-started task "a"', err.traceback)
    assert.matches('failed: [^\n]*x2.-started task "b"', err.traceback)
  end)
end)

describe("a group", function()
  it("of thousands has a short text and a whole list", function()
    local list, many = {}, build.times(10000)
    for i = 1, many do
      list[i] = tutti.spawn(function() error("number " .. i, 0) end)
    end
    local err = failure(tutti.any, list)
    assert.equal(many, #err.errors)
    assert.equal("number " .. many, err.errors[many].message)
    local text = tostring(err)
    assert.is_true(count(text, "\n") < 30)
    assert.matches(("and %d more"):format(many - 20), text)
    assert.is_true(count(err.traceback, "\n") < 50)
    assert.equal(many, tutti.parallel(function(e) return #e.errors end, err):await())
  end)

  it("in a group is shown with its place", function()
    local err = failure(tutti.any, { tutti.any({ tutti.spawn(function() error("deep") end) }) })
    assert.matches("\n  %- [^\n]*\n      %- [^\n]*errors_spec.lua:%d+: deep", tostring(err))
  end)
end)

describe("an error object as a value", function()
  local function sample()
    return failure(tutti.spawn, { name = "sample" }, function() error({ code = 7, file = io.stdout }) end)
  end

  it("crosses as argument, result and through a channel", function()
    local err = sample()
    local far = tutti.parallel(function(e, again)
      return { kind = e.kind, code = e.value.code, file = e.value.file, task = e.task,
        text = tostring(e), trace = e.traceback, same = rawequal(e, again) }
    end, err, err):await()
    assert.same({ "error", 7, "(userdata)", "sample", true },
      { far.kind, far.code, far.file, far.task, far.same })
    assert.equal(tostring(err), far.text)
    assert.equal(err.traceback, far.trace)
    local channel = tutti.channel(1)
    tutti.parallel(function()
      local _, e = tutti.spawn(function() error("from the pool", 0) end):pawait()
      channel:send({ e, e })
    end):await()
    local got = channel:recv()
    assert.equal("from the pool", got[1].message)
    assert.is_true(rawequal(got[1], got[2]))
  end)

  it("may hold itself and others", function()
    local held = {}
    local outer = failure(tutti.spawn, function() error(held) end)
    held.me, held.other = outer, sample()
    local me, other, back = tutti.parallel(function(e)
      return rawequal(e.value.me, e), e.value.other.value.code, e
    end, outer):await()
    assert.same({ true, 7 }, { me, other })
    assert.equal(back, back.value.me)
  end)

  it("may be among the values of a failed task", function()
    local err = failure(tutti.parallel, function()
      local _, e = tutti.spawn(function() error("deep", 0) end):pawait()
      error({ inner = e })
    end)
    assert.equal("deep", err.value.inner.message)
    assert.matches("inner = [^ ]*errors_spec.lua:%d+: deep }$", err.message)
  end)

  it("leaves nothing behind when what is beside it may not cross", function()
    local err = sample()
    local ok, refused = pcall(tutti.parallel, print, { err, coroutine.create(print) })
    assert.is_false(ok)
    assert.equal("transfer", refused.kind)
    assert.equal("error", tutti.parallel(function(e) return e.kind end, err):await())
  end)

  it("by the thousand keeps memory flat", function()
    local err = sample()
    local function round()
      for _ = 1, 300 do
        tutti.parallel(function(e) return e.kind end, err):await()
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    round()
    local before = round()
    assert.is_true(round() < before + 200)
  end)
end)

describe("a handle that crosses", function()
  it("keeps its name, or the place where it was started", function()
    local named = tutti.spawn({ name = "named" }, function() return 1 end)
    local plain = tutti.spawn(function() return 1 end)
    local far = tutti.parallel({ name = "far" }, function() return 1 end)
    local function names(...)
      local list = {}
      for i, task in ipairs({ ... }) do list[i] = task:name() end
      return table.concat(list, " ")
    end
    local wanted = names(named, plain, far)
    assert.matches("^named [^ ]*errors_spec.lua:%d+ far$", wanted)
    assert.equal(wanted, tutti.parallel(names, named, plain, far):await())
    assert.equal(wanted, tutti.task({ on = "pool", run_on_skip = true, after = { named, plain, far },
      names }):await())
  end)

  it("of a process knows check = false, and its label", function()
    local lenient = tutti.exec({ "false", check = false })
    local strict = tutti.exec({ "false" })
    local code, text = tutti.parallel(function(a, b)
      local _, err = b:pawait()
      return a:await().code, err.kind .. ": " .. err.message
    end, lenient, strict):await()
    assert.equal(1, code)
    assert.equal('exit: exec "false" ended with status 1', text)
    strict:pawait()
  end)
end)
