-- SPDX-License-Identifier: MIT
-- The command line: how options are read, what is told of wrong ones, what the script's side gets of them.
local describe, it, assert = describe, it, assert
local program = require("tests.spec.support.program")
local _ENV = _G -- luacheck: ignore

local run, tutti = program.run, program.path

-- What tutti.session holds, one field a line, in a fixed order.
local SHOW = [[
  local session = require("tutti.session")
  local function text(value)
    if type(value) ~= "table" then return tostring(value) end
    local list = {}
    for i, v in ipairs(value) do list[i] = v end
    return table.concat(list, "|")
  end
  for _, name in ipairs { "is_program", "jobs", "args", "quiet", "verbose", "list", "help", "plan" } do
    io.write(name, "=", text(session[name]), " ")
  end
  local late = session.late
  print(("late=%s,%s,%s,%s"):format(late.jobs, late.list, text(late.words), late.problem))
]]

-- Run it with options before it and words behind it.
local function show(before, ...)
  local source = table.concat(before, " "):find("--arg", 1, true) and "require('tutti.args') " .. SHOW or SHOW
  local code, out, err = program.script(source, { before = before }, ...)
  assert.same({ 0, "" }, { code, err })
  return out:gsub("\n$", "")
end

local function field(name, before, env)
  local source = ('print(require("tutti.session").%s)'):format(name)
  local all = { CI = false, NO_COLOR = false, FORCE_COLOR = false, TERM = "xterm" }
  for key, value in pairs(env or {}) do
    all[key] = value
  end
  local code, out = program.script(source, { before = before, env = all })
  assert.equal(0, code)
  return out:gsub("\n$", "")
end

describe("options before FILE", function()
  it("are not asked for by default", function()
    assert.equal("is_program=true jobs=nil args= quiet=false verbose=0 list=false help=false plan=nil "
      .. "late=nil,false,,nil", show({}))
  end)

  it("may be long, short, with = or without, and together", function()
    local wanted = "is_program=true jobs=4 args=a=1|b== quiet=true verbose=2 list=false help=false plan=nil "
      .. "late=nil,false,,nil"
    for _, jobs in ipairs({ { "--jobs=4" }, { "--jobs", "4" }, { "-j4" }, { "-j", "4" } }) do
      local others = { "--arg", "a=1", "--arg=b==", "-qvv", "-v" }
      local before = table.move(others, 1, #others, #jobs + 1, jobs)
      assert.equal(wanted, show(before))
    end
  end)

  it("end before FILE: all that follows it is the script's", function()
    local how = { before = { "-q", "--" } }
    local code, out = program.script("print(#arg, ...)", how, "-q", "--frob", "--", "x")
    assert.same({ 0, "4\t-q\t--frob\t--\tx\n" }, { code, out })
    code, out = program.script("print(#arg, ...)", {}, "--", "--help", "--jobs")
    assert.same({ 0, "2\t--help\t--jobs\n" }, { code, out })
  end)

  it("stand before -e too", function()
    local code, out = run(tutti, "-q", "--jobs", "3", "-e",
      'local s = require("tutti.session") print(s.jobs, s.quiet, s.file, ...)', "-q", "x")
    assert.same({ 0, "3\ttrue\tnil\t-q\tx\n" }, { code, out })
  end)
end)

describe("words behind FILE", function()
  it("are read as options for a script that returns a graph", function()
    assert.equal("is_program=true jobs=2 args=a=1|b=2 quiet=false verbose=0 list=false help=true plan=nil "
      .. "late=3,true,x|y|-z,nil", show({ "-j2", "--arg=a=1" }, "x", "--jobs", "3", "--list", "y",
      "--arg", "b=2", "--help", "--", "-z"))
  end)

  it("are taken as they are behind --", function()
    local wanted = "help=false plan=nil late=nil,false,%-%-help|%-%-list,nil$"
    assert.matches(wanted, show({}, "--", "--help", "--list"))
  end)

  it("tell the first problem, and read on", function()
    assert.matches('args=a=1 .*late=nil,true,x,unknown option "%-%-lits" %(did you mean %-%-list%?%)$',
      show({}, "--lits", "x", "--frob", "--arg=a=1", "--list"))
    assert.matches("late=nil,false,,option %-%-progress stands before FILE$", show({}, "--progress=plain"))
    assert.matches("late=nil,false,,option %-%-quiet stands before FILE$", show({}, "-q"))
    assert.matches('late=nil,false,,option %-%-dot belongs to "tutti plan"$', show({}, "--dot"))
  end)
end)

describe("a wrong command line ends with 2 and", function()
  local function refused(wanted, ...)
    local code, out, err = run(tutti, ...)
    assert.same({ 2, "" }, { code, out })
    assert.equal(wanted, err)
  end

  it("tells an unknown option and the nearest one", function()
    refused('tutti: run: unknown option "--jbos" (did you mean --jobs?)\nTry: tutti run --help\n',
      "run", "--jbos=3", "x")
    refused('tutti: run: unknown option "-z"\nTry: tutti run --help\n', "run", "-qz", "x")
    refused('tutti: unknown option "--frobnicate"\nTry: tutti --help\n', "--frobnicate")
  end)

  it("tells where an option belongs", function()
    refused('tutti: run: option --dot belongs to "tutti plan"\nTry: tutti run --help\n', "run", "--dot", "x")
    refused('tutti: plan: option --progress belongs to "tutti run"\nTry: tutti plan --help\n',
      "plan", "--progress=tty", "x")
    refused("tutti: run: option -e stands without a command\nTry: tutti run --help\n", "run", "-e", "x")
    refused("tutti: a command is missing: options stand behind it, as in tutti run --jobs 4 FILE\n"
      .. "Try: tutti --help\n", "--jobs=3", "x")
  end)

  it("tells a missing, superfluous or wrong value", function()
    refused("tutti: run: option --jobs: N is missing\nTry: tutti run --help\n", "run", "--jobs")
    refused("tutti: option -e: CHUNK is missing\nTry: tutti --help\n", "-e")
    refused("tutti: run: option --list takes no value\nTry: tutti run --help\n", "run", "--list=1", "x")
    refused("tutti: run: option --progress must be auto, tty, plain, json or none, "
      .. 'got "jsno" (did you mean "json"?)\nTry: tutti run --help\n', "run", "--progress", "jsno", "x")
    refused('tutti: run: option --color must be auto, always or never, got "x"\nTry: tutti run --help\n',
      "run", "--color=x", "y")
    for _, jobs in ipairs({ "0", "-1", "x", "4x", "1e3", "", " 4", "1000001", ("9"):rep(20) }) do
      refused(('tutti: run: option --jobs must be a number of tasks from 1 to 1000000, got "%s"\n'
        .. "Try: tutti run --help\n"):format(jobs), "run", "--jobs", jobs, "x")
    end
    refused('tutti: run: option --arg must be NAME=VALUE, got "=x"\nTry: tutti run --help\n',
      "run", "--arg", "=x", "y")
  end)

  it("tells an option that could be several", function()
    refused('tutti: plan: option "--j" could be several\nTry: tutti plan --help\n', "plan", "--j", "x")
  end)

  it("tells a missing FILE, an unknown command, and too many words", function()
    refused("tutti: run: a FILE is missing\nTry: tutti run --help\n", "run", "-q")
    refused('tutti: unknown command "rnu" (did you mean "run"?)\nTry: tutti --help\n', "rnu", "x.lua")
    refused('tutti: unknown command "help"\nTry: tutti --help\n', "help") -- "repl" is not near
    refused('tutti: unknown command "x.lua" (did you mean tutti run x.lua?)\nTry: tutti --help\n', "x.lua")
    refused("tutti: version: nothing was expected behind it\nTry: tutti version --help\n", "version", "x")
    refused('tutti: completions: "tcsh" is none of the shells bash, zsh and fish\n'
      .. "Try: tutti completions --help\n", "completions", "tcsh")
  end)

  it("cuts what is far too long", function()
    local code, _, err = run(tutti, "run", "--" .. ("x"):rep(5000), "x")
    assert.equal(2, code)
    assert.is_true(#err < 400)
  end)
end)

describe("the command line decides", function()
  it("what auto means without a terminal", function()
    assert.equal("plain", field("progress", {}))
    assert.equal("none", field("progress", { "-q" }))
    assert.equal("json", field("progress", { "-q", "--progress=json" }))
    assert.equal("tty", field("progress", { "--progress=tty" }))
  end)

  it("on colours: --color, FORCE_COLOR, NO_COLOR, the terminal, in this order", function()
    for _, name in ipairs({ "color", "color_out" }) do
      assert.equal("false", field(name, {}))
      assert.equal("true", field(name, {}, { FORCE_COLOR = "1" }))
      assert.equal("true", field(name, {}, { FORCE_COLOR = "1", NO_COLOR = "1" }))
      assert.equal("false", field(name, {}, { FORCE_COLOR = "0" }))
      assert.equal("true", field(name, { "--color=always" }, { NO_COLOR = "1" }))
      assert.equal("false", field(name, { "--color=never" }, { FORCE_COLOR = "1" }))
    end
  end)
end)

describe("help", function()
  it("lists the commands, and each has its own", function()
    local code, out, err = run(tutti, "--help")
    assert.same({ 0, "" }, { code, err })
    for _, command in ipairs({ "run", "plan", "completions", "man", "version" }) do
      assert.matches("\n?[%a: ]+tutti " .. command, out)
      local status, own = run(tutti, command, "--help")
      assert.equal(0, status)
      assert.matches("^usage: tutti " .. command, own)
      assert.matches("%-h, %-%-help", own)
    end
  end)

  it("is at most 80 columns wide", function()
    local lines = { { "--help" }, { "run", "--help" }, { "plan", "-h" }, { "completions", "-h" } }
    for _, words in ipairs(lines) do
      local _, out = run(tutti, table.unpack(words))
      for line in out:gmatch("[^\n]+") do
        assert.is_true(#line <= 80, line)
      end
    end
  end)

  it("goes to stderr, with 2, when nothing was asked for", function()
    local code, out, err = run(tutti)
    assert.same({ 2, "" }, { code, out })
    assert.matches("^usage: tutti run", err)
  end)
end)

describe("the manual page", function()
  it("names every option and passes the lint", function()
    local _, help = run(tutti, "--help")
    local code, page, err = program.shell(tutti .. " man")
    assert.same({ 0, "" }, { code, err })
    for name in help:gmatch("%-%-(%a[%a-]+)") do
      assert.is_truthy(page:find("Fl \\-" .. name, 1, true) or name == "help", name)
    end
    local _, lint = program.shell(tutti .. " man | mandoc -T lint -W warning | grep -v outdated || :")
    assert.equal("", lint)
  end)
end)
