-- SPDX-License-Identifier: MIT
-- Locals that live on from line to line of a prompt.
local describe, it, assert = describe, it, assert -- busted's; lines have the globals proper
local _ENV = _G -- luacheck: ignore
local build = require("tests.spec.support.build")
local prompts = require("tests.spec.support.prompts")
local lexer = require("tutti.repl.lexer")

local SEED = math.tointeger(os.getenv("TUTTI_SEED")) or os.time()

local function values_of(...)
  local prompt = prompts.new()
  local outcome = prompts.feed(prompt, ...)
  prompt:close()
  return { table.unpack(outcome, 1, outcome.n) }
end

describe("the lexer of the prompt", function()
  local function declared(text)
    local names = {}
    for i, entry in ipairs(lexer.read(text).declared) do
      names[i] = entry.attribute and entry.name .. ":" .. entry.attribute or entry.name
    end
    return table.concat(names, " ")
  end

  it("finds the locals of the top level and no others", function()
    assert.equal("a b c", declared("local a, b = 1; local c"))
    assert.equal("f", declared("local function f() local inner return function() local more end end"))
    assert.equal("after", declared("do local x end while x do local y end local after"))
    assert.equal("after", declared("for i = 1, 2 do local z end local after"))
    assert.equal("after", declared("repeat local x until x local after"))
    assert.equal("after", declared("if a then local x elseif b then local y else local z end local after"))
    assert.equal("", declared("x = function() local y end"))
    assert.equal("a:const b c:close", declared("local a <const>, b, c <close> = 1"))
    assert.equal("b a", declared("local a local b local a"))
    assert.equal("literal", declared("local literal = 1"))
  end)

  it("is not misled by strings, comments and numbers", function()
    assert.equal("a", declared("local a = 'local b end' -- local c"))
    assert.equal("a d", declared("local a = [==[ local b ]] end ]==] --[[ local c \n]] local d"))
    assert.equal("a b", declared("local a = 'x\\' local q' local b"))
    assert.equal("a b", declared("local a = 'x\\z  \n  local q' local b"))
    assert.equal("a b", declared("local a = 'x\\\r\nlocal q' local b"))
    assert.equal("a b c", declared("local a = 0x1p-2 local b = 3e+1 local c = .5"))
    assert.is_true(lexer.read("return 0xe+x").names.x)
    assert.is_true(lexer.read("return 1 .. x").names.x)
  end)

  it("reads any bytes", function()
    math.randomseed(SEED)
    local words = { "local", " ", "function", "end", "do", "[[", "]=]", "--", "'", '"', "\\", "a", "<", ">",
      ",",
      "\0", "\255", "\n", "return", "until", "1", "." }
    for _ = 1, 3000 do
      local text = {}
      for i = 1, math.random(0, 12) do
        text[i] = words[math.random(#words)]
      end
      assert.is_table(lexer.read(table.concat(text)), SEED)
    end
  end)
end)

describe("locals of a prompt", function()
  it("are seen by later lines, which may set them", function()
    assert.same({ 3, 4 }, values_of("local a, b = 1, 2", "a, b = a + 2, b + 2", "a, b"))
  end)

  it("are the same variable for closures of any line", function()
    assert.same({ 12, 12 }, values_of("local n = 0", "local function add(k) n = n + k end",
      "add(5) n = n + 1", "local function get() return n end", "add(6)", "n, get()"))
  end)

  it("are new variables when they are declared again", function()
    assert.same({ 1, 2 }, values_of("local a = 1", "local function old() return a end", "local a = 2",
      "old(), a"))
    assert.same({ 2 }, values_of("local a = 1 local a = 2", "a"))
  end)

  it("are kept when the line returns values, and when it is an expression in a function", function()
    assert.same({ 7 }, values_of("local a = 7 return 1", "a"))
    assert.same({ 8 }, values_of("local a = 8\nreturn a -- and a comment", "a"))
    assert.same({ 9 }, values_of("local f = function() return 9 end return f", "f()"))
  end)

  it("may hold nil, and hide a global", function()
    _G.repl_spec_g = "global"
    assert.same({ "nil", "global" }, values_of("local repl_spec_g", "type(repl_spec_g), _G.repl_spec_g"))
    _G.repl_spec_g = nil
  end)

  it("see recursive functions, and _ENV", function()
    assert.same({ 120 }, values_of("local function f(n) return n < 2 and 1 or n * f(n - 1) end", "f(5)"))
    assert.same({ 5 }, values_of("local _ENV = { x = 5 }", "x"))
  end)

  it("keep <const>, constants of the compiler included", function()
    for _, value in ipairs({ "5", "'text'", "{}", "nil", "true" }) do
      local prompt, written = prompts.new()
      prompts.feed(prompt, "local c <const> = " .. value)
      local outcome = prompt:feed("\nc = 1")
      assert.same({ "error", true }, { outcome.kind, outcome.is_syntax })
      assert.equal("(prompt 2):2: attempt to assign to const variable 'c'\n", prompts.texts(written, "error"))
      assert.equal(load("return " .. value)() == nil, prompt:feed("c == nil")[1])
      prompts.feed(prompt, "local c = 2", "c = 3")
      prompt:close()
    end
  end)

  it("close <close> at the end of the line, do not keep it, and say so once", function()
    local prompt, written = prompts.new()
    _G.repl_spec_log = {}
    prompts.feed(prompt, "local h <close> = setmetatable({}, "
      .. "{ __close = function() repl_spec_log[1] = 'closed' end }) repl_spec_log[2] = #repl_spec_log")
    assert.same({ "closed", 0 }, _G.repl_spec_log)
    assert.equal("nil", prompt:feed("type(h)")[1])
    prompts.feed(prompt, "local i <close>, j = nil, 2")
    assert.equal(2, prompt:feed("j")[1])
    assert.equal('"h" is closed at the end of its line and does not live on (:help locals)\n',
      prompts.texts(written, "report"))
    _G.repl_spec_log = nil
    prompt:close()
  end)

  it("do not live on where a goto jumps over them, which is said", function()
    local prompt, written = prompts.new()
    prompts.feed(prompt, "goto done local q = 1 ::done::")
    assert.equal("what this line declares ends with it, since a goto jumps over it (:help locals)\n",
      prompts.texts(written, "report"))
    assert.equal("nil", prompt:feed("type(q)")[1])
    prompts.feed(prompt, "for i = 1, 2 do goto on ::on:: end local r = 1")
    assert.equal(1, prompt:feed("r")[1])
    prompt:close()
  end)

  it("of a line that raises do not live on, of the lines before they do", function()
    local prompt = prompts.new()
    prompts.feed(prompt, "local a = 1")
    assert.equal("error", prompt:feed("a = 2 local b = 3 error('no')").kind)
    assert.same({ 2, "nil" }, { table.unpack(prompt:feed("a, type(b)")) })
    prompt:close()
  end)

  it("may be a thousand, of which a line may use 190", function()
    local prompt, written = prompts.new()
    local sum = {}
    for i = 1, 1000 do
      prompts.feed(prompt, ("local v%d = %d"):format(i, i))
      sum[i] = "v" .. i
    end
    assert.equal(1000, prompt:feed("v1000")[1])
    assert.equal(190 * 191 // 2, prompt:feed(table.concat(sum, "+", 1, 190))[1])
    local outcome = prompt:feed(table.concat(sum, "+", 1, 191))
    assert.same({ "error", true }, { outcome.kind, outcome.is_syntax })
    assert.matches("^%(prompt 1003%):1: the line uses 191 locals of earlier lines, and at most 190 fit",
      prompts.texts(written, "error"))
    prompt:close()
  end)

  it("are at most as many in a line as Lua has it", function()
    local names = {}
    for i = 1, 250 do
      names[i] = "w" .. i
    end
    local prompt, written = prompts.new()
    prompts.feed(prompt, "local " .. table.concat(names, ",", 1, 200))
    prompts.feed(prompt, "w200 = 200", "w1 = w200")
    assert.equal(200, prompt:feed("w1")[1])
    assert.is_true(prompt:feed("local " .. table.concat(names, ",")).is_syntax)
    assert.matches("too many local variables", prompts.texts(written, "error"))
    prompt:close()
  end)

  it("do not meet the evaluator's own names", function()
    assert.same({ 1, 2 }, values_of("local tutti__keep, tutti__values = 1, 2", "tutti__keep, tutti__values"))
  end)

  it("leave the places of errors where they are", function()
    local prompt, written = prompts.new()
    prompts.feed(prompt, "local a, b, c = 1, 2, 3")
    prompt:feed("local d = a + b\n\nlocal e = c .. {}")
    assert.matches("^%(prompt 2%):3: attempt to concatenate a table value", prompts.texts(written, "error"))
    prompt:close()
  end)

  it("belong to their prompt", function()
    local one, other = prompts.new(), prompts.new()
    prompts.feed(one, "local a = 1")
    assert.equal("nil", other:feed("type(a)")[1])
    one:close()
    other:close()
  end)

  it("hold nothing but themselves", function()
    local prompt = prompts.new()
    prompts.feed(prompt, "local big, small = {}, 1", "weak = setmetatable({ big }, { __mode = 'v' })",
      "local big")
    prompts.feed(prompt, "local _keep = 1") -- the values of the line before are no more in `_`
    collectgarbage()
    collectgarbage()
    assert.is_nil(_G.weak[1])
    assert.equal(1, prompt:feed("small")[1])
    _G.weak = nil
    prompt:close()
  end)
end)

-- ---- random programs -----------------------------------------------------------------------

-- Statements over a few names, so that they meet: declared, declared again, const, captured, set.
local NAMES = { "a", "b", "c", "d" }

local function generator()
  local consts = {}

  local function any() return NAMES[math.random(#NAMES)] end

  local function settable()
    local name = any()
    return not consts[name] and name or "g"
  end

  local function expression()
    return ("(%s or 0) %s %d"):format(any(), math.random(2) == 1 and "+" or "*", math.random(9))
  end

  local kinds = {
    function()
      local name = any()
      local text = ("local %s = %s"):format(name, expression())
      consts[name] = nil
      return text
    end,
    function()
      local name, value = any(), math.random(2) == 1 and expression() or math.random(99)
      consts[name] = true
      return ("local %s <const> = %s"):format(name, value)
    end,
    function() return ("%s = %s"):format(settable(), expression()) end,
    function() return ("F[#F + 1] = function() return %s end"):format(expression()) end,
    function() return ("F[#F + 1] = function() %s = %s return 1 end"):format(settable(), expression()) end,
    function() return "if #F > 0 then O[#O + 1] = F[#O % #F + 1]() end" end,
    function() return ("do local a = %s O[#O + 1] = a end"):format(expression()) end,
    function() return ("O[#O + 1] = %s"):format(expression()) end,
    function()
      local name = any()
      consts[name] = nil
      return ("local function f_%s() return %s end local %s = f_%s()"):format(name, expression(), name, name)
    end,
  }
  return function() return kinds[math.random(#kinds)]() end
end

local function start_program()
  for _, name in ipairs(NAMES) do
    _G[name] = nil
  end
  _G.g, _G.F, _G.O = 1, {}, {}
end

-- What a program of these statements logs.
local function run_whole(statements)
  start_program()
  assert(load(table.concat(statements, "\n")))()
  return _G.O
end

-- Feed it in lines of one statement or several.
local function run_in_lines(statements)
  start_program()
  local prompt, i = prompts.new(), 1
  while i <= #statements do
    local last = math.min(#statements, i + math.random(0, 3))
    prompts.feed(prompt, table.concat(statements, "\n", i, last))
    i = last + 1
  end
  prompt:close()
  return _G.O
end

describe("random programs", function()
  it("give the same in one chunk and in many lines", function()
    math.randomseed(SEED)
    for round = 1, build.is_release and 300 or 40 do
      local next_statement, statements = generator(), {}
      for i = 1, math.random(5, 40) do
        statements[i] = next_statement()
      end
      local expected = run_whole(statements)
      assert.same(expected, run_in_lines(statements),
        ("round %d, TUTTI_SEED=%d:\n%s"):format(round, SEED, table.concat(statements, "\n")))
    end
    start_program()
    _G.g, _G.F, _G.O = nil, nil, nil
  end)
end)
