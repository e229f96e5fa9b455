-- SPDX-License-Identifier: MIT
-- Glob patterns of names: what they match, that none makes a name slow, and where a wrong one stops
-- making sense.
-- threads: one
require("tutti")
local glob = require("tutti.grammar.glob")
local build = require("tests.spec.support.build")
local texts = require("tests.spec.support.texts")

local MIB = 1024 * 1024

local function matches(pattern, name)
  local f, err = glob.compile(pattern)
  assert(f, err and err.message)
  return f(name)
end

-- Of the words in `names`, those that match.
local function matching(pattern, names)
  local found = {}
  for name in names:gmatch("%S+") do
    found[#found + 1] = matches(pattern, name) and name or nil
  end
  return table.concat(found, " ")
end

describe("a glob", function()
  it("matches within a name", function()
    for _, case in ipairs({
      { "a", "a aa b", "a" },
      { "*.c", "a.c .c a.h c x/a.c a.c.c", "a.c .c a.c.c" },
      { "?", "a é ab / \xff", "a é \xff" },
      { "a*b*c", "abc axbxc abcb acb a/bc abcbc", "abc axbxc abcbc" },
      { "test_*", "test_ test_a test_a/b atest_", "test_ test_a" },
      { "[a-c]x", "ax bx cx dx x /x", "ax bx cx" },
      { "[!a-c]x", "ax dx éx /x x", "dx éx" },
      { "[^a]", "a b", "b" },
      { "[]a]", "] a b", "] a" },
      { "[!]]", "] a", "a" },
      { "[a-]", "a - b", "a -" },
      { "[\\]-a]", "] ^ a b", "] ^ a" },
      { "[à-ü]", "é z à û", "é à û" },
      { "[[:digit:]x]*", "1 x2 a", "1 x2" },
      { "\\*", "* a", "*" },
      { "a\\b", "ab a\\b", "ab" },
      { "{a,b}{1,2}", "a1 b2 a ab", "a1 b2" },
      { "x{,y,z{1,2}}", "x xy xz1 xz xz2", "x xy xz1 xz2" },
      { "{a,ab}c", "ac abc", "ac abc" },
      { "{*.c,*.h}", "a.c b.h c.o", "a.c b.h" },
      { "a}b,c", "a}b,c", "a}b,c" },
      { "", "a", "" },
    }) do
      assert.equal(case[3], matching(case[1], case[2]), case[1])
    end
    assert.is_true(matches("", ""))
    assert.is_true(matches("*", ""))
    assert.is_true(matches("a\n?", "a\nb"))
  end)

  it("goes over folders with **", function()
    for _, case in ipairs({
      { "**", "a a/b /", "a a/b /" },
      { "**.c", "a.c x/a.c a.h", "a.c x/a.c" },
      { "**/a", "a x/a x/y/a xa", "a x/a x/y/a" },
      { "a/**/b", "a/b a/x/b a/x/y/b ab a/xb ax/b", "a/b a/x/b a/x/y/b" },
      { "a/**", "a/ a/b a/b/c a", "a/ a/b a/b/c" },
      { "**a*b", "a/ab a/b", "a/ab" },
      { "**/x*/y", "x1/y a/x/y a/x/z/y x/x/y", "x1/y a/x/y x/x/y" },
      { "a/**b", "a/b a/x/b a/xb", "a/b a/x/b a/xb" },
    }) do
      assert.equal(case[3], matching(case[1], case[2]), case[1])
    end
  end)

  it("says where it stops making sense", function()
    for _, case in ipairs({
      { "[a", 3, "a closing ]" },
      { "a[", 3, "a character" },
      { "[]", 3, "a closing ]" },
      { "[a/b]", 3, 'got "/"' },
      { "x[z-a]", 3, "from the lower character to the higher" },
      { "{[b-a]}", 3, "from the lower character to the higher" },
      { "[[:foo:]]", 4, "a class such as digit or alpha" },
      { "[[:alpha]", 9, '":]" was expected' },
      { "{a,b", 5, 'a closing }' },
      { "{a,{b}", 7, 'a closing }' },
      { "a\\", 3, "a character after \\" },
      { "[a\\", 4, "a character other than / after \\" },
      { "[\\/]", 3, "a character other than" },
      { ("{a,b}"):rep(20), 1, "too long" },
      { "{" .. ("a,"):rep(2000) .. "b}{" .. ("b,"):rep(20) .. "}", 1, "too long" },
      { ("{"):rep(25), 25, "nest more than 24 deep" },
      { ("?"):rep(MIB), 4097, "at most 4096 bytes" },
      { ("("):rep(MIB), 4097, "at most 4096 bytes" },
    }) do
      local f, err = glob.compile(case[1])
      assert.is_nil(f, case[1])
      texts.check(case[1], f, err)
      assert.equal(case[2], err.position, case[1] .. "\n" .. err.message)
      assert(err.message:find(case[3], 1, true), case[1] .. "\n" .. err.message)
    end
  end)

  -- What tries again at each star takes longer than the universe here; the limit of the suite ends it.
  it("does not try again", function()
    local long = ("a"):rep(4000)
    for _, pattern in ipairs({ "*a*a*a*a*b", ("*a"):rep(2000) .. "b", ("**a*a"):rep(800) .. "b",
      ("a*"):rep(2000) .. "**b", ("{a,a*}"):rep(8) .. "b", ("?"):rep(3999) .. "[!a]" }) do
      assert.is_false(matches(pattern, long), pattern)
    end
    assert.is_true(matches(("*a"):rep(2000), long))
    assert.is_false(matches(("**/a*"):rep(500) .. "/b", ("a/"):rep(2000)))
  end)

  it("has parts when it is one of paths", function()
    local function parts(pattern)
      local shown = {}
      for i, list in ipairs(assert(glob.paths(pattern))) do
        local names = { list.is_absolute and "/" or nil }
        for _, part in ipairs(list) do
          names[#names + 1] = part.name or part.deep and "**" or "?"
        end
        shown[i] = table.concat(names, " ")
      end
      return table.concat(shown, " | ")
    end
    assert.equal("src ** ?", parts("src/**/*.c"))
    assert.equal("/ etc ?", parts("//etc/[a-b]*/"))
    assert.equal("src ? | lib x ?", parts("{src,lib/x}/*.c"))
    assert.equal("** a", parts("**/**/a"))
    assert.equal("? b", parts("a**/b"))
    assert.equal("a*b", parts("a\\*b"))
    assert.equal("/", parts("/"))
    local part = glob.paths("*x")[1][1]
    assert.is_true(part.matches("ax"))
    assert.is_false(part.matches(".x"))
    assert.is_true(glob.paths(".*")[1][1].matches(".x"))
  end)
end)

-- ---- against other matchers ----------------------------------------------------------------

local random = math.random

-- A matcher that tries everything, for short names; it knows nothing of `glob` but the trees.
local function naive(items, i, name, at)
  local item = items[i]
  if not item then
    return at > #name
  elseif type(item) == "string" then
    return name:sub(at, at + #item - 1) == item and naive(items, i + 1, name, at + #item)
  elseif item.kind == "*" or item.kind == "**" then
    for stop = at, #name + 1 do
      if naive(items, i + 1, name, stop) then
        return true
      elseif item.kind == "*" and name:sub(stop, stop) == "/" then
        return false
      end
    end
    return false
  elseif item.choice then
    for _, inner in ipairs(item) do
      local rest = table.move(items, i + 1, #items, #inner + 1, table.move(inner, 1, #inner, 1, {}))
      if naive(rest, 1, name, at) then
        return true
      end
    end
    return false
  end
  local one, is_in = name:sub(at, at), item.kind == "?"
  for _, member in ipairs(item) do
    is_in = is_in or member[1] <= one and one <= (member[2] or member[1])
  end
  return one ~= "" and one ~= "/" and is_in ~= (item.negated or false) and naive(items, i + 1, name, at + 1)
end

local function random_items(depth)
  local items = {}
  for i = 1, random(0, 5) do
    local kind = random(depth > 0 and 6 or 5)
    if kind < 3 and type(items[i - 1]) ~= "string" then
      items[i] = texts.pick({ "a", "b", "ab", "ba", "/", "a/" })
    elseif kind == 6 then
      items[i] = { choice = true, random_items(depth - 1), random_items(depth - 1) }
    elseif kind == 5 then
      items[i] = { kind = "set", negated = random(2) == 1, { texts.pick({ "a", "b" }) }, { "b", "c" } }
    elseif kind == 4 then
      items[i] = { kind = "?" }
    elseif items[i - 1] and items[i - 1].kind then
      items[i] = { kind = "set", negated = false, { "a" } } -- two stars would be one item
    else
      items[i] = { kind = random(3) == 1 and "**" or "*" }
    end
  end
  return items
end

-- Can a `**` be a whole part? Then its "/" belongs to it, which `naive` does not know.
local function has_folders(text)
  return ("/" .. text):find("/%*%*") ~= nil or text:find("{.*%*%*") ~= nil and text:find("/") ~= nil
end

local function random_name(length)
  local letters = {}
  for i = 1, random(0, length) do
    letters[i] = texts.pick({ "a", "a", "b", "c", "/" })
  end
  return table.concat(letters)
end

local function without_positions(items)
  for _, item in ipairs(items) do
    if item.choice then
      for _, inner in ipairs(item) do
        without_positions(inner)
      end
    elseif item.kind == "set" then
      for _, member in ipairs(item) do
        member.position = nil
      end
    end
  end
  return items
end

-- bash's `case` is fnmatch without its flags: `*` also goes over "/". One shell asks for all.
local function ask_bash(pairs_of)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for _, pair in ipairs(pairs_of) do
    file:write(pair[1], "\n", pair[2], "\n")
  end
  file:close()
  local pipe = assert(io.popen("LC_ALL=C bash -c 'while IFS= read -r p && IFS= read -r n; do "
    .. "case $n in $p) echo 1;; *) echo 0;; esac; done' < " .. path))
  local answers = {}
  for line in pipe:lines() do
    answers[#answers + 1] = line == "1"
  end
  pipe:close()
  os.remove(path)
  return answers
end

describe("globs, at random", function()
  it("are read as they were printed, and match what trying everything matches", function()
    local seed, hits = texts.start(), 0
    for _ = 1, texts.count // 10 do
      local items = random_items(2)
      local text = glob.format(items)
      assert(texts.same(items, without_positions(assert(glob.parse(text)))), seed .. "\n" .. text)
      local matcher, err = glob.compile(text)
      assert(matcher or err.message:find("too long", 1, true), seed .. "\n" .. text)
      for _ = 1, (has_folders(text) or not matcher) and 0 or 3 do
        local name = random_name(8)
        local expected = naive(items, 1, name, 1)
        assert(matcher(name) == expected, ("%s: %q against %q"):format(seed, text, name))
        hits = hits + (expected and 1 or 0)
      end
    end
    assert(hits > texts.count // 100, seed .. ": hardly anything matched")
  end)

  it("match what bash does", function()
    local seed, asked = texts.start(), {}
    while #asked < (build.is_release and 4000 or 500) do
      local parts = {}
      for i = 1, random(1, 6) do
        parts[i] = texts.pick({ "a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "\\*", "[]x]", "[[:upper:]]" })
      end
      local name = random_name(6):gsub("/", "*")
      asked[#asked + 1] = { table.concat(parts), name }
    end
    for i, expected in ipairs(ask_bash(asked)) do
      local pattern, name = asked[i][1], asked[i][2]
      assert(matches(pattern, name) == expected, ("%s: %q against %q"):format(seed, pattern, name))
    end
  end)

  it("never raise, and have an error inside the text or a tree that prints", function()
    local words = { "a", "b", "*", "**", "?", "[", "]", "[!", "a-z", "[:digit:]", "{",
      "}", ",", "\\", "/", "é", "." }
    local samples = { "src/**/*.{c,h}", "test_[a-z]*[!0-9]?", "{a,b{c,d}}\\*[[:alpha:]]" }
    texts.fuzz(glob.compile, words, samples, function(text, f)
      f("a/b.c")
      local printed = glob.format(assert(glob.parse(text)))
      assert(printed == glob.format(assert(glob.parse(printed))), text)
    end)
  end)
end)
