-- SPDX-License-Identifier: MIT
-- map and reduce: order, chunks, errors, cancellation, views.
local describe, it, assert = describe, it, assert
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local function range(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

describe("map", function()
  it("keeps the order, whatever the chunks", function()
    for _, n in ipairs({ 0, 1, 2, 7, 1000 }) do
      for _, opts in ipairs({ {}, { chunk = 1 }, { chunk = 3, limit = 1 }, { chunk = 5000 }, { on = "loop" },
        { on = "loop", chunk = 4, limit = 2 } }) do
        local results = tutti.map(range(n), function(x) return x * 2 end, opts):await()
        assert.equal(n, #results)
        for i = 1, n do
          assert.equal(2 * i, results[i])
        end
      end
    end
  end)

  it("keeps the place of results that are nil", function()
    local function third(x)
      return x % 3 == 0 and x or nil
    end
    local results = tutti.map(range(10), third, { chunk = 4 }):await()
    for i = 1, 10 do
      assert.equal(i % 3 == 0 and i or nil, results[i])
    end
  end)

  it("takes strings, tables and upvalues, and runs on the pool", function()
    local suffix, here = "!", tutti.current
    local results = tutti.map({ { "a" }, { "b" } }, function(x) return { x[1] .. suffix } end):await()
    assert.same({ { "a!" }, { "b!" } }, results)
    local at_home = 0
    tutti.map(range(5), function() at_home = at_home + 1 end):await()
    assert.equal(0, at_home) -- the copy on a worker was counted
    tutti.map(range(5), function() at_home = at_home + 1 end, { on = "loop" }):await()
    assert.equal(5, at_home)
    assert.is_function(here)
  end)

  it("takes the list as it is at the call", function()
    local list = range(100)
    local task = tutti.map(list, function(x) return x end, { chunk = 10 })
    for i = 1, 100 do
      list[i] = "changed"
    end
    assert.same(range(100), task:await())
  end)

  it("may await in the function", function()
    local results = tutti.map(range(6), function(x)
      tutti.sleep(0.001)
      return tutti.spawn(function() return x + 1 end):await()
    end, { chunk = 2 }):await()
    assert.same({ 2, 3, 4, 5, 6, 7 }, results)
  end)

  it("fails at the first failing element, says which, and cancels the rest", function()
    for _, on in ipairs({ "pool", "loop" }) do
      local started = tutti.channel(1000)
      local task = tutti.map(range(1000), function(x)
        started:send(x)
        if x == 3 then
          error("no threes")
        end
        tutti.sleep(x < 3 and 0 or 60)
      end, { chunk = 2, on = on, limit = 4, name = "squares" })
      local ok, err = task:pawait()
      assert.is_false(ok)
      assert.matches("element 3: .*combine_spec.lua:%d+: no threes", err.message)
      assert.same({ 3 }, err.path)
      assert.equal("failed", task:state())
      started:close()
      local count = 0
      for _ in started:iter() do
        count = count + 1
      end
      assert.is_true(count <= 10, "of 1000 elements " .. count .. " were begun")
    end
  end)

  it("says the number in the whole list, not in the chunk", function()
    local function fail_late(x)
      return x == 77 and error("x") or x
    end
    local _, err = tutti.map(range(100), fail_late, { chunk = 10 }):pawait()
    assert.same({ 77 }, err.path)
    assert.matches("^element 77: ", err.message)
  end)

  it("is cancelled with all its chunks", function()
    local stopped = tutti.channel(100)
    local task = tutti.map(range(4), function()
      local _ <close> = setmetatable({}, { __close = function() stopped:close() end })
      tutti.sleep(60)
    end, { chunk = 1 })
    tutti.sleep(0.02)
    task:cancel()
    local ok, err = task:pawait()
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.equal("cancelled", task:state())
  end)

  it("has a name, and belongs to its owner", function()
    local task = tutti.map({}, print, { name = "nothing" })
    assert.equal("nothing", task:name())
    assert.same({}, task:await())
    local parent = tutti.spawn(function()
      tutti.map({ 1 }, function() error("unseen", 0) end)
    end)
    local ok, err = parent:pawait()
    assert.is_false(ok)
    assert.matches("unseen", err.message)
  end)

  it("refuses at the call what cannot be sent, and wrong options", function()
    local co = coroutine.create(print)
    local ok, err = pcall(tutti.map, { 1 }, function() return co end)
    assert.is_false(ok)
    assert.equal("transfer", err.kind)
    assert.matches('upvalue "co"', err.message)
    local cases = {
      ["option \"chunk\" must be an integer, 1 or more, got 0"] = { chunk = 0 },
      ["option \"limit\" must be an integer"] = { limit = "2" },
      ["option \"on\" must be \"loop\" or \"pool\", got \"gpu\""] = { on = "gpu" },
      ["unknown option \"chunks\" (did you mean \"chunk\"?)"] = { chunks = 2 },
      ["option \"into\" must be a view of at least 1 elements, got table"] = { into = {} },
    }
    for message, opts in pairs(cases) do
      ok, err = pcall(tutti.map, { 1 }, print, opts)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches(message, err.message, 1, true)
      assert.matches("^.*combine_spec.lua:%d+: ", err.message)
    end
    ok, err = pcall(tutti.map, 5, print)
    assert.is_false(ok)
    assert.matches("a list, a buffer or a view was expected, got number", err.message)
    ok, err = pcall(tutti.map, {}, 5)
    assert.is_false(ok)
    assert.matches("a function was expected, got number", err.message)
  end)

  it("names the element that cannot be sent", function()
    local list = { 1, 2, coroutine.create(print), 4 }
    local ok, err = tutti.map(list, function(x) return x end, { chunk = 2 }):pawait()
    assert.is_false(ok)
    assert.equal("transfer", err.kind)
    assert.matches('^elements 3 to 4: cannot send this .*: argument 1, .*1.*: thread', err.message)
  end)

  it("works on a worker too", function()
    local sum = tutti.parallel(function(list)
      local squares = tutti.map(list, function(x) return x * x end, { chunk = 3 }):await()
      return tutti.reduce(squares, function(a, b) return a + b end, 0):await()
    end, range(10)):await()
    assert.equal(385, sum)
  end)

  it("reads views and writes into views, without copying", function()
    local from, into = tutti.buffer(8 * 1000):view("f64"), tutti.buffer(4 * 1000):view("i32")
    for i = 1, 1000 do
      from[i] = i / 2
    end
    local task = tutti.map(from, function(x) return math.tointeger(x * 2) end, { into = into, chunk = 77 })
    assert.equal(into, task:await())
    for i = 1, 1000 do
      assert.equal(i, into[i])
    end
    local bytes = tutti.buffer(2)
    local u8 = bytes:view("u8")
    u8[1], u8[2] = 104, 105
    assert.same({ 104, 105 }, tutti.map(bytes, function(byte) return byte end):await())
    local plain = tutti.map(range(4), function(x) return x end, { into = into, on = "loop" }):await()
    assert.equal(4, plain[4])
  end)
end)

describe("reduce", function()
  local function add(a, b)
    return a + b
  end

  it("folds a list", function()
    for _, n in ipairs({ 0, 1, 2, 1000 }) do
      local all = { {}, { chunk = 1 }, { chunk = 7 }, { on = "loop" }, { on = "loop", chunk = 2 } }
      for _, opts in ipairs(all) do
        assert.equal(n * (n + 1) // 2, tutti.reduce(range(n), add, 0, opts):await())
      end
    end
  end)

  it("begins with the first element without an initial value", function()
    assert.equal(9, tutti.reduce({ 3, 9, 4 }, math.max, nil, { chunk = 2 }):await())
    assert.equal(5, tutti.reduce({ 5 }, function() error("not asked") end):await())
    assert.is_nil(tutti.reduce({}, add):await())
  end)

  it("joins the chunks in order by combine", function()
    local words = {}
    for i = 1, 100 do
      words[i] = tostring(i)
    end
    local joined = tutti.reduce(words, function(list, word)
      list[#list + 1] = word
      return list
    end, {}, {
      chunk = 9,
      combine = function(a, b) return table.move(b, 1, #b, #a + 1, a) end,
    }):await()
    assert.same(words, joined)
    local text = tutti.reduce(words, function(a, b) return a .. b end, "", { chunk = 11 }):await()
    assert.equal(table.concat(words), text)
  end)

  it("says at which element it failed", function()
    local ok, err = tutti.reduce({ 1, 2, "x", 4 }, add, 0, { chunk = 2 }):pawait()
    assert.is_false(ok)
    assert.same({ 3 }, err.path)
  end)
end)
