-- SPDX-License-Identifier: MIT
-- tutti.args: what a script declares, and what the command line gives it.
local tutti = require("tutti")
local session = require("tutti.session")
local program = require("tests.spec.support.program")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local after_each = after_each
local _ENV = _G -- luacheck: ignore

local DECLARED = {
  target = { "string", default = "all", choices = { "all", "docs" }, help = "what to build" },
  n = { "integer", default = 3 },
  ratio = { "number" },
  dry = { "boolean", default = false },
  wait = { "duration", default = "1m30s", help = "for the server" },
  cache = { "size", default = 4096 },
}

local function usage(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("usage", err.kind)
  assert.matches(pattern, err.message)
  assert.matches("^tests/spec/args_spec.lua:%d+: ", err.message)
end

-- The values of DECLARED when the command line gives `...`.
local function given(...)
  session.args = { ... }
  local values = tutti.args(DECLARED)
  return values
end

describe("tutti.args", function()
  after_each(function()
    session.args, session.help = {}, false
  end)

  it("gives the defaults where nothing is given", function()
    assert.same({ target = "all", n = 3, dry = false, wait = 90, cache = 4096 }, given())
  end)

  it("reads each type", function()
    local values = given("target=docs", "n=-12", "ratio=0.5", "dry=yes", "wait=250ms", "cache=64KiB")
    assert.same({ target = "docs", n = -12, ratio = 0.5, dry = true, wait = 0.25, cache = 65536 }, values)
    assert.equal("integer", math.type(values.cache))
    assert.equal("integer", math.type(values.n))
    assert.equal(0.75, given("wait=0.75").wait)
    assert.equal(7, given("n=5", "n=7").n)
    session.args = { "text=a=b\nc", "empty=" }
    assert.same({ text = "a=b\nc", empty = "" }, tutti.args({ text = { "string" }, empty = { "string" } }))
  end)

  it("says what is wrong with what is given, all of it", function()
    for text, pattern in pairs({
      ["taget=x"] = 'unknown argument "taget" %(did you mean "target"%?%)',
      ["target=x"] = 'argument "target" %(what to build%) must be one of all, docs, got "x"',
      ["n=1.5"] = 'argument "n" must be a whole number, got "1.5"',
      ["n="] = 'argument "n" must be a whole number, got ""',
      ["ratio=half"] = 'argument "ratio" must be a number, got "half"',
      ["dry=maybe"] = 'argument "dry" must be true or false, got "maybe"',
      ["wait=5x"] = 'argument "wait" %(for the server%) must be a duration such as .- got "5x": position 2: ',
      ["wait=-1"] = 'must be a duration .- got "%-1"',
      ["cache=1K"] = 'must be a size such as .- got "1K": position 2: .-\n  1K\n   ^',
    }) do
      usage(pattern, given, text)
    end
    usage('unknown argument "zz".*\nargument "n" must be', given, "zz=1", "n=x")
  end)

  it("lists all that is missing", function()
    usage("arguments are missing:\n  %-%-arg key=STRING   of the store\n  %-%-arg n=INTEGER$", function()
      local values = tutti.args({ key = { "string", required = true, help = "of the store" },
        n = { "integer", required = true }, rest = { "string" } })
      return values
    end)
  end)

  it("gets past what is missing or wrong for --help", function()
    session.help, session.args = true, { "zz=1", "mode=z" }
    assert.same({ name = "", mode = "a", on = false, n = 5 }, tutti.args({
      name = { "string", required = true },
      mode = { "string", required = true, choices = { "a", "b" } },
      on = { "boolean", required = true },
      n = { "integer", default = 5 },
    }))
    local list = require("tutti.args").declared()
    local names = {}
    for i, argument in ipairs(list) do
      names[i] = argument.name
    end
    assert.equal("mode n name on", table.concat(names, " "))
    assert.same({ "a", "b" }, list[1].choices)
    assert.equal("5", list[2].shown_default)
    assert.is_true(list[3].required)
    assert.equal("boolean", list[4].type)
  end)

  it("refuses wrong declarations at the call", function()
    for pattern, declarations in pairs({
      ["a table of arguments was expected, got string"] = "x",
      ["the name of an argument was expected .- got 1"] = { { "string" } },
      ['the name of an argument was expected .- got "a b"'] = { ["a b"] = { "string" } },
      ['argument "a": a table such as .- got string'] = { a = "string" },
      ['argument "a": its type comes first: .- got none'] = { a = {} },
      ['argument "a": .- got "integr" %(did you mean "integer"%?%)'] = { a = { "integr" } },
      ['argument "a": unknown option "defalt" %(did you mean "default"%?%)'] =
        { a = { "string", defalt = 1 } },
      ['argument "a": option "help" must be a string'] = { a = { "string", help = 1 } },
      ['argument "a": option "choices" must be a list'] = { a = { "string", choices = {} } },
      ['argument "a": choice 2 must be a whole number, got "x"'] =
        { a = { "integer", choices = { 1, "x" } } },
      ['argument "a": its default must be a whole number, got 1.5'] =
        { a = { "integer", default = 1.5 } },
      ['argument "a": its default must be a duration .- got "5x": position 2'] =
        { a = { "duration", default = "5x" } },
      ['argument "a": its default must be one of its choices: x, y'] =
        { a = { "string", default = "z", choices = { "x", "y" } } },
      ['argument "a": what is required needs no default'] =
        { a = { "string", default = "z", required = true } },
    }) do
      usage(pattern, function()
        local values = tutti.args(declarations)
        return values
      end)
    end
  end)

  it("is for the script, not for pool tasks", function()
    local ok, err = tutti.parallel(function() return (tutti.args({})) end):pawait()
    assert.is_false(ok)
    assert.matches("a pool task has no command line", err.message)
  end)
end)

describe("arguments in the program", function()
  local SOURCE = [[
    local tutti = require("tutti")
    local args = tutti.args({ n = { "integer", default = 3, help = "how many" },
      key = { "string", required = true }, wait = { "duration", default = "1m" } })
    print(args.n, args.key, args.wait)
  ]]

  it("come from before and behind FILE", function()
    local code, out = program.script(SOURCE, { before = { "--arg", "n=4" } }, "--arg", "key=x y")
    assert.same({ 0, "4\tx y\t60.0\n" }, { code, out })
  end)

  it("end it with status 2 when they are wrong", function()
    local code, out, err = program.script(SOURCE, { before = { "--arg", "m=4", "--arg=n=z" } })
    assert.equal(2, code)
    assert.equal("", out)
    assert.matches('^tutti: [^\n]+: unknown argument "m"[^\n]*\ntutti: [^\n]+: argument "n" %(how many%) '
      .. 'must be a whole number,'
      .. ' got "z"\ntutti: [^\n]+: an argument is missing:\n  %-%-arg key=STRING\n', err)
    assert.matches("\nTry: [^\n]+ %-%-help\n$", err)
  end)

  it("are told by --help", function()
    local code, out, err = program.script(SOURCE, {}, "--help")
    assert.equal(0, code, err)
    assert.matches("key=STRING .*must be given", out)
    assert.matches("n=INTEGER .*how many; default 3", out)
    assert.matches("wait=DURATION .*default 1m\n", out)
    local starts = SOURCE .. "tutti.exec({ 'touch', '/dev/null/x' }):await() print('on')"
    code, out, err = program.script(starts, {}, "--help")
    assert.equal(0, code, err)
    assert.matches("key=STRING", out)
    assert.not_matches("on\n$", out)
  end)
end)
