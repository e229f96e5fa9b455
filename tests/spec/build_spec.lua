-- SPDX-License-Identifier: MIT
-- scripts/build.lua on a generated project of 50 files: what is compiled again and what is not, what a
-- failure and an interruption leave.
local describe, it, assert = describe, it, assert
local before_each, after_each, setup, teardown = before_each, after_each, setup, teardown
local build = require("tests.spec.support.build")
local c_project = require("tests.support.c_project")
local shell = require("tests.support.shell")
package.path = "scripts/?.lua;" .. package.path
local files = require("build.files")
local records = require("build.records")
local _ENV = _G -- luacheck: ignore

local PROGRAM = os.getenv("TUTTI_PROGRAM")
local OPTIONS = { sources = 50, headers = 12, lines = 1, flags = "-O0 -Iinclude -Wall",
  cc = "./compiler" }
-- The compiler of the project: does as `armed` says, if that is there. The last word is the object.
local COMPILER = '#!/bin/sh\nfor object; do :; done\n[ ! -e armed ] || . ./armed\nexec cc "$@"\n'

local ANSWER = [[
#include <stdio.h>
#include <tutti.h>

int main(void)
{
    tutti_engine *engine;
    printf("%d\n", tutti_engine_new(&engine, NULL));
    return tutti_engine_free(engine);
}
]]

local quote, write = shell.quote, c_project.write

describe("build", function()
  local base, dir, sum

  -- Run the script in `dir` with more words: what it printed, what it said on stderr, its status. With -v it
  -- prints each command.
  local function run(words)
    local line = ("cd %s && env LC_ALL=C timeout 100 %s run %s -v %s . 2>stderr"):format(quote(dir),
      quote(PROGRAM),
      quote(os.getenv("TUTTI_ROOT") .. "/scripts/build.lua"), words or "")
    local out, status = shell.capture(line)
    return out, shell.read(dir .. "/stderr"), status
  end

  -- The sources that a run compiled, sorted, as one text.
  local function compiled(out)
    local list = {}
    for source in out:gmatch(" %-c (%S+) ") do
      list[#list + 1] = source
    end
    table.sort(list)
    return table.concat(list, " ")
  end

  local function is_linked(out)
    return out:find("-o program.new", 1, true) ~= nil
  end

  local function nothing_to_do()
    local out, err, status = run()
    assert.equal("build: program is up to date (50 objects)\n", out)
    assert.equal(0, status, err)
    return err
  end

  local function runs()
    assert.equal(("%d\n"):format(sum), (shell.capture(quote(dir .. "/program"))))
  end

  -- Write to a file so that its time differs, whatever the grain of the clock.
  local function touch(path)
    assert(os.execute(("touch -d '2 seconds' %s/%s"):format(quote(dir), path)))
  end

  setup(function()
    base = shell.line("mktemp -d")
    dir = base
    sum = c_project.make(base, OPTIONS)
    write(base .. "/compiler", COMPILER)
    assert(os.execute("chmod +x " .. quote(base .. "/compiler")))
    local out, err, status = run()
    assert.equal(0, status, err)
    assert.equal(50, select(2, compiled(out):gsub("%S+", "")))
    assert.is_true(is_linked(out))
    assert.equal("build: program: 50 of 50 objects compiled, linked", out:match("[^\n]*\n$"):sub(1, -2))
  end)

  teardown(function()
    os.execute("rm -rf " .. quote(base))
  end)

  before_each(function()
    dir = shell.line("mktemp -d")
    assert(os.execute(("cp -a %s/. %s"):format(quote(base), quote(dir))))
  end)

  after_each(function()
    os.execute("rm -rf " .. quote(dir))
  end)

  it("makes a program that works, and then has nothing to do, wherever the project has moved to", function()
    runs()
    assert.equal("", nothing_to_do())
    local out, _, status = shell.capture(("cd / && %s run %s %s"):format(quote(PROGRAM),
      quote(os.getenv("TUTTI_ROOT") .. "/scripts/build.lua"), quote(dir)))
    assert.equal("build: program is up to date (50 objects)\n", out, status)
  end)

  it("compiles again exactly what includes a header that has changed", function()
    touch("include/part5.h")
    local users = {}
    for i = 1, 49 do
      local first, second = table.unpack(c_project.headers_of(i, OPTIONS))
      users[#users + 1] = (first == 5 or second == 5) and ("src/part_%d.c"):format(i) or nil
    end
    table.sort(users)
    local out = run()
    assert.equal(table.concat(users, " "), compiled(out))
    assert.is_true(#users > 2 and #users < 20 and is_linked(out))
    nothing_to_do()
  end)

  it("compiles again what was changed to an older file, what is gone, and what somebody has written to",
    function()
    assert(os.execute(("cd %s && touch -d 2001-01-01 src/part_3.c && rm .build/obj/src/part_4.c.o && "
      .. "echo >> .build/obj/src/part_5.c.o"):format(quote(dir))))
    assert.equal("src/part_3.c src/part_4.c src/part_5.c", compiled(run()))
    nothing_to_do()
    os.remove(dir .. "/program")
    local out = run()
    assert.equal("", compiled(out))
    assert.is_true(is_linked(out))
    runs()
  end)

  it("compiles all again with another flag, and links again with another library", function()
    local out = run("-DOTHER")
    assert.equal(50, select(2, compiled(out):gsub("%S+", "")))
    out = run("-DOTHER -lm")
    assert.equal("", compiled(out))
    assert.matches(" %-lm\n", out)
  end)

  it("takes new sources in and drops what is gone, objects too", function()
    write(dir .. "/src/more.c", "int more(void);\nint more(void) { return 1; }\n")
    local out = run()
    assert.equal("src/more.c", compiled(out))
    assert.is_true(is_linked(out))
    os.remove(dir .. "/src/more.c")
    out = run()
    assert.equal("", compiled(out))
    assert.is_true(is_linked(out))
    assert.is_nil(out:find("more", 1, true))
    assert.is_nil(io.open(dir .. "/.build/obj/src/more.c.o"))
    nothing_to_do()
  end)

  it("shows a compiler's errors whole, ends with 1 and keeps the old program, until it is mended", function()
    local path = dir .. "/src/part_9.c"
    local text = shell.read(path)
    local wrong = { text, "int wrong(void) { return nowhere; }" }
    for i = 1, 30 do
      wrong[#wrong + 1] = ("int x%d = y%d;"):format(i, i)
    end
    write(path, table.concat(wrong, "\n"))
    local out, err, status = run("-k")
    assert.equal(1, status)
    assert.equal("", compiled(out):gsub("src/part_9.c", ""))
    assert.is_false(is_linked(out))
    assert.equal("build: failed: src/part_9.c; 0 of 50 objects compiled, 1 left\n", out:match("[^\n]*\n$"))
    assert.matches("'nowhere' undeclared", err)
    assert.is_true(select(2, err:gsub("'y%d+' undeclared", "")) == 30)
    runs()
    write(path, text)
    assert.equal("src/part_9.c", compiled(run()))
    runs()
    nothing_to_do()
  end)

  it("shows the warnings of what was not compiled again as well", function()
    write(dir .. "/src/part_8.c",
      "int value_8(void);\nint value_8(void)\n{\n    int idle = 1;\n    return 8;\n}\n")
    local _, err = run()
    assert.matches("src/part_8.c:4:%d+: warning: unused variable 'idle'", err)
    assert.matches("^build: warnings of what was not compiled again:\nsrc/part_8.c:", nothing_to_do())
  end)

  -- From now on the compiler first does as `text` says when it is to compile part_7.c.
  local function arm(text)
    write(dir .. "/armed", ('if [ "${object##*/}" = part_7.c.o ]; then\n%s\nfi\n'):format(text))
    -- The longest text is compiled first.
    for i, length in pairs({ [6] = 300, [7] = 200, [8] = 100 }) do
      local path = ("%s/src/part_%d.c"):format(dir, i)
      write(path, ("%s/* %s */\n"):format(shell.read(path), ("-"):rep(length)))
    end
  end

  it("does not take half an object for a whole one when it was killed, and keeps what was finished",
    function()
    arm("echo half >$object; kill -9 $PPID; exit 0")
    local _, _, status = run("-j 1")
    assert.equal(137, status)
    os.remove(dir .. "/armed")
    assert.equal("src/part_7.c src/part_8.c", compiled(run()))
    runs()
    nothing_to_do()
  end)

  it("goes on where Ctrl-C stopped it", function()
    arm("kill -INT $PPID; exec sleep 1000")
    local _, _, status = run("-j 1")
    assert.equal(130, status)
    os.remove(dir .. "/armed")
    assert.equal("src/part_7.c src/part_8.c", compiled(run()))
    runs()
    nothing_to_do()
  end)

  it("compiles again what was compiled while one of its headers changed", function()
    local header = ("%s/include/part%d.h"):format(dir, c_project.headers_of(7, OPTIONS)[1])
    write(dir .. "/include/late.h", "")
    write(header, shell.read(header) .. '#include "late.h"\n')
    touch("include/late.h")
    arm("touch -d '3 seconds' include/late.h")
    assert.equal(0, select(3, run()))
    os.remove(dir .. "/armed")
    assert.matches("src/part_7.c", compiled(run()))
    nothing_to_do()
  end)

  it("compiles a source whose name looks like an option", function()
    write(dir .. "/-odd one.c", "int main(void) { return 0; }\n")
    local out, err, status = run("--sources '*.c'")
    assert.same({ 0, "" }, { status, err:match("FAILED[^\n]*") or "" }, err)
    assert.matches("-c './-odd one.c' -o", out, 1, true)
  end)

  it("says what is wrong with its words, status 2", function()
    for words, message in pairs({
      ["--frob"] = "there is no option %-%-frob",
      ["-j none"] = "%-j wants a number of compilers, not \"none\"",
      ["-o"] = "there is no folder",
      ["--cc no-such-compiler"] = "there is no compiler \"no%-such%-compiler\": install one",
      ["--sources '*.none'"] = "nothing in \".\" matches %*.none",
      ["--file /no/such"] = "cannot read \"/no/such\"",
      ["other"] = "one folder is built at a time: \"other\" or \".\"?",
    }) do
      if words == "-o" then
        words = "/no/such/folder --exclude"
      end
      local _, err, status = run(words)
      assert.equal(2, status, err)
      assert.matches("^build: " .. message, err)
    end
  end)

  if build.is_release then
    it("makes a library of the C half of this very project", function()
      local root = os.getenv("TUTTI_ROOT")
      local out, status = shell.capture(("%s run %s/scripts/build.lua --file %s/scripts/build/engine.lua -O0 "
        .. "-o %s/libtutti.a --build-dir %s/objects %s"):format(quote(PROGRAM), root, root, dir, dir, root))
      assert.equal(0, status)
      assert.matches("objects compiled, linked\n$", out)
      write(dir .. "/answer.c", ANSWER)
      assert(os.execute(("cd %s && cc -I%s/engine/include -o answer answer.c libtutti.a -luv -pthread")
        :format(dir, root)))
      assert.equal("0\n", (shell.capture(dir .. "/answer")))
    end)
  end
end)

describe("what build reads and writes", function()
  it("reads depfiles", function()
    assert.same({ "a b.c", "#.h", "c$d.h", "e.h" },
      files.parse_depfile("made: a\\ b.c \\\n \\#.h c$$d.h \\\r\n  e.h\n"))
    assert.same({}, files.parse_depfile("made:\n"))
  end)

  it("reads the records that it writes, and passes over a line that was cut off", function()
    local known = {
      ["a b"] = { stamp = "1:2", command = "cc 'x\ty' 100%", warnings = "one\ntwo=3\n", inputs = { "p=q",
        "r" },
        seen = { ["p=q"] = "5:6", r = "7:8" } },
      c = { stamp = "3:4", command = "ld", warnings = "", inputs = {}, seen = {} },
    }
    local text = records.text(known)
    assert.same(known, records.parse(text))
    for at = 1, #text - 1 do
      local part = records.parse(text:sub(1, at))
      for path, record in pairs(part) do
        assert.same(known[path], record)
      end
      assert.is_nil(part.c)
    end
    assert.same({}, records.parse("tutti build 2\n" .. text))
  end)
end)
