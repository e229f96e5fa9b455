-- SPDX-License-Identifier: MIT
-- The evaluator of the prompt: what a text is, what is shown of it, and large and odd texts.
local describe, it, assert = describe, it, assert -- busted's; lines have the globals proper
local _ENV = _G -- luacheck: ignore
local build = require("tests.spec.support.build")
local prompts = require("tests.spec.support.prompts")
local tutti = require("tutti")

-- What one line comes to, and what is written of it.
local function evaluate(text, given)
  local prompt, written = prompts.new(given)
  local outcome = prompt:feed(text)
  prompt:close()
  return outcome, written
end

local function shown(text)
  local _, written = evaluate(text)
  return prompts.texts(written, "value"), prompts.texts(written, "error")
end

describe("a text", function()
  it("is complete or not, and nothing of it runs meanwhile", function()
    local prompt = prompts.new()
    local open = { "for i = 1, 3 do", "f(", "x =", "{1,", "1 +", "function f()", "local function g(a)",
      "x = [[ab", "--[==[ comment", "'a\\", "a.", "a:b", "if x then y() else", "repeat until", "= 1 +", "x(",
      "foo = function()",
      "repl_spec_ran = true; do", "function(a)", "x = a &\n" .. "(" }
    for _, text in ipairs(open) do
      assert.is_false(prompt:is_complete(text), text)
      assert.equal("incomplete", prompt:feed(text).kind, text)
    end
    local whole = { "", "  ", "-- comment", "x = 1", "1 +* 2", "x y", "'abc", "f())", "end", "return",
      ":load x", ": (", "= 1", "--[[ a ]]", "\0", "goto x", "for i = 1, 3 do end &", "break" }
    for _, text in ipairs(whole) do
      assert.is_true(prompt:is_complete(text), text)
    end
    prompt:close()
    assert.is_nil(_G.repl_spec_ran)
  end)

  it("that is an expression shows its values, as `= expression` and `return` do", function()
    assert.equal("3\n", shown("1 + 2"))
    assert.equal("3\n", shown("  = 1 + 2"))
    assert.equal("3\n", shown("=1 + 2;"))
    assert.equal("3\n", shown("1 + 2; -- so"))
    assert.equal("1\tnil\tnil\n", shown("1, nil, nil"))
    assert.equal("2\n", shown("local x = 1 return x + 1"))
    assert.equal("nil\n", shown("nil"))
    assert.equal("0\n", shown("select('#', ...)"))
  end)

  it("that is a call is one too, and shows nothing when nothing comes back", function()
    assert.equal("", shown("(function() end)()"))
    assert.equal("x\n", shown("('x')"))
    assert.equal("", shown("repl_spec_x = 1"))
    _G.repl_spec_x = nil
  end)

  it("of blanks or comments is nothing: it has no number", function()
    local other = prompts.new()
    assert.same({ kind = "values", n = 0 }, other:feed(" \t\r\n"))
    assert.same({ kind = "values", n = 0 }, other:feed("-- only this\n--[[ and that ]]"))
    assert.matches("^%(prompt 1%):1:", other:feed("error('x')").error.message)
    other:close()
  end)

  it("that is wrong says where and why, of an expression about the expression", function()
    local function message(text)
      local outcome, written = evaluate(text)
      assert.same({ "error", true }, { outcome.kind, outcome.is_syntax }, text)
      assert.equal(outcome.error.message .. "\n", prompts.texts(written, "error"))
      return outcome.error.message
    end
    assert.equal("(prompt 1):1: unexpected symbol near '*'", message("1 + * 2"))
    assert.equal("(prompt 1):1: syntax error near 'y'", message("x y"))
    assert.equal("(prompt 1):2: unfinished string near ''abc'", message("x = 1\ny = 'abc\nz = 1"))
    assert.equal("(prompt 1):3: syntax error near 'is'", message("x = 1\n\nthis is wrong\nfor i = 1, 2 do"))
    assert.equal("(prompt 1):1: <eof> expected near 'end'", message("x = 1 end"))
    assert.equal("(prompt 1):1: <eof> expected near '='", message("= x = 1"))
    assert.equal("(prompt 1):1: unexpected symbol", message("x = \0"))
    assert.equal("(prompt 1):1: break outside loop at line 1", message("break"))
    assert.matches("no visible label", message("goto nowhere"))
  end)

  it("has the prompt's name and its number in messages", function()
    local other, written = prompts.new({ name = "console" })
    other:feed("1")
    other:feed("error('x')")
    assert.matches("^%(console 2%):1: x\n", prompts.texts(written, "error"))
    other:close()
  end)
end)

describe("the last value", function()
  it("is in _, all of the last line in __; lines without values change neither", function()
    local prompt = prompts.new()
    prompts.feed(prompt, "4, 5", "x = 1")
    assert.equal(4, prompt:feed("_")[1])
    prompts.feed(prompt, "7, nil, 9")
    local outcome = prompt:feed("_, __.n, __[3]")
    assert.same({ 7, 3, 9 }, { outcome[1], outcome[2], outcome[3] })
    prompts.feed(prompt, "3", "local _, b = 1, 2", "for _, x in ipairs({ 1 }) do b = x end")
    assert.equal(3, prompt:feed("_")[1])
    assert.is_nil(_G._)
    prompt:close()
  end)

  it("belongs to its prompt", function()
    local one, other = prompts.new(), prompts.new()
    prompts.feed(one, "1")
    prompts.feed(other, "2")
    assert.equal(1, one:feed("_")[1])
    assert.equal(2, other:feed("_")[1])
    one:close()
    other:close()
  end)
end)

describe("an error", function()
  it("shows its message and the frames of the user, nothing of the evaluator's or of the engine's", function()
    local _, text = shown("local function inner() error('oops') end\ninner()\nreturn 1")
    assert.equal("(prompt 1):1: oops\nstack traceback:\n\t[C]: in function 'error'\n"
      .. "\t(prompt 1):1: in local 'inner'\n\t(prompt 1):2: in function <(prompt 1):1>\n", text)
  end)

  it("is placed in a line that is an expression, too", function()
    local _, text = shown("error('oops', 2)")
    assert.equal("(prompt 1):1: oops\nstack traceback:\n\t[C]: in function 'error'\n"
      .. "\t(prompt 1):1: in function <(prompt 1):1>\n", text)
    _, text = shown("(function() local x = nil; return x.y end)()")
    assert.matches("^%(prompt 1%):1: attempt to index a nil value %(local 'x'%)\n", text)
    assert.matches("\n\t%(prompt 1%):1: in function <%(prompt 1%):1>\n$", text)
  end)

  it("of an awaited task shows both tasks' lines", function()
    local prompt, written = prompts.new()
    prompts.feed(prompt, "1", "local t = tutti.spawn({ name = 'bad' }, function()\n"
      .. "tutti.checkpoint() error('no') end)")
    local outcome = prompt:feed("t:await()")
    assert.equal("error", outcome.kind)
    assert.matches("(prompt 2):2: no (task \"bad\")\nstack traceback:\n\t[C]: in function 'error'\n"
      .. "\t(prompt 2):2: in function <(prompt 2):1>\n\t(prompt 2):1: started task \"bad\"\nawaited by:\n"
      .. "\t(prompt 3):1: in function <(prompt 3):1>\n", prompts.texts(written, "error"), 1, true)
    assert.equal("bad", outcome.error.task)
    prompt:close()
  end)

  it("may be any value", function()
    for _, value in ipairs({ "nil", "{}", "{ code = 4 }", "false", "print",
      "setmetatable({}, { __tostring = function() error('again') end })" }) do
      local outcome, written = evaluate("error(" .. value .. ")")
      assert.same({ "error", false }, { outcome.kind, outcome.is_syntax })
      assert.is_true(#prompts.texts(written, "error") > 0)
    end
  end)
end)

describe("a prompt", function()
  it("takes a line of 4 KiB, a chunk of 200 lines, CRLF, NUL in strings, deep nesting", function()
    local prompt = prompts.new()
    assert.equal(4096, #prompt:feed("'" .. ("x"):rep(4096) .. "'")[1])
    local lines = {}
    for i = 1, 200 do
      lines[i] = ("local l%d = %d"):format(i % 150, i)
    end
    lines[200] = "return l1, l149"
    assert.same({ 151, 149 }, { table.unpack(prompt:feed(table.concat(lines, "\n"))) })
    local carriage = "local a = 1\r\nlocal b = 2\r\nlocal c = a + b\r\nreturn c, #[[\r\n\r\n\r\n]] + 1"
    assert.same({ 3, 3 }, { table.unpack(prompt:feed(carriage)) })
    assert.equal("a\0b", prompt:feed("'a\0b'")[1])
    assert.equal("a\nb", prompt:feed("'a\\\nb'")[1])
    assert.equal(1, prompt:feed(("("):rep(150) .. "1" .. (")"):rep(150))[1])
    assert.equal("error", prompt:feed(("("):rep(5000) .. "1" .. (")"):rep(5000)).kind)
    assert.equal("error", prompt:feed(("do "):rep(5000) .. ("end "):rep(5000)).kind)
    prompt:close()
  end)

  it("keeps nothing of lines that have ended", function()
    local prompt = prompts.new({ write = function() end })
    local function feed(count)
      for i = 1, count do
        prompt:feed(("local a, b = %d, { } return a"):format(i))
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count"), tutti.stats().live
    end
    local before, live = feed(build.times(1000))
    local after, live_after = feed(build.is_release and 10000 or build.times(2000))
    assert.is_true(after - before < 64, ("%.0f KiB more"):format(after - before))
    assert.equal(live, live_after)
    prompt:close()
  end)

  it("has a print of its own if it is given one", function()
    local printed = {}
    local one = prompts.new({ print = function(...) printed[#printed + 1] = table.concat({ ... }, " ") end })
    prompts.feed(one, "print('a', 1)", "function repl_spec_p() print('b') end", "repl_spec_p()")
    assert.same({ "a 1", "b" }, printed)
    local other = prompts.new()
    assert.equal(print, other:feed("print")[1])
    one:close()
    other:close()
    _G.repl_spec_p = nil
  end)

  it("has tutti, also for functions that go to the pool", function()
    assert.equal(3, (evaluate("tutti.parallel(function() tutti.checkpoint() return 3 end):await()"))[1])
    assert.is_nil(_G.tutti)
  end)

  it("refuses wrong options, and what is no text, at the caller's line", function()
    local repl = require("tutti.repl")
    local function message(f, ...)
      local ok, err = pcall(f, ...)
      assert.same({ false, "usage" }, { ok, err.kind })
      assert.matches("^%.?/?tests/spec/repl_eval_spec.lua:%d+: ", err.message)
      return err.message:match(": (.*)")
    end
    assert.equal("tutti.repl.new: a table { write = f, ... } was expected, got nil",
      message(function() return (repl.new()) end))
    assert.equal('tutti.repl.new: option "write" is missing: a function that takes what is to be seen',
      message(function() return (repl.new({})) end))
    assert.equal('tutti.repl.new: unknown option "writ" (did you mean "write"?)',
      message(function() return (repl.new({ writ = print })) end))
    assert.equal('tutti.repl.new: option "name" must be a string, got number',
      message(function() return (repl.new({ write = print, name = 1 })) end))
    local prompt = prompts.new()
    assert.equal("prompt:feed: a text was expected, got nil", message(function() return (prompt:feed()) end))
    assert.equal("prompt:is_complete: a text was expected, got table",
      message(function() return (prompt:is_complete({})) end))
    prompt:close()
    assert.equal("prompt:feed: the prompt is closed", message(function() return (prompt:feed("1")) end))
  end)
end)
