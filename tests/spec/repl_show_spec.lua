-- SPDX-License-Identifier: MIT
-- Values as the prompt shows them.
-- threads: one
local tutti = require("tutti")
local show = require("tutti.repl.show")
local build = require("tests.spec.support.build")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function with(fields, metatable)
  return setmetatable(fields, metatable)
end

describe("one value", function()
  local CASES = {
    { nil, "nil" }, { true, "true" }, { 3, "3" }, { 3.0, "3.0" }, { -0.5, "-0.5" }, { math.huge, "inf" },
    { "plain", "plain" }, { "two\nlines\t\"quoted\"", "two\nlines\t\"quoted\"" },
    { "\27[31mred\7\r\127", "\\x1b[31mred\\a\\r\\x7f" }, { "h\u{E4}\u{1F600}", "h\u{E4}\u{1F600}" },
    { "a\xffb\xe2\x82", "a\\xffb\\xe2\\x82" }, { "\u{202E}x\u{9B}31m", "\\u{202e}x\\u{9b}31m" },
    { {}, "{}" }, { { 1, 2, 3 }, "{ 1, 2, 3 }" }, { { 1, nil, 3 }, "{ 1, nil, 3 }" },
    { { "a\n\"b\"\0\\" }, "{ \"a\\n\\\"b\\\"\\x00\\\\\" }" },
    { { b = 1, a = { c = 2 }, [true] = 3, ["d e"] = 4, ["end"] = 5, [-1] = 6 },
      "{ [-1] = 6, a = { c = 2 }, b = 1, [\"d e\"] = 4, [\"end\"] = 5, [true] = 3 }" },
    { { 1, 2, x = "y" }, "{ 1, 2, x = \"y\" }" },
    { { { {} }, { { { { { { 1 } } } } } } }, "{ { {} }, { { { { { { ... } } } } } } }" },
    { with({ x = 1 }, { __name = "Point" }), "Point { x = 1 }" },
    { with({ x = 1 }, { __tostring = function(p) return "<" .. p.x .. ">\nmore" end }), "<1>\nmore" },
    { { with({ x = 1 }, { __tostring = function(p) return "<" .. p.x .. ">\nmore" end }) },
      "{ <1>\\nmore }" },
    { with({}, { __index = function() error("was run") end, __len = function() error("was run") end,
        __pairs = function() error("was run") end }), "{}" },
    { print, "function (C)" },
    { tutti.buffer(10), "buffer of 10 bytes" },
    { { tutti.graph("g") }, "{ graph \"g\" (0 tasks) }" },
  }

  for i = 1, #CASES do
    local value, expected = CASES[i][1], CASES[i][2]
    it("case " .. i .. ": " .. ("%q"):format(expected), function()
      assert.equal(expected, show.value(value))
    end)
  end

  it("is shown with the place of a function and the state of a coroutine", function()
    assert.matches("^function %(.*repl_show_spec%.lua:%d+%)$", show.value(function() end))
    assert.equal("coroutine (suspended)", show.value(coroutine.create(print)))
    assert.matches("^file %(0x%x+%)$", show.value(io.stdout))
  end)
end)

describe("a table", function()
  it("that holds itself names the path", function()
    local list = { name = "x", inner = { deep = {} } }
    list.self, list.inner.deep.up, list.inner.top = list, list.inner, list
    assert.equal("{\n  inner = { deep = { up = <cycle to .inner> }, top = <cycle to the top> },\n"
      .. "  name = \"x\",\n  self = <cycle to the top>\n}", show.value(list, { width = 70 }))
  end)

  it("that stands twice without a cycle is shown twice", function()
    local shared = { 1 }
    assert.equal("{ { 1 }, { 1 } }", show.value({ shared, shared }))
  end)

  it("is broken into lines at the width, short elements side by side", function()
    assert.equal("{\n  1, 2, 3, 4, 5, 6,\n  7, 8,\n  name = \"a name\"\n}",
      show.value({ 1, 2, 3, 4, 5, 6, 7, 8, name = "a name" }, { width = 20 }))
    local shown = show.value({ { ("x"):rep(30), ("y"):rep(30) }, 3 }, { width = 40 })
    local expected = "{\n  {\n    \"%s\",\n    \"%s\"\n  },\n  3\n}"
    assert.equal(expected:format(("x"):rep(30), ("y"):rep(30)), shown)
  end)

  it("is cut with a count", function()
    local list = {}
    for i = 1, 5090 do
      list[i] = i
    end
    assert.matches(" 100,\n?%s*%.%.%. 4,990 more\n}$", show.value(list))
    local fields = {}
    for i = 1, 1234 do
      fields[("k%04d"):format(i)] = i
    end
    local shown = show.value(fields)
    assert.matches("k0100 = 100,\n  %.%.%. 1,134 more\n}$", shown)
    assert.falsy(shown:find("k0101", 1, true))
  end)

  it("with long strings shows their beginning and how many bytes follow", function()
    assert.equal(("{ \"%s\"... 9,600 more bytes }"):format(("x"):rep(400)),
      show.value({ ("x"):rep(10000) }, { width = 1000 }))
    local shown = show.value("a" .. ("\u{E4}"):rep(100000))
    assert.equal(("a%s\n... 134,466 more bytes"):format(("\u{E4}"):rep(32767)), shown)
  end)

  it("has colours if asked", function()
    assert.equal("{ \27[33m1\27[0m, a = \27[32m\"b\"\27[0m }", show.value({ 1, a = "b" }, { color = true }))
  end)
end)

describe("a __tostring", function()
  local function with_tostring(f)
    return setmetatable({}, { __tostring = f, __name = "Odd" })
  end

  it("that fails, returns no string, awaits or never ends does not break the prompt", function()
    local odd = {
      function() error("no") end, function() error() end, function() return {} end,
      function() tutti.sleep(60) return "slept" end,
      function() while true do end end, -- luacheck: ignore
      function() coroutine.yield() return "yielded" end,
      function() return pcall(function() while true do end end) end, -- luacheck: ignore
    }
    tutti.spawn(function()
      for i, f in ipairs(odd) do
        local value, where = with_tostring(f), "function " .. i
        local failed = ("Odd: %p (its __tostring failed)"):format(value)
        assert.equal("{ " .. failed .. " }", show.value({ value }), where)
        assert.equal(failed, show.value(value), where)
      end
    end):await()
  end)

  it("takes its instructions from a budget that all values share", function()
    local calls = 0
    local slow = with_tostring(function()
      calls = calls + 1
      while true do end -- luacheck: ignore
    end)
    local list = {}
    for i = 1, 100 do
      list[i] = slow
    end
    show.value(list)
    assert.is_true(calls < 20, calls)
  end)

  it("may change the table that is being shown", function()
    local list = {}
    for i = 1, 50 do
      list[i] = with_tostring(function()
        list[i + 1], list[-i] = nil, i
        return "x"
      end)
    end
    assert.matches("^{ x, nil, x", show.value(list, { width = 1000 }))
  end)
end)

describe("a task", function()
  it("is shown with number, name, state and age, or how it ended", function()
    local gate = tutti.event()
    local task = tutti.spawn({ name = "make" }, function() gate:wait() end)
    tutti.sleep(0)
    local shown = show.value(task):gsub("%d%.%d", "0.0")
    assert.equal(("task %d \"make\" suspended 0.0 s"):format(task:id()), shown)
    gate:set()
    task:await()
    assert.equal(("task %d \"make\" done"):format(task:id()), show.value(task))
    assert.equal(("{ task %d \"make\" done }"):format(task:id()), show.value({ task }))
  end)

  it("that failed is not owned by who looks at it", function()
    local failed
    local ok, err = pcall(function()
      tutti.scope({ on_failure = "collect" }, function(s)
        failed = s:spawn({ name = "bad" }, function() error("went wrong") end)
        tutti.sleep(0.01)
        assert.matches("^task %d+ \"bad\" failed: .*repl_show_spec%.lua:%d+: went wrong$",
          show.value(failed))
      end)
    end)
    assert.is_false(ok)
    assert.equal("group", err.kind)
  end)
end)

describe("several values", function()
  it("stand in a line if they fit", function()
    assert.equal("1\tx\tnil\ttrue", show.values({ 1, "x", nil, true }, 4))
    assert.equal("{ 1 }\nfirst\nsecond", show.values({ { 1 }, "first\nsecond" }, 2))
    assert.equal("", show.values({}, 0))
  end)
end)

describe("an error", function()
  it("shows its joined traceback without tutti's own frames", function()
    local task = tutti.spawn({ name = "outer" }, function()
      tutti.spawn({ name = "inner" }, function() error("deep") end):await()
    end)
    local _, err = task:pawait()
    local shown = show.error(err)
    assert.matches("repl_show_spec%.lua:%d+: deep %(task \"inner\"%)", shown)
    assert.matches("stack traceback:\n.*started task \"inner\"\nawaited by:\n", shown)
    assert.falsy(shown:find("tutti/", 1, true) or shown:find("tutti.core", 1, true))
  end)

  it("does not name the task that was typed, and stays as it is meanwhile", function()
    local task = tutti.spawn({ name = "typed" }, function() error("oh") end)
    local _, err = task:pawait()
    assert.matches("oh %(task \"typed\"%)\n", show.error(err))
    assert.matches("oh %(task \"typed\"%)\n", show.error(err, { typed = "another" }))
    assert.matches("oh\nstack traceback", show.error(err, { typed = "typed" }))
    assert.equal("typed", err.task)
    assert.matches("oh %(task \"typed\"%)$", tostring(err))
  end)

  it("may be any value", function()
    assert.equal("{ code = 3 }", show.error({ code = 3 }))
    assert.matches("with the value nil", show.error(nil))
    assert.equal("\\x1b[2Jx", show.error("\27[2Jx"))
  end)
end)

describe("random tables", function()
  local LEAVES = {
    function() return math.random(-100, 100) end,
    function() return math.random() end,
    function() return string.char(math.random(0, 255), math.random(0, 255), math.random(0, 255)) end,
    function() return ("w"):rep(math.random(0, 500)) end,
    function() return math.random() < 0.5 end,
    function() return print end,
    function() return tutti.channel(1) end,
    function() return coroutine.create(print) end,
    function()
      return setmetatable({}, { __tostring = function() return math.random() < 0.5 and "t" or {} end })
    end,
    function() return setmetatable({ 1 }, { __name = "\27[31m" }) end,
    function() return setmetatable({}, { __metatable = false, __index = error }) end,
  }

  local function random_table(made, depth)
    local list = {}
    made[#made + 1] = list
    for _ = 1, math.random(0, 12) do
      local kind = math.random()
      local value = LEAVES[math.random(#LEAVES)]()
      if kind < 0.3 and depth < 12 then
        value = random_table(made, depth + 1)
      elseif kind < 0.4 then
        value = made[math.random(#made)]
      end
      local key = LEAVES[math.random(#LEAVES)]()
      if math.random() < 0.4 or key ~= key then
        key = math.random(1, 9)
      end
      list[key] = value
    end
    return list
  end

  it("never raise, and give a bounded text of valid UTF-8 without control bytes", function()
    local seed = os.time()
    math.randomseed(seed)
    for round = 1, build.is_release and 60 or 30 do
      local value = random_table({}, 1)
      local shown = show.value(value, { width = math.random(1, 200) })
      local where = ("seed %d, round %d"):format(seed, round)
      assert.truthy(utf8.len(shown), where)
      assert.falsy(shown:find("[%z\1-\9\11-\31\127]"), where)
      assert.is_true(#shown < 256 * 1024, where)
    end
  end)

  it("of great size take few instructions", function()
    local wide, deep = {}, {}
    for i = 1, build.is_release and 300000 or 30000 do
      wide[i] = { i }
      wide["k" .. i] = i
    end
    local at = deep
    for _ = 1, 100000 do
      at.next = {}
      at = at.next
    end
    local bush = { 1 }
    for _ = 1, 30 do
      bush = { bush, bush, bush, a = bush, b = bush }
    end
    for _, value in ipairs({ wide, deep, bush }) do
      local steps = 0
      debug.sethook(function() steps = steps + 1 end, "", 1000)
      local shown = show.value(value)
      debug.sethook()
      assert.is_true(#shown < 256 * 1024)
      assert.is_true(steps < 20000, steps)
    end
  end)
end)
