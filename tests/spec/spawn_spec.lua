-- SPDX-License-Identifier: MIT
-- spawn, task, after, order, options, recipes, handles.
local build = require("tests.spec.support.build")
local tutti = require("tutti")

describe("spawn", function()
  it("never runs the function before it returns", function()
    local ran = false
    local task = tutti.spawn(function() ran = true end)
    assert.is_false(ran)
    task:await()
    assert.is_true(ran)
  end)

  it("passes arguments and gives back all results, with nils", function()
    local task = tutti.spawn(function(...) return select("#", ...), ... end, nil, 2, nil)
    local n, a, b, c = task:await()
    assert.same({ 3, nil, 2, nil }, { n, a, b, c })
    assert.equal(4, select("#", task:await()))
    assert.equal(0, select("#", tutti.spawn(function() end):await()))
  end)

  it("runs ready tasks first in, first out", function()
    local order, tasks = {}, {}
    for i = 1, 100 do
      tasks[i] = tutti.spawn(function() order[#order + 1] = i end)
    end
    tutti.all(tasks):await()
    for i = 1, 100 do
      assert.equal(i, order[i])
    end
  end)

  it("runs high before normal before low", function()
    local order, tasks = {}, {}
    for _, priority in ipairs({ "low", "normal", "high" }) do
      tasks[#tasks + 1] = tutti.spawn({ priority = priority }, function() order[#order + 1] = priority end)
    end
    tutti.all(tasks):await()
    assert.same({ "high", "normal", "low" }, order)
  end)

  it("gives the very same values to whoever awaits", function()
    local task = tutti.spawn(function() return {}, {} end)
    local a1, b1 = task:await()
    local ok, a2, b2 = task:pawait()
    assert.is_true(ok)
    assert.equal(a1, a2)
    assert.equal(b1, b2)
    assert.equal(a1, tutti.await(task))
  end)

  it("knows its name, its state and its place", function()
    local named = tutti.spawn({ name = "fetch" }, function() tutti.sleep(0.001) end)
    local plain = tutti.spawn(function() end)
    assert.equal("fetch", named:name())
    assert.equal("ready", named:state())
    assert.matches("spawn_spec.lua:%d+$", plain:name())
    assert.matches("fetch", tostring(named))
    assert.is_false(named:is_done())
    named:await()
    assert.equal("done", named:state())
    assert.is_true(named:is_done())
    assert.is_number(named:id())
    assert.are_not.equal(named:id(), plain:id())
    plain:await()
  end)

  it("keeps a million tasks that wait in little memory", function()
    collectgarbage()
    local before = collectgarbage("count")
    local gate = tutti.spawn(function() tutti.sleep(0.001) end)
    local list = {}
    local f = function() return 1 end
    for i = 1, 100000 do
      list[i] = tutti.task({ f, after = { gate } })
    end
    collectgarbage()
    local each = (collectgarbage("count") - before) * 1024 / #list
    assert.is_true(each < 700, each .. " bytes each") -- with its after list and the handle's place
    tutti.all(list):await()
  end)
end)

describe("options", function()
  it("refuses an unknown one, names the nearest, at the caller's line", function()
    local ok, err = pcall(tutti.spawn, { nmae = "x" }, function() end)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches('unknown option "nmae" %(did you mean "name"%?%)', tostring(err))
    local f = function() tutti.task({ function() end, retyr = 1 }) end
    local _, misuse = pcall(f)
    local line = debug.getinfo(f, "S").linedefined
    assert.matches("spawn_spec.lua:" .. line .. ":", misuse.message)
  end)

  for what, call in pairs({
    ["a function was expected, got number"] = function() tutti.task({ 42 }) end,
    ["got a task"] = function() tutti.spawn(tutti.spawn(function() end)) end,
    ['"on" must be "loop" or "pool", got "moon"'] = function() tutti.task({ print, on = "moon" }) end,
    ['"name" must be a string, got number'] = function() tutti.spawn({ name = 7 }, print) end,
    ['element 2 of "after" is a number, not a task'] = function()
      tutti.task({ print, after = { tutti.spawn(function() end), 5 } })
    end,
    ["list without holes"] = function()
      tutti.task({ print, after = { nil, tutti.spawn(function() end) } })
    end,
    ['"priority" must be'] = function() tutti.spawn({ priority = "urgent" }, print) end,
    ["a table { f, ... } was expected"] = function() tutti.task(print) end,
  }) do
    it("says: " .. what, function()
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.truthy(tostring(err):find(what, 1, true), tostring(err))
    end)
  end

  it("points to tutti.all above 100,000 dependencies", function()
    local list, one = {}, tutti.spawn(function() end)
    for i = 1, 100001 do
      list[i] = one
    end
    local _, err = pcall(tutti.task, { print, after = list })
    assert.matches("tutti.all", tostring(err))
    list[100001] = nil
    local function count(...) return select("#", ...) end
    assert.equal(100000, tutti.task({ count, after = list }):await())
  end)
end)

describe("after", function()
  local function value(v) return tutti.spawn(function() return v, "second" end) end

  it("hands over the first result of each, in order, then the arguments", function()
    local list = { value(1), value(nil), value(3) }
    local task = tutti.task({ function(...) return ... end, after = list, args = { "x", "y" } })
    local got = table.pack(task:await())
    assert.same({ n = 5, 1, nil, 3, "x", "y" }, got)
  end)

  it("takes duplicates and finished tasks", function()
    local one = value(1)
    one:await()
    local function add(a, b, c) return a + b + c end
    assert.equal(3, tutti.task({ add, after = { one, one, value(1) } }):await())
  end)

  it("grows while it runs", function()
    local long = tutti.spawn(function() tutti.sleep(0.005) return 1 end)
    local chain = long
    for _ = 1, 1000 do
      chain = tutti.task({ function(n) return n + 1 end, after = { chain } })
    end
    assert.equal(1001, chain:await())
  end)

  it("skips at the moment a dependency fails, not waiting for the others", function()
    local slow = tutti.spawn(function() tutti.sleep(10) end)
    local bad = tutti.spawn({ name = "bad" }, function() error("boom") end)
    local ran = false
    local task = tutti.task({ function() ran = true end, after = { slow, bad } })
    local last = tutti.task({ function() ran = true end, after = { task } })
    bad:pawait()
    assert.equal("skipped", task:state())
    assert.equal("skipped", last:state())
    local _, err = last:pawait()
    local _, root = bad:pawait()
    assert.equal("skipped", err.kind)
    assert.equal(root, err.cause)
    assert.is_false(ran)
    slow:cancel()
  end)

  it("takes the first in order when several have failed already", function()
    local a = tutti.spawn({ name = "a" }, function() error("a") end)
    local b = tutti.spawn({ name = "b" }, function() error("b") end)
    a:pawait() b:pawait()
    local _, err = tutti.task({ print, after = { b, a } }):pawait()
    assert.equal("b", err.cause.task)
  end)

  it("runs on skip with the handles when all have settled", function()
    local bad = tutti.spawn(function() error("x") end)
    local good = tutti.spawn(function() tutti.sleep(0.002) return 1 end)
    local task = tutti.task({ function(x, y) return x:state(), y:state() end, after = { bad, good },
      run_on_skip = true })
    assert.same({ "failed", "done" }, { task:await() })
  end)

  it("cancels a chain of 100,000 without recursion", function()
    local head = tutti.spawn(function() tutti.sleep(10) end)
    local last = head
    for _ = 1, build.times(100000) do
      last = tutti.task({ function() end, after = { last } })
    end
    head:cancel()
    last:pawait()
    assert.equal("skipped", last:state())
  end)
end)

describe("recipe", function()
  it("starts any number of executions, with changes", function()
    local add = tutti.recipe({ name = "add", function(a, b) return a + b end, args = { 1 } })
    assert.equal(3, add(2):await())
    assert.equal(6, add(5):await())
    local named = add:with({ name = "sum", args = { 10 } })
    local task = named(1)
    assert.equal("sum", task:name())
    assert.equal(11, task:await())
    local again = add(1)
    assert.equal("add", again:name())
    again:await()
  end)
end)
