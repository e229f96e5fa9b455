-- SPDX-License-Identifier: MIT
-- `tutti repl` without a terminal: chunks of standard input or of FILE, and how that ends.
local describe, it, pending, assert = describe, it, pending, assert
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")
local _ENV = _G -- luacheck: ignore

local quote = program.quote
local tutti = quote(program.path)

-- Give `text` to the batch on a pipe.
local function piped(text, options)
  local file <close> = program.file(text)
  return program.shell(("cat %s | timeout 60 %s repl %s"):format(file.path, tutti, options or ""))
end

-- The same from a file that is FILE, a script's words behind it.
local function from_file(text, ...)
  local file <close> = program.file(text)
  local code, out, err = program.run(program.path, "repl", file.path, ...)
  return code, out, (err:gsub(file.path:gsub("%p", "%%%0"), "FILE"))
end

describe("the batch", function()
  it("runs the chunks of standard input, and prints the values of expressions", function()
    local code, out, err = piped("print(1)\n1 + 1\nlocal x = 20\nx + 1, x\n\n-- nothing\nx = x\n")
    assert.same({ 0, "1\n2\n21\t20\n", "" }, { code, out:gsub("21%s+20", "21\t20"), err })
  end)

  it("takes as many lines as make one chunk, and a last one without a newline", function()
    local code, out, err = piped("for i = 1, 2 do\n  print(i)\nend\nlocal function f()\n\n"
      .. "  return [[\nend\n]]\nend\nprint((f():gsub('\\n', '.')))\n1 +\n2")
    assert.same({ 0, "1\n2\nend.\n3\n", "" }, { code, out, err })
  end)

  it("runs FILE, with its words in arg", function()
    local code, out, err = from_file("#!/usr/bin/env -S tutti repl\nprint(arg[1], #arg)\narg[2]\n",
      "a", "-b")
    assert.same({ 0, "a\t2\n-b\n", "" }, { code, out:gsub('"', ""), err })
  end)

  it("leaves out the mark of UTF-8, as Lua does", function()
    assert.same({ 0, "1\n", "" }, { piped("\xEF\xBB\xBF1") })
    assert.same({ 0, "3\n", "" }, { from_file("\xEF\xBB\xBF#!/usr/bin/env -S tutti repl\n"
      .. "debug.getinfo(1).currentline + 1\n") })
    local file <close> = program.file("\xEF\xBB\xBFprint(7)")
    assert.same({ 0, "7\n", "" }, { piped(":load " .. file.path .. "\n") })
  end)

  it("finds modules in FILE's folder", function()
    local folder = program.folder({ ["m.lua"] = "return 7\n",
      ["a.lua"] = "local m = require('m')\nm\n" })
    local code, out, err = program.run(program.path, "repl", folder .. "/a.lua")
    program.remove(folder)
    assert.same({ 0, "7\n", "" }, { code, out, err })
  end)

  it("does not name the root, which nobody has started, as what a detached task holds up", function()
    local code, out, err = piped("gate = tutti.event()\n"
      .. "t = tutti.spawn({ detach = true, name = 'own' }, gate.wait, gate)\n"
      .. "tutti.sleep(0)\n:why t\ngate:set()\n")
    assert.matches('^task %d+ "own" suspended', out)
    assert.matches("\n  waits for event:wait\n  holds up nobody\n$", out)
    assert.same({ 0, "" }, { code, err })
  end)

  it("awaits at the top, and what goes on in the background at the end", function()
    local code, out, err = piped([[
      local t = tutti.spawn(function() tutti.sleep("50ms") return "late" end)
      tutti.spawn(function() t:pawait() tutti.sleep("50ms") print("last") end); print("first")
      t:await()
    ]])
    assert.same({ 0, "first\n", "" }, { code, out:match("^[^\n]*\n"), err })
    assert.matches("late.*last\n$", out)
  end)

  it("goes on with tasks while a slow pipe has nothing", function()
    local code, out = program.shell(([[
      d=$(mktemp -d); mkfifo $d/p; %s repl <$d/p >$d/o & exec 3>$d/p
      echo 'local tutti = require "tutti"' >&3
      echo 'tutti.spawn(function() tutti.sleep(0.01) print("meanwhile") end); print("begun")' >&3
      i=0; until grep -q meanwhile $d/o || [ $i = 3000 ]; do sleep 0.01; i=$((i+1)); done
      cat $d/o; echo 'print("then")' >&3; exec 3>&-; wait
      tail -n 1 $d/o; rm -r $d]]):format(tutti))
    assert.same({ 0, "begun\nmeanwhile\nthen\n" }, { code, out })
  end)

  it("leaves its pipe as it is, and what it has not asked for, to programs", function()
    local code, out = program.shell(([[
      d=$(mktemp -d); mkfifo $d/p; timeout 60 %s repl <$d/p >$d/o & exec 3>$d/p
      echo 'print(1) os.execute("head -n 1") tutti.exec{ "head", "-n", "1", stdin = { inherit = true }, '\
        'stdout = "inherit" }:await()' >&3
      i=0; until grep -q 1 $d/o || [ $i = 3000 ]; do sleep 0.01; i=$((i+1)); done
      echo two >&3; i=0; until grep -q two $d/o || [ $i = 3000 ]; do sleep 0.01; i=$((i+1)); done
      echo three >&3; i=0; until grep -q three $d/o || [ $i = 3000 ]; do sleep 0.01; i=$((i+1)); done
      echo 'print(4)' >&3; exec 3>&-; wait; cat $d/o; rm -r $d]]):format(tutti))
    assert.same({ 0, "1\ntwo\nthree\n4\n" }, { code, (out:gsub("{[^}]*}\n", "")) })
  end)
end)

describe("the status of the batch", function()
  local function check(wanted, text, pattern)
    local code, out, err = from_file(text)
    assert.same({ wanted, "" }, { code, out })
    assert.matches(pattern, err)
    code = piped(text)
    assert.equal(wanted, code)
  end

  it("is that of a script after an error, with its line; what comes later does not run", function()
    local failing = "\n\nlocal function f()\n  error('oh no')\nend\nf()\nprint('never')\n"
    check(1, "local x = tutti.spawn(function() end)" .. failing, "FILE:4: oh no")
    check(3, "local x = 1" .. failing, "FILE:4: oh no")
  end)

  it("is 3 after a syntax error, or misuse", function()
    check(3, "local x = 1\nx = = 2\nprint('never')\n", "FILE:2: unexpected symbol near '='")
    check(3, "require('tutti').sleep({})\n", "sleep")
    check(3, "local g = tutti.graph('g'):task('a', { needs = { 'b' } }, print)\ng:plan()\n", '"b"')
  end)

  it("is 3 when the input ends in the middle of a chunk", function()
    check(3, "local x = 1\nif x then\n",
      "FILE:3: 'end' expected .*near <eof>: the input ends in the middle")
  end)

  it("is 1 when a background task failed, that is told once", function()
    local code, out, err = from_file(
      "tutti.spawn({ name = 'bad' }, function() tutti.sleep('20ms') error('oh no', 0) end); print('on')")
    assert.same({ 1, "on\n" }, { code, out })
    local _, count = err:gsub("oh no", "")
    assert.equal(1, count)
    code, out = from_file("(function() tutti.sleep('20ms') error('no') end)() &\n")
    assert.same({ 1, "" }, { code, out })
  end)

  it("is that of os.exit", function()
    local code, out = from_file("os.exit(7)\nprint('never')\n")
    assert.same({ 7, "" }, { code, out })
    code = piped("tutti.spawn(function() tutti.sleep(0.01) os.exit(8) end)\ntutti.sleep(60)\n")
    assert.equal(8, code)
  end)

  it("is 2 when FILE is missing or standard input cannot be read", function()
    local code, _, err = program.run(program.path, "repl", "/no/such.lua")
    assert.equal(2, code)
    assert.equal('tutti: cannot run "/no/such.lua": No such file or directory\n', err)
    code, _, err = program.shell(tutti .. " repl </tmp")
    assert.equal(2, code)
    assert.matches("tutti: repl: reading standard input: .*EISDIR", err)
  end)

  it("is that of a signal", function()
    local code, out = program.shell(([[
      d=$(mktemp -d); mkfifo $d/p; %s repl <$d/p >$d/o 2>/dev/null & pid=$!
      exec 3>$d/p; echo 'print(1)' >&3
      i=0; until grep -q 1 $d/o || [ $i = 3000 ]; do sleep 0.01; i=$((i+1)); done
      kill -TERM $pid; wait $pid; echo $?; cat $d/o; rm -r $d]]):format(tutti))
    assert.same({ 0, "143\n1\n" }, { code, out })
  end)

  it("is good for nothing at all", function()
    assert.same({ 0, "", "" }, { piped("") })
    assert.same({ 0, "", "" }, { program.run(program.path, "repl", "/dev/null") })
  end)
end)

describe("a line that runs and runs in the background", function()
  -- The hook of TUTTI_PREEMPT=hook is in pool tasks only.
  local test = os.getenv("TUTTI_PREEMPT") == "hook" and pending or it

  test("gives the turn to timers and other lines, and can be cancelled", function()
    local code, out, err = piped("while true do end &\ntutti.sleep(0.01)\nlocal t = 6\nt * 7\n:cancel 1\n")
    assert.same({ 0, "42\n" }, { code, out }, err)
    assert.matches("^%[1%] running\n.*\n%[1%] cancelled", err)
  end)
end)

describe(":tasks in a batch", function()
  it("shows all lines that go on, not the batch's own tasks", function()
    local wait = "tutti.spawn(function() tutti.sleep(60) end)\n"
    local code, out, err = piped(("x = %sy = %s:tasks\n:cancel x\n:cancel y\n"):format(wait, wait))
    local numbers = {}
    for number in out:gmatch("%f[^\n\0]%[(%d+)%]") do
      numbers[#numbers + 1] = number
    end
    assert.same({ 0, "1 2", nil }, { code, table.concat(numbers, " "), out:match("prompt") }, err)
  end)
end)

describe("a big batch", function()
  it("has lines by the thousand", function()
    local list, many = {}, build.times(3000)
    for i = 1, many do
      list[i] = ("local v%d = %d"):format(i % 50, i)
    end
    list[#list + 1] = "v1 + v2\n"
    local code, out, err = piped(table.concat(list, "\n"))
    assert.same({ 0, 2 * many - 97 .. "\n", "" }, { code, out, err })
  end)

  it("has a table over a thousand lines", function()
    local code, out, err = piped("local t = {\n" .. ("  { 'x' },\n"):rep(1000) .. "}\n#t\n")
    assert.same({ 0, "1000\n", "" }, { code, out, err })
  end)
end)
