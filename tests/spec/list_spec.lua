-- SPDX-License-Identifier: MIT
-- `tutti run FILE --list` and `--help`: what a script has, in columns on a terminal and in fields elsewhere.
local describe, it, assert = describe, it, assert
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")
local _ENV = _G -- luacheck: ignore

local GRAPH = [[
#!/usr/bin/env tutti
-- SPDX-License-Identifier: MIT
-- Deploys the site.
--
--   tutti run script.lua

-- Not this.
local tutti = require("tutti")
local g = tutti.graph("deploy")
local function ran() print("ran") end
g:task("zebra", { description = "comes first\nof all", tags = { "slow", "net" } }, ran)
g:task("assets", { needs = { "zebra" }, tags = { "net" } }, ran)
g:task("build all", { needs = { "assets" }, description = "a\ttab" }, ran)
]]

describe("--list", function()
  it("prints name, description and tags between tabs, in order of addition", function()
    local wanted = "zebra\tcomes first\tslow,net\nassets\t\tnet\nbuild all\ta tab\t\n"
    assert.same({ 0, wanted, "" }, { program.script(GRAPH .. "return g", {}, "--list") })
    assert.same({ 0, wanted, "" }, { program.script(GRAPH .. "return g", { before = { "--list" } }) })
    assert.same({ 0, wanted, "" }, { program.script(GRAPH .. "g:run():await()", { before = { "--list" } }) })
  end)

  it("prints columns on a terminal, cut to its width", function()
    local folder = program.folder({ ["g.lua"] = GRAPH .. "return g" })
    local words = { program.path, "run", folder .. "/g.lua", "--list" }
    local s <close> = screen.start(words, { cols = 30, rows = 10 })
    assert.equal(0, s:status())
    assert.equal('deploy: 3 tasks\n  zebra      comes first  [sl…\n  assets     [net]\n  build all  a tab',
      (s:text():gsub("%s+$", "")))
    program.remove(folder)
  end)

  it("says so of a script without a graph, and of a graph that cannot be planned", function()
    local code, out, err = program.script("print(1)", { before = { "--list" } })
    assert.same({ 3, "1\n" }, { code, out })
    assert.matches("tutti run %-%-list: \"[^\n]*script.lua\" neither calls g:run nor returns a graph\n$", err)
    local source = GRAPH .. 'g:task("x", { needs = { "asets" } }, print) return g'
    code, out, err = program.script(source, {}, "--list")
    assert.same({ 3, "" }, { code, out })
    assert.matches('did you mean "assets"', err)
  end)

  it("is the script's own word if it returns no graph", function()
    assert.same({ 0, "--list\n", "" }, { program.script("print(...)", {}, "--list") })
  end)
end)

describe("--help behind FILE", function()
  it("prints the comment at the top and the tasks", function()
    local code, out, err = program.script(GRAPH .. "return g", {}, "--help")
    assert.same({ 0, "" }, { code, err })
    assert.matches("^usage: [^\n]*tutti run [^\n]*script.lua %[selector%]%.%.%.\n\n"
      .. "Deploys the site%.\n\n  tutti run script%.lua\n\ntasks of graph \"deploy\":\n"
      .. "  zebra      comes first  %[slow, net%]\n  assets     %[net%]\n  build all  a tab\n", out)
    assert.is_nil(out:find("SPDX") or out:find("Not this"))
  end)

  local ARGS = [[
-- Builds.
    local tutti = require("tutti")
    local args = tutti.args({
      target = { "string", required = true, help = "what to build" },
      wait = { "duration", default = "1m30s" },
      mode = { "string", choices = { "fast", "small" }, default = "fast" },
    })
  ]]

  it("prints the arguments, at the end, at the first start, or at g:run", function()
    for _, rest in ipairs({ "", "tutti.spawn(print, 1):await() print(2)", "tutti.graph('g'):run() print(2)",
      "return tutti.graph('g')" }) do
      local code, out, err = program.script(ARGS .. rest, {}, "--help")
      assert.same({ 0, "" }, { code, err })
      assert.matches("^usage: [^\n]* %[%-%-arg NAME=VALUE%]%.%.%.[^\n]*\n\nBuilds%.\n\narguments:\n"
        .. "  mode=STRING    one of fast, small; default fast\n"
        .. "  target=STRING  what to build; must be given\n"
        .. "  wait=DURATION  default 1m30s\n", out)
    end
  end)

  it("is the script's own word if it returns no graph", function()
    assert.same({ 0, "--help\n", "" }, { program.script("print(...)", {}, "--help") })
  end)
end)

describe("--arg", function()
  it("is told, with 2, where a graph's script declares no arguments", function()
    local code, out, err = program.script(GRAPH .. "return g", { before = { "--arg", "a=1" } })
    assert.same({ 2, "" }, { code, out })
    assert.matches("^tutti: %-%-arg a=1: [^\n]* declares no arguments %(tutti%.args%)\n$", err)
  end)

  it("is told in the end of a script without a graph; behind FILE it is the script's own", function()
    local message = "^tutti: %-%-arg a=1: [^\n]* declares no arguments %(tutti%.args%)\n$"
    for _, source in ipairs({ "print(...)", "print(...) require('tutti').graph('g'):run():await()" }) do
      local code, out, err = program.script(source, { before = { "--arg", "a=1" } })
      assert.same({ 2, "\n" }, { code, out })
      assert.matches(message, err)
      code, out, err = program.script(source, {}, "--arg", "a=1")
      assert.same({ 0, "--arg\ta=1\n", "" }, { code, out, err })
    end
    local code, out, err = program.run(program.path, "--arg", "a=1", "-e", "print(1)")
    assert.same({ 2, "1\n", "tutti: --arg a=1: -e declares no arguments (tutti.args)\n" }, { code, out, err })
    local how = { command = "plan", before = { "--arg", "a=1" } }
    code, out, err = program.script(GRAPH .. "g:run():await()", how)
    assert.same({ 2, "" }, { code, out })
    assert.matches(message, err)
  end)

  it("is no matter where an error ends the script", function()
    local code, _, err = program.script("error('first')", { before = { "--arg", "a=1" } })
    assert.equal(3, code)
    assert.is_nil(err:find("--arg", 1, true))
  end)
end)

describe("words behind FILE of a script that returns a graph", function()
  it("are told when they are wrong, with 2, and nothing runs", function()
    local code, out, err = program.script(GRAPH .. "return g", {}, "--lits")
    assert.same({ 2, "" }, { code, out })
    assert.matches('unknown option "%-%-lits" %(did you mean %-%-list%?%) '
      .. "%(behind [^\n]*, which returned a graph%)\n$", err)
  end)
end)
