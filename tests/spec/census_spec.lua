-- SPDX-License-Identifier: MIT
-- The counting half of the census, on inputs that have misled line counters before.

local root = os.getenv("TUTTI_ROOT") or "."
package.path = root .. "/scripts/?.lua;" .. package.path

local classify = require("census.classify")
local counter = require("census.counter")
local forms = require("census.forms")
local languages = require("census.languages")
local report = require("census.report")

local function sums(language, text)
  return ("B%d C%d K%d"):format(counter.count(text, language))
end

local function lines(...)
  return table.concat({ ... }, "\n") .. "\n"
end

describe("census.counter", function()
  it("counts nothing in nothing", function()
    for name in pairs(languages) do
      assert.equal("B0 C0 K0", sums(name, ""), name)
    end
  end)

  it("counts a line without its newline, and blanks alone as a blank line", function()
    for name in pairs(languages) do
      assert.equal("B0 C0 K1", sums(name, "x"), name)
      assert.equal("B1 C0 K1", sums(name, "x\n \t"), name)
      assert.equal("B2 C0 K1", sums(name, "\n\nx"), name)
    end
  end)

  it("takes CRLF and a byte order mark for white space", function()
    assert.equal("B1 C1 K1", sums("C", "\xEF\xBB\xBF// a\r\n\r\nint x;\r\n"))
    assert.equal("B1 C1 K1", sums("Python", "\xEF\xBB\xBF# a\r\n\r\nx = 1\r\n"))
    assert.equal("B0 C2 K1", sums("C", "// a \\\r\n b\r\nint x;\r\n"))
    assert.equal("B0 C0 K2", sums("Bourne Shell", "\xEF\xBB\xBFcat <<E\nE\n"))
  end)

  it("adds up in runs of any length", function()
    for length = 1, 70 do
      local text = ("x\n"):rep(length) .. ("\n"):rep(length + 1) .. ("// c\n"):rep(length + 2)
      assert.equal(("B%d C%d K%d"):format(length + 1, length + 2, length), sums("C", text))
    end
  end)

  it("calls a line with code and comment code", function()
    assert.equal("B0 C0 K4", sums("C", lines("a; // x", "b; /* y */", "/* z */ c;", "/**/d;/**/")))
  end)

  it("raises for a language that does not exist", function()
    assert.has_error(function() counter.count("", "Klingon") end, "no language is called Klingon")
  end)

  it("gives up on depth without giving up the batch", function()
    local path = os.tmpname()
    assert(os.rename(path, path .. ".sh"))
    path = path .. ".sh"
    local file = assert(io.open(path, "w"))
    file:write(("$("):rep(50000))
    file:close()
    local result = counter.count_batch({ path })
    os.remove(path)
    assert.equal(path, result.skipped[1].path)
    assert.matches("^not countable: .*overflow", result.skipped[1].reason)
  end)
end)

describe("census.languages, C:", function()
  it("comment openers in strings and characters open nothing", function()
    assert.equal("B0 C1 K3", sums("C", lines('s = "/*";', "c = '\"'; d = '\\'';", 't = "\\"//";', "// c")))
  end)

  it("blank lines in a comment are blank", function()
    assert.equal("B2 C3 K1", sums("C", lines("/* a", "", "  b", " \t", "*/", "int x;")))
  end)

  it("a comment from a line of code into a line of code", function()
    assert.equal("B0 C1 K3", sums("C", lines("a; /* x", "y", "z */ b;", "c;")))
    assert.equal("B0 C2 K1", sums("C", lines("a; /* x", "y", "z */")))
    assert.equal("B0 C2 K1", sums("C", lines("/* x */ /* y", "*/", "a;")))
  end)

  it("stars and slashes", function()
    assert.equal("B0 C2 K1", sums("C", lines("/***/", "/*/ */", "a = b / *p;")))
    assert.equal("B0 C3 K0", sums("C", lines("/* // */", "// /*", "/* no end")))
  end)

  it("a backslash takes the next line into a comment, and into a string", function()
    assert.equal("B0 C3 K1", sums("C", lines("// a \\", "b", "int x; // c \\\\", "d")))
    assert.equal("B0 C1 K3", sums("C", lines('s = "a \\', '/* b";', "x;", "// c")))
  end)

  it("an unclosed quote ends with its line", function()
    assert.equal("B0 C1 K1", sums("C", lines("#error don't", "/* c */")))
  end)
end)

describe("census.languages, C++:", function()
  it("raw strings", function()
    local text = lines('s = R"x(', "// \")", "", ')x" ; // c', "// d")
    assert.equal("B1 C1 K3", sums("C++", text))
    assert.equal("B0 C1 K2", sums("C++", lines('s = u8R"(/*)"', "t = LR\"(\\)\";", "// c")))
  end)

  it("quotes between digits", function()
    assert.equal("B0 C1 K2", sums("C++", lines("n = 1'000'000;", "c = u8'\"' + L'\"';", "/* c */")))
    assert.equal("B0 C1 K1", sums("C++", lines("n = 0xFF'8; /* one", "two */")))
  end)
end)

describe("census.languages, Lua:", function()
  it("long brackets close at their own level", function()
    assert.equal("B1 C4 K1", sums("Lua", lines("--[==[ a", "]] ]=]", "", "b", "]==]", "x = 1")))
    assert.equal("B1 C1 K4", sums("Lua", lines("s = [=[", "-- ]]", "", "b", "]=]", "-- c")))
  end)

  it("code before and after a long comment", function()
    assert.equal("B0 C1 K2", sums("Lua", lines("x = 1 --[[ a", "b", "]] y = 2")))
    assert.equal("B0 C1 K2", sums("Lua", lines("--[[ a", "]] x = 1", "y = 2")))
    assert.equal("B0 C1 K1", sums("Lua", lines("--[ no bracket", "x = a[b[1]]")))
  end)

  it("strings", function()
    assert.equal("B0 C1 K3", sums("Lua", lines("s = '--[[' .. \"'\"", "t = 'a\\", "-- b'", "-- c")))
  end)

  it("the #! line is code", function()
    assert.equal("B0 C1 K1", sums("Lua", lines("#!/usr/bin/lua it's", "-- c")))
  end)
end)

describe("census.languages, Python:", function()
  it("docstrings are comments", function()
    assert.equal("B2 C4 K2", sums("Python", lines(
      '"""Module.', "", 'Text."""', "def f():", "", "    r'''One.", "    '''", "    return 1")))
  end)

  it("other strings are code", function()
    assert.equal("B1 C1 K8", sums("Python", lines("x = '''", "# no", "", "'''", "# yes", "if x:",
      "    '''not a docstring'''", "def f():", "    f'''nor this'''", "    return")))
    assert.equal("B0 C0 K3", sums("Python", lines("class A:", "    x = 1", "    '''attribute'''")))
  end)

  it("a statement that only begins with a string is code", function()
    assert.equal("B0 C0 K3", sums("Python", lines("def f():", "    '''x", "y'''.strip()")))
    assert.equal("B0 C0 K2", sums("Python", lines("'''x", "y'''.strip()")))
    assert.equal("B0 C0 K2", sums("Python", lines("def g():", "    'x' % 1")))
    assert.equal("B0 C0 K4", sums("Python", lines("def f():", "    b'''x'''", "def g():", "    '', 1")))
  end)

  it("headers over several lines, with comments and strings", function()
    assert.equal("B0 C4 K5", sums("Python", lines("def f(a, # x", "    # only a comment",
      "    b=':', c={1: '('}", "    ) -> 'x':", "    # before", "    '''doc", "    string'''",
      "    pass", "x = 1")))
    assert.equal("B0 C1 K2", sums("Python", lines("async def f(): # c", "    'doc'", "    pass")))
    assert.equal("B0 C1 K2", sums("Python", lines("class A(B[':']): 'doc'", "# c", "x = 1")))
    assert.equal("B0 C1 K1", sums("Python", lines("def f(): '''a", "b'''")))
  end)

  it("joined and continued docstrings, and code after one", function()
    assert.equal("B0 C2 K1", sums("Python", lines("def f():", "    'a' \\", "    'b'")))
    assert.equal("B0 C0 K2", sums("Python", lines("def f():", "    'a'; x = 1")))
    assert.equal("B0 C0 K1", sums("Python", lines("class A: 'a'; x = 1")))
  end)

  it("quotes in quotes, and the #! line is a comment as tokenize has it", function()
    assert.equal("B0 C2 K3", sums("Python", lines("#!/usr/bin/python3", "x = '\\'#'", 'y = "\'\'\'"',
      "z = \"\"\"a\\\"\"\"\" '#'", "# c")))
  end)
end)

describe("census.languages, shell:", function()
  local function sh(...)
    return sums("Bourne Shell", lines(...))
  end

  it("a # within a word begins nothing", function()
    assert.equal("B0 C1 K4", sh("#!/bin/sh", "echo $# a#b'#'", "# '", "x=${y#b}", "echo ';#'"))
  end)

  it("quotes go over lines", function()
    assert.equal("B1 C1 K6", sh("awk '", "# of awk", "", "' x", 'echo "', "# \\\" '", '"', "# c"))
  end)

  it("here-documents end at their word alone", function()
    assert.equal("B1 C1 K5", sh("cat <<EOF # it's", "# text", "", " EOF", "don't", "EOF", "# c"))
    assert.equal("B0 C1 K4", sh("cat <<-'E F' | x", "\t# it's", "\tE F", "x", "# c"))
    assert.equal("B0 C1 K6", sh("a <<A b <<\\B", "'", "A", '"', "B", "c", "# c"))
  end)

  it("what looks like a here-document", function()
    assert.equal("B0 C1 K3", sh("x=$((1 << y))", "((x = a << b))", "cat <<< EOF", "# c"))
  end)

  it("quotes nest in command substitution", function()
    assert.equal("B0 C1 K1", sh("x=\"$(sed \"s/'/#/\" \"$y\") # no\"", "# c"))
    assert.equal("B0 C2 K4", sh('z="$(', "# c", "a)", '# no"', "b", "# c"))
    assert.equal("B0 C1 K2", sh("x=$(a $(b ')' \")\") \\)", "c) # ')", "# c"))
  end)

  it("quotes in parameters", function()
    assert.equal("B0 C1 K3", sh("x=${y//'\"'/}", "z=\"${a:-don't}\"", "b=$'\\''", "# c"))
  end)
end)

describe("census.languages, CMake and make:", function()
  it("bracket comments and arguments, at their level", function()
    assert.equal("B1 C4 K1", sums("CMake", lines("#[==[ a", "]]", "", "# b", "]==]", "set(x 1)")))
    assert.equal("B1 C1 K4", sums("CMake", lines("set(x [=[", "# a ]]", "", "]=] [[#]]", ")", "# c")))
    assert.equal("B0 C1 K1", sums("CMake", lines("foo(#[[ a ]] b", "# c")))
    assert.equal("B0 C1 K2", sums("CMake", lines("foo(#[=[ a", "b", "]=] c)")))
  end)

  it("strings go over lines, and a backslash escapes outside them", function()
    assert.equal("B0 C1 K4", sums("CMake", lines('set(x "a', '# \\" b")', "y(\\\" \\#)", "z()", "# c")))
  end)

  it("make's comments go on after a backslash", function()
    assert.equal("B0 C3 K2", sums("make", lines("# a \\", "b", "x:", "\t# c \\", "\techo $$# \\")))
  end)
end)

describe("census.languages, others:", function()
  it("comments that nest", function()
    assert.equal("B0 C3 K1", sums("Rust", lines("/* a /* b */", "/* c */ /", "*/", "let x: &'a str;")))
    assert.equal("B0 C0 K3", sums("Rust", lines("/* a */ x /* b", "/* */ */ y", "z")))
  end)

  it("raw strings and lifetimes", function()
    assert.equal("B0 C1 K2", sums("Rust", lines('r#"a"', '/* "#;', "// c")))
    assert.equal("B0 C1 K2", sums("Rust", lines("let c: char = '\"';", "f::<'a>('\\'')", "// c")))
    assert.equal("B0 C1 K3", sums("Go", lines("s := `a", "// \\`", "x", "// c")))
  end)

  it("a language that a script adds", function()
    languages.Ada = { extensions = "adb ads", comments = { forms.line("--") },
      strings = { forms.quoted('"', { escape = "" }) } }
    finally(function() languages.Ada = nil end)
    assert.equal("B0 C1 K1", sums("Ada", lines("X := \"--\\\";", "-- c")))
    assert.equal("Ada", classify.name("x.adb"))
  end)
end)

describe("census.classify", function()
  it("goes by the name, the longest extension first", function()
    assert.equal("C", classify.name("/a.b/x.c"))
    assert.equal("CMake", classify.name("x.cmake.in"))
    assert.equal("CMake", classify.name("CMakeLists.txt"))
    assert.equal("make", classify.name("GNUmakefile"))
    assert.equal("C/C++ Header", classify.name("a.b.c.h"))
    assert.is_false((classify.name("x.h.in")))
    assert.is_false((classify.name("x.c~")))
    assert.is_false((classify.name("README")))
    assert.is_nil((classify.name("x.unheard-of")))
    assert.is_nil((classify.name("configure")))
  end)

  it("then by the #! line", function()
    local function of(head)
      return (classify.file("x", head))
    end
    assert.equal("Bourne Shell", of("#!/bin/sh\n"))
    assert.equal("Bourne Again Shell", of("#! /usr/bin/env bash -e\n"))
    assert.equal("Python", of("#!/usr/bin/python3.11"))
    assert.equal("Lua", of("#!/usr/bin/env -S A=1 lua5.4 -W\n"))
    assert.is_nil(of("#!/usr/bin/perl\n"))
    assert.is_nil(of("#!"))
    assert.is_nil(of("#!/usr/bin/env\n"))
  end)

  it("says why not", function()
    assert.same({ nil, "binary", false }, { classify.file("x.c", "a\0b") })
    assert.same({ nil, "empty", true }, { classify.file("x.c", "") })
    assert.same({ nil, "no language that is known", true }, { classify.file("x", "a") })
    assert.is_false(classify.enters(".git"))
    assert.is_true(classify.enters(".github"))
  end)
end)

describe("census results", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function()
    os.execute("rm -r " .. folder)
  end)

  local function write(name, text)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return path
  end

  it("sums by language, and names what it passes over", function()
    local result = counter.count_batch({
      write("a.c", "int a;\n// c\n"), write("b.c", ("int b;\n"):rep(5000)), write("c.c", ""),
      write("d.c", "\0"), write("e.txt", "x"), write("f", "#!/bin/sh\n"), folder .. "/none.c", folder,
    })
    assert.same({
      C = { files = 2, blank = 0, comment = 1, code = 5001 },
      ["Bourne Shell"] = { files = 1, blank = 0, comment = 0, code = 1 },
    }, result.languages)
    assert.same({ empty = 1, ["no source file by its name"] = 1 }, result.passed)
    assert.same({
      { path = folder .. "/d.c", reason = "binary" },
      { path = folder .. "/none.c", reason = "No such file or directory" },
      { path = folder, reason = "Is a directory" },
    }, result.skipped)
  end)

  it("merge as if they had been counted at once", function()
    local a, b = write("a.c", "int a;\n\n"), write("b.lua", "-- b\n")
    local whole = counter.count_batch({ a, b, "/none/x.c", a })
    local parts = counter.empty()
    for _, batch in ipairs({ { a, b }, { "/none/x.c" }, {}, { a } }) do
      assert.equal(parts, counter.merge(parts, counter.count_batch(batch)))
    end
    assert.same(whole, parts)
  end)

  it("make a table", function()
    local result = counter.empty()
    result.languages.C = { files = 1, blank = 2, comment = 30, code = 1234567 }
    result.languages.Lua = { files = 10, blank = 0, comment = 123, code = 1234568 }
    assert.equal(lines(
      "Language  files  blank  comment       code",
      "------------------------------------------",
      "Lua          10      0      123  1,234,568",
      "C             1      2       30  1,234,567",
      "------------------------------------------",
      "Sum          11      2      153  2,469,135"), report.table(result))
  end)

  it("make JSON, whatever is in a path", function()
    local result = counter.empty()
    result.languages.C = { files = 1, blank = 2, comment = 3, code = 4 }
    result.skipped = { { path = "b\xFF\"\n\1", reason = "binary" }, { path = "a", reason = "x" } }
    result.passed.empty = 5
    assert.equal('{"languages":{"C":{"files":1,"blank":2,"comment":3,"code":4}},'
      .. '"sum":{"files":1,"blank":2,"comment":3,"code":4},'
      .. '"skipped":[{"path":"a","reason":"x"},{"path":"b\u{FFFD}\\"\\n\\u0001","reason":"binary"}],'
      .. '"passed":{"empty":5}}\n', report.json(result))
    assert.equal("passed over a: x\npassed over b\xFF\"\\n\\x01: binary\n", report.skipped(result))
  end)

  it("need no global that is not Lua's own", function()
    local before = {}
    for name in pairs(_G) do
      before[name] = true
    end
    for name in pairs(package.loaded) do
      if name:find("^census%.") then
        package.loaded[name] = nil
      end
    end
    local strict = setmetatable({}, { __index = function(_, name)
      return before[name] and _G[name] or error("global " .. name .. " is not set", 2)
    end, __newindex = function(_, name) error("sets global " .. name, 2) end })
    for _, name in ipairs({ "forms", "python", "shell", "languages", "classify", "counter", "report" }) do
      local path = assert(package.searchpath("census." .. name, package.path))
      assert(loadfile(path, "t", strict))("census." .. name)
    end
  end)
end)
