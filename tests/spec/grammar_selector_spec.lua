-- SPDX-License-Identifier: MIT
-- Selectors: what they mean, and where a wrong one stops making sense.
-- threads: one
require("tutti")
local selector = require("tutti.grammar.selector")
local texts = require("tests.spec.support.texts")

local MIB = 1024 * 1024

-- A tree in one line, each operation in brackets.
local function shown(node)
  local inner = {}
  for i, member in ipairs(node) do
    inner[i] = shown(member)
  end
  local whole = node.kind .. "[" .. (node.name or node.glob and "*" or table.concat(inner, " ")) .. "]"
  return (node.needs and "+" or "") .. whole .. (node.dependents and "+" or "")
end

local function meaning(text)
  local tree, err = selector.parse(text)
  assert(tree, err and err.message)
  return shown(tree)
end

describe("a selector", function()
  it("has names, tags, operations and groups", function()
    for text, expected in pairs({
      ["a"] = "name[a]",
      ["db:migrate"] = "name[db:migrate]",
      ["tag:slow"] = "tag[slow]",
      ["+a"] = "+name[a]",
      ["a+"] = "name[a]+",
      ["+a+"] = "+name[a]+",
      ["+tag:slow+"] = "+tag[slow]+",
      ["!a"] = "not[name[a]]",
      ["!!a"] = "name[a]",
      ["! ! !a"] = "not[name[a]]",
      ["!(!a)"] = "name[a]",
      ["!+a"] = "not[+name[a]]",
      ["a, b"] = "any[name[a] name[b]]",
      ["a,b,c"] = "any[name[a] name[b] name[c]]",
      ["a & b & c"] = "all[name[a] name[b] name[c]]",
      ["a, b & !c"] = "any[name[a] all[name[b] not[name[c]]]]",
      ["(a, b) & c"] = "all[any[name[a] name[b]] name[c]]",
      ["+(a, b)+"] = "+group[any[name[a] name[b]]]+",
      ["((a))"] = "name[a]",
      [" \n a ,\n b\t"] = "any[name[a] name[b]]",
      ["a--b"] = "name[a--b]",
    }) do
      assert.equal(expected, meaning(text), text)
    end
  end)

  it("takes any name in quotes, and patterns outside of them", function()
    for text, expected in pairs({
      ["'x y'"] = "name[x y]",
      ["\"it's\""] = "name[it's]",
      ["'tag:x'"] = "name[tag:x]",
      ["'test_*'"] = "name[test_*]",
      ["tag:'x y'"] = "tag[x y]",
      ["test_*"] = "name[*]",
      ["tag:s*"] = "tag[*]",
      ["a\\*b"] = "name[a*b]",
      ["a\\ b"] = "name[a b]",
      ["+t{1,2}+"] = "+name[*]+",
      ["größe"] = "name[größe]",
    }) do
      assert.equal(expected, meaning(text), text)
    end
    local tree = selector.parse("x, test_{a,b}*")
    assert.is_true(tree[2].matches("test_b1"))
    assert.is_false(tree[2].matches("test_c"))
    assert.equal(4, tree[2].position)
  end)

  it("says where it stops making sense", function()
    for _, case in ipairs({
      { "", 1, 'a task, "tag:" or "(" was expected, got nothing' },
      { "a b", 3, '"&", "," or the end was expected, got "b"' },
      { "a,", 3, "got the end of the text" },
      { ", a", 1, 'got ","' },
      { "a & , b", 5, 'got ","' },
      { "(a", 3, '"&", "," or ")"' },
      { "(a b)", 4, '"&", "," or ")"' },
      { "()", 2, 'got ")"' },
      { "a)", 2, 'got ")"' },
      { "!", 2, "the end of the text" },
      { "+", 2, "the end of the text" },
      { "++a", 2, 'got "+"' },
      { "+ a", 2, 'got " "' },
      { "a + b", 3, "directly before or behind a name" },
      { "a++", 3, "directly before or behind a name" },
      { "a | b", 3, 'is written "a, b"' },
      { "a && b", 4, 'is written "a & b"' },
      { "a >> b", 3, "quotes" },
      { "tag:", 5, "a tag was expected" },
      { "tag: x", 5, "a tag was expected" },
      { "'a", 3, "a closing '" },
      { "a\nb", 3, "line 2, column 1" },
      { "a, b[", 6, "a character was expected" },
      { "a, b[x", 7, "a closing ]" },
      { "a, b[z-x]", 6, "from the lower character to the higher" },
      { "tag:[z-x]", 6, "from the lower character to the higher" },
      { "x & {a,b", 9, 'a closing }' },
      { "a, " .. ("{a,b}"):rep(20), 4, "too long" },
      { ("("):rep(25), 25, "nest more than 24 deep" },
      { ("{"):rep(25), 25, "nest more than 24 deep" },
    }) do
      local tree, err = selector.parse(case[1])
      assert.is_nil(tree, case[1])
      texts.check(case[1], tree, err)
      assert.equal(case[2], err.position, case[1] .. "\n" .. err.message)
      assert(err.message:find(case[3], 1, true), case[1] .. "\n" .. err.message)
    end
  end)

  it("nests as deep as it says", function()
    assert.equal("name[a]", meaning(("("):rep(24) .. "a" .. (")"):rep(24)))
    assert(selector.parse(("a & !+(b, "):rep(24) .. "a" .. (")+"):rep(24)))
    assert(selector.parse(("(b, "):rep(12) .. ("{"):rep(12) .. ("}"):rep(12) .. (")"):rep(12)))
  end)

  it("reads long texts, in time that grows with them", function()
    for text, position in pairs({
      [("("):rep(MIB)] = 25,
      [("(a,"):rep(MIB)] = 73,
      [("a & "):rep(MIB // 4)] = MIB + 1,
      [("!"):rep(MIB)] = MIB + 1,
      [("+"):rep(MIB)] = 2,
      ["'" .. ("a"):rep(MIB)] = MIB + 2,
      [("{a"):rep(MIB // 2)] = 49,
      [("[ab]"):rep(MIB // 4)] = 1,
    }) do
      local tree, err = selector.parse(text)
      assert.is_nil(tree)
      assert.equal(position, err.position)
      assert(#err.message < 320, err.message)
    end
    assert.equal(MIB // 16, #selector.parse(("a, "):rep(MIB // 16 - 1) .. "a"))
  end)
end)

-- ---- properties ----------------------------------------------------------------------------

local random = math.random

local function random_leaf()
  local node = { kind = random(3) == 1 and "tag" or "name" }
  if random(3) > 1 then
    node.name = texts.name()
  else
    node.glob = { "tag:" .. texts.name(), { kind = "*" }, texts.name() }
  end
  return node
end

local function random_tree(depth)
  local choice = depth > 0 and random(5) or 5
  if choice == 1 then
    local inner = random_tree(depth - 1)
    return inner.kind == "not" and inner or { kind = "not", inner }
  elseif choice == 2 then
    local inner = random_tree(depth - 1)
    local edge = random(3)
    return { kind = "group", needs = edge ~= 1 or nil, dependents = edge ~= 2 or nil, inner }
  elseif choice < 5 then
    local node = { kind = choice == 3 and "any" or "all" }
    for i = 1, random(2, 3) do
      node[i] = random_tree(depth - 1)
    end
    return node
  end
  local leaf = random_leaf()
  leaf.needs, leaf.dependents = random(4) == 1 or nil, random(4) == 1 or nil
  return leaf
end

local function without_positions(node)
  node.position, node.matches = nil, nil
  for _, member in ipairs(node) do
    without_positions(member)
  end
  return node
end

describe("selectors, at random", function()
  it("are read as they were printed", function()
    local seed = texts.start()
    for _ = 1, texts.count // 20 do
      local tree = random_tree(4)
      local text = selector.format(tree)
      local back, err = selector.parse(text)
      assert(back, seed .. "\n" .. (err and err.message or ""))
      local again = selector.format(back)
      assert(texts.same(tree, without_positions(back)), seed .. "\n" .. text .. "\n" .. again)
    end
  end)

  it("never raise, and have an error inside the text or a tree that prints", function()
    local words = { "a", "b", " ", ",", ", ", "&", " & ", "(", ")", "!", "+", "tag:", "'",
      '"', "\\", "*", "?",
      "[", "]", "{", "}", "a-z", "'x y'", "é" }
    local samples = { "a, +b & !tag:slow, c+", "+(test_*, tag:[a-z]x)+ & !'x y'", "{a,b{c,d}}*, !!a\\*b" }
    texts.fuzz(selector.parse, words, samples, function(text, tree)
      local printed = selector.format(tree)
      assert(printed == selector.format(assert(selector.parse(printed))), text)
    end)
  end)

  it("quote a name so that it means just this one", function()
    local seed = texts.start()
    for _ = 1, 2000 do
      local name = texts.name()
      local tree = selector.parse(selector.quote(name))
      assert(tree and tree.kind == "name" and tree.name == name, seed .. " " .. name)
    end
  end)
end)
