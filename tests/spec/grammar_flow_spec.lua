-- SPDX-License-Identifier: MIT
-- Flow expressions: what they mean, and where a wrong one stops making sense.
-- threads: one
require("tutti")
local flow = require("tutti.grammar.flow")
local texts = require("tests.spec.support.texts")

local MIB = 1024 * 1024

-- `a>b` for each edge, in order.
local function edges(text)
  local tree, err = flow.parse(text)
  assert(tree, err and err.message)
  local list = {}
  for i, edge in ipairs(flow.edges(tree)) do
    list[i] = edge[1] .. ">" .. edge[2]
  end
  return table.concat(list, " ")
end

local function names(text)
  local list = {}
  for i, part in ipairs(flow.names(assert(flow.parse(text)))) do
    list[i] = part.name .. "@" .. part.position
  end
  return table.concat(list, " ")
end

describe("a flow", function()
  it("goes from all on the left to all on the right", function()
    for text, expected in pairs({
      ["a"] = "",
      ["a >> b"] = "a>b",
      ["a>>b>>c"] = "a>b b>c",
      ["(server, assets) >> tests >> report"] = "server>tests assets>tests tests>report",
      ["a >> (b, c) >> d"] = "a>b a>c b>d c>d",
      ["(a, b) >> (c, d)"] = "a>c a>d b>c b>d",
      ["(a >> b, c) >> d"] = "a>b b>d c>d",
      ["a >> (b >> c, d) >> e"] = "b>c a>b a>d c>e d>e",
      ["((a, b), c) >> d"] = "a>d b>d c>d",
      ["(a, a, b) >> c"] = "a>c b>c",
      ["((a)) >> (((b)))"] = "a>b",
      ["(a, b,) >> c"] = "a>c b>c",
      ["a >> a"] = "a>a",
    }) do
      assert.equal(expected, edges(text), text)
    end
  end)

  it("has statements, comments and lines that go on", function()
    for text, expected in pairs({
      [""] = "",
      [" \n\t;; -- nothing\n"] = "",
      ["a >> b; c >> d"] = "a>b c>d",
      ["a >> b\nc >> d\n"] = "a>b c>d",
      ["a >> b\r\nc >> d\r\n"] = "a>b c>d",
      ["a >>\n  b"] = "a>b",
      ["a\n  >> b\n\n  >> c"] = "a>b b>c",
      ["a -- first\n  >> b -- then\n>> c"] = "a>b b>c",
      ["(\n  a, -- one\n  b,\n) >> c"] = "a>c b>c",
      ["a--b >> c"] = "",
      ["a;b\n;c >> d"] = "c>d",
    }) do
      assert.equal(expected, edges(text), text)
    end
  end)

  it("takes any name, some in quotes", function()
    for text, expected in pairs({
      ["db:migrate >> a.b/c-d >> x@1%=#~$_"] = "db:migrate@1 a.b/c-d@15 x@1%=#~$_@26",
      ["größe >> 日本"] = "größe@1 日本@12",
      ["'x y' >> \"it's\" >> 'a\\'b\\\\'"] = "x y@1 it's@10 a'b\\@20",
      ["a >> a >> (b, a)"] = "a@1 b@12",
      ["'>>' >> '--'"] = ">>@1 --@9",
      ["-a- >> b"] = "-a-@1 b@8",
    }) do
      assert.equal(expected, names(text), text)
    end
  end)

  it("says where it stops making sense", function()
    for _, case in ipairs({
      { "server >> >> tests", 11, 'a task or "(" was expected, got ">>"' },
      { ">> a", 1, 'a task or "("' },
      { "a >>", 5, "the end of the text" },
      { "a >> -- b", 10, "the end of the text" },
      { "a >>;b", 5, 'got ";"' },
      { "a b", 3, '">>", ";" or a new line' },
      { "a >> b\nc d", 10, "line 2, column 3" },
      { "a >> b\r\nc d", 11, "line 2, column 3" },
      { "(a", 3, '">>", "," or ")"' },
      { "(a,", 4, 'a task, "(" or ")"' },
      { "(a,,b)", 4, 'a task, "(" or ")"' },
      { "(a b)", 4, '">>", "," or ")"' },
      { "()", 2, 'got ")"' },
      { "a)", 2, 'got ")"' },
      { "a, b", 2, 'got ","' },
      { "a > b", 3, 'edges are written ">>"' },
      { "a -> b", 3, 'edges are written ">>"' },
      { "a --> b", 3, 'edges are written ">>"' },
      { "a => b", 3, 'edges are written ">>"' },
      { "a | b", 3, 'edges are written ">>"' },
      { "a << b", 3, "what comes first stands on the left" },
      { "a >>> b", 5, 'got ">"' },
      { "test_* >> b", 6, "patterns are for selectors" },
      { "+a", 1, "quotes" },
      { "'a", 3, "a closing ' was expected" },
      { "'a\nb'", 3, "a closing ' was expected, got the end of the line" },
      { '"a\tb"', 3, "a tab" },
      { "''", 2, "a name between the quotes" },
      { "'a\\n'", 4, "in quotes" },
      { "a\0", 2, "byte 0x00" },
      { ("("):rep(25), 25, "nest more than 24 deep" },
    }) do
      local tree, err = flow.parse(case[1])
      assert.is_nil(tree, case[1])
      texts.check(case[1], tree, err)
      assert.equal(case[2], err.position, case[1] .. "\n" .. err.message)
      assert(err.message:find(case[3], 1, true), case[1] .. "\n" .. err.message)
    end
  end)

  it("nests as deep as it says", function()
    local opened, closed = ("("):rep(24), (")"):rep(24)
    assert.equal("a>b", edges(opened .. "a" .. closed .. " >> " .. opened .. "b" .. closed))
    assert.equal("x>b b>a", edges(("(x, "):rep(23) .. "(x >> b)" .. (")"):rep(23) .. "; b >> a"))
  end)

  it("reads long texts, in time that grows with them", function()
    local chain = ("a >> "):rep(MIB // 5)
    for text, position in pairs({
      [("("):rep(MIB)] = 25,
      [("(a,"):rep(MIB)] = 73,
      [("a >> "):rep(MIB // 5)] = #chain + 1,
      ["'" .. ("a"):rep(MIB)] = MIB + 2,
      [("\n"):rep(MIB) .. ","] = MIB + 1,
      [("a >> b -- c\n"):rep(MIB // 12) .. ")"] = MIB // 12 * 12 + 1,
      [("a\n\n"):rep(MIB // 3) .. ">> >> b"] = MIB // 3 * 3 + 4,
    }) do
      local tree, err = flow.parse(text)
      assert.is_nil(tree)
      assert.equal(position, err.position)
      assert(#err.message < 400, err.message)
    end
    assert(flow.parse("(" .. ("a,"):rep(MIB // 2) .. ") >> b"))
  end)
end)

-- ---- properties ----------------------------------------------------------------------------

local function chain_of(depth)
  local chain = {}
  for i = 1, math.random(3) do
    if depth > 0 and math.random(3) == 1 then
      chain[i] = { group = true }
      for k = 1, math.random(3) do
        chain[i][k] = chain_of(depth - 1)
      end
    else
      chain[i] = { name = texts.name() }
    end
  end
  return chain
end

local function without_positions(chain)
  for _, part in ipairs(chain) do
    if part.group then
      for _, inner in ipairs(part) do
        without_positions(inner)
      end
    end
    part.position = nil
  end
end

local function plain_tree(text)
  local tree, err = flow.parse(text)
  assert(tree, err and err.message)
  for _, chain in ipairs(tree) do
    without_positions(chain)
  end
  return tree
end

describe("flows, at random", function()
  it("are read as they were printed", function()
    local seed = texts.start()
    for _ = 1, texts.count // 20 do
      local tree = {}
      for i = 1, math.random(3) do
        tree[i] = chain_of(4)
      end
      local text = flow.format(tree)
      assert(texts.same(tree, plain_tree(text)), seed .. "\n" .. text)
    end
  end)

  it("never raise, and have an error inside the text or a tree that prints", function()
    local words = { "a", "b", " ", "\n", ">>", " >> ", "(", ")", ",", ";", "'", '"', "\\", "--", "-",
      "'x y'", "é" }
    local samples = { "(server, assets) >> tests >> report",
      "a >> (b, (c >> d)) >> 'x y'\n-- z\nb >> c", "a;b;\"c\\\"\"" }
    texts.fuzz(flow.parse, words, samples, function(text)
      local printed = flow.format(plain_tree(text))
      assert(printed == flow.format(plain_tree(printed)), text)
    end)
  end)
end)
