-- SPDX-License-Identifier: MIT
-- What a terminal would act on in names, tags, descriptions and messages of a script is shown escaped.
-- threads: one
local program = require("tests.spec.support.program")
require("tutti") -- makes its other modules known
local escape = require("tutti.escape")

-- The same in each script below.
local HEAD = [[
  local tutti = require("tutti")
  local E = "\27[31mRED\27]0;title\7\b\u{202e}\u{9b}\xFF\r\n."
]]
local IN_NAME = [[\x1b[31mRED\x1b]0;title\a\b\u{202e}\u{9b}\xff\r\n.]]
local IN_MESSAGE = [[RED\x1b]0;title\a\b\u{202e}\u{9b}\xff]] -- its first line

local function check(text, ...)
  assert.is_nil(text:find("[%z\1-\8\11-\31\127]"), text)
  assert.is_truthy(utf8.len(text), text)
  assert.is_nil(text:find("\u{202e}", 1, true), text)
  assert.is_nil(text:find("\u{9b}", 1, true), text)
  for _, part in ipairs({ ... }) do
    assert.is_truthy(text:find(part, 1, true), part .. "\nis not in\n" .. text)
  end
end

describe("escaping", function()
  it("writes bytes as Lua does in strings", function()
    assert.equal([[a\x1bb\"\\]], escape.string("a\27b\"\\"))
    assert.equal([[a\tb\nc\r\x00\x7f "é日"]], escape.line("a\tb\nc\r\0\127 \"é日\""))
    assert.equal("a\tb\nc\\r", escape.lines("a\tb\nc\r"))
    assert.equal([[\xff\xc3\u{80}\u{200f}\u{2066}]], escape.line("\xFF\xC3\u{80}\u{200f}\u{2066}"))
    assert.equal("a red b\nc\\x1b[2K", escape.message("a \27[1;31mred\27[0m b\r\nc\27[2K\r"))
  end)

  it("leaves all other texts as they are, and does nothing twice", function()
    for _, text in ipairs({ "", "compile main.c", "日本 é \"x\" \\n", "a\u{301}" }) do
      assert.equal(text, escape.line(text))
      assert.equal(text, escape.lines(text))
    end
    for code = 0, 0x300 do
      local once = escape.line(utf8.char(code) .. string.char(code & 0xFF))
      assert.equal(once, escape.line(once))
    end
  end)
end)

describe("texts of a script reach the terminal escaped:", function()
  it("names and messages of failures, at once and at the end", function()
    local code, _, err = program.run_script(HEAD .. [[
      tutti.spawn({ name = "n" .. E }, function() error("m" .. E, 0) end)
    ]])
    assert.equal(1, code)
    check(err, ('task "n%s" failed with nobody awaiting it: '):format(IN_NAME), "m" .. IN_MESSAGE)
  end)

  it("lines of supervisors, one each", function()
    local _, _, err = program.run_script(HEAD .. [[
      local sup = tutti.supervisor{ name = "s" .. E }
      sup:start{ name = "c" .. E, on_giveup = "drop", function() error("m" .. E, 0) end }
      sup:await()
    ]])
    check(err, ('supervisor "s%s": "c'):format(IN_NAME), "m" .. IN_MESSAGE)
  end)

  it("progress and the report of a run; output of programs as it was", function()
    local _, _, err = program.script(HEAD .. [[
      local g = tutti.graph("g\u{202e}")
      g:task("a\u{9b}b", { tags = { "t" .. E } }, function() error("m" .. E, 0) end)
      g:task("p", function() tutti.sh("printf '\\033[31mred\\033[0m\\n'>&2; exit 3"):await() end)
      return g
    ]], { before = { "--progress=plain" } })
    check(err, "FAILED a\\u{9b}b  ", "FAILED  a\\u{9b}b  ", "m" .. IN_MESSAGE, "| red\n",
      "g\\u{202e}: 2 failed")
  end)

  it("lists, plans and help", function()
    local source = HEAD .. [[
      local _ = tutti.args{ x = { "string", help = "h" .. E } }
      local g = tutti.graph("g\u{202e}"):limit("l\u{9b}", 1)
      g:task("a\u{9b}b", { tags = { "t" .. E }, description = "d" .. E, limit = "l\u{9b}" }, print)
      return g
    ]]
    local _, out = program.script(source, { command = "plan" })
    check(out, 'graph "g\\u{202e}"', "a\\u{9b}b", "limit l\\u{9b}")
    _, out = program.script(source, {}, "--help")
    check(out, "h" .. IN_NAME, "d" .. IN_NAME:match("^(.-)\\r"), "[t" .. IN_NAME .. "]")
    _, out = program.script(source, {}, "--list") -- for other programs: names as they are
    assert.matches("^a\u{9b}b\td\\x1b", out)
  end)

  it("what is still pending at lua_close", function()
    local file <close> = program.file(HEAD .. [[
      tutti.spawn({ name = "n" .. E }, tutti.sleep, 600)
      tutti.sleep(0)
    ]])
    local _, _, err = program.run(program.lua, file.path)
    check(err, ('task "n%s" was still pending'):format(IN_NAME))
  end)

  it("the prompt's tasks and lines", function()
    local code, out, err = program.shell(("%s repl <<'EOF'\n%s\nEOF"):format(program.quote(program.path), [[
E = "\27[31mRED\27]0;title\7\b\u{202e}\u{9b}\xFF\r\n."
t = tutti.spawn({ name = "n" .. E, detach = true }, tutti.sleep, 600)
:tasks
:why t
t:cancel("r" .. E)
tutti.spawn({ name = "f" .. E }, function() error("m" .. E, 0) end):pawait()
error("m" .. E) &
]]))
    check(out, "n" .. IN_NAME:sub(1, 20))
    check(err, "m" .. IN_MESSAGE)
    assert.is_number(code)
  end)
end)
