-- SPDX-License-Identifier: MIT
-- Progress off a terminal: plain lines, JSON events, nothing; and output that cannot be written.
local program = require("tests.spec.support.program")

local HEAD = 'local tutti = require("tutti")\nlocal g = tutti.graph("demo")\n'

-- Run a script with `options` (a text) and what `tail` says of its streams; returns status, stdout, stderr.
local function run(source, options, tail)
  local file <close> = program.file(HEAD .. source)
  local words = { program.quote(program.path), "run", options or "", file.path, tail or "" }
  return program.shell(table.concat(words, " "))
end

-- Times are what the clock says.
local function masked(text)
  return (text:gsub("  <?[%d.]+m?s", "  T"):gsub("in <?[%d.]+m?s", "in T"))
end

local SOME = [[
  g:task("a", function() end)
  g:task("b", { needs = { "a" } }, function() print("out") end)
  g:run():await()
]]

describe("progress as lines", function()
  it("is a line for each task, and one for the run; results stay apart", function()
    local code, out, err = run(SOME)
    assert.same({ 0, "out\n", "[1/2] a  T\n[2/2] b  T\ndemo: 2 ok in T\n" }, { code, out, masked(err) })
  end)

  it("names failures and leaves skipped tasks to the report", function()
    local _, _, err = run([[
      g:task("a", function() error("no", 0) end)
      g:task("b", { needs = { "a" } }, function() end)
      g:run():await():ok()
    ]])
    assert.matches("^%[1/2%] FAILED a  T: no\n", masked(err))
    assert.not_matches("%] b", err)
  end)

  it("writes not more than some lines a second, and counts the rest", function()
    local _, _, err = run('for i = 1, 2000 do g:task("t" .. i, function() end) end g:run():await()')
    local lines, counted = 0, 0
    for line in err:gmatch("[^\n]+") do
      lines = lines + 1
      counted = counted + (tonumber(line:match("and (%d+) more")) or line:find("^%[") and 1 or 0)
    end
    assert.equal(2000, counted)
    assert.is_true(lines < 1000, lines)
  end)

  it("tells of a task that runs for long", function()
    local _, _, err = run('g:task("slow", function() tutti.sleep(7) end) g:run():await()')
    assert.matches("^%[0/1%] slow is running, for [56]", err)
  end)
end)

describe("progress as JSON", function()
  it("is an object a line, of version 1", function()
    local code, out, err = run([[
      g:task("a", function() end)
      g:task("b", { retry = { times = 1, backoff = 0.001 } }, function() error("no \xff", 0) end)
      g:task("c", { needs = { "b" } }, function() end)
      print(g:run{ jobs = 1 }:await():ok())
    ]], "--progress=json")
    assert.same({ 0, "false\n" }, { code, out })
    local events = {}
    for line in err:gmatch("[^\n]+") do
      assert.matches('^{"v":1,"event":"%a[%a_]*","t":[%d.]+,.*}$', line)
      events[#events + 1] = line:match('"event":"([%a_]+)"')
    end
    assert.same({ "run_begins", "task_begins", "task_ends", "task_begins", "task_retries", "task_ends",
      "task_ends", "run_ends", "message" }, events)
    assert.matches('"run":1,"name":"demo","total":3,"jobs":1,"mode":"loop","time":"20%d%d%-', err)
    assert.matches('"task":"b","state":"failed","elapsed":[%d.e-]+,"attempts":2,"error":{"kind":"error",'
      .. '"message":"no \u{FFFD}"}}', err)
    assert.matches('"task":"c","state":"skipped"', err)
    assert.matches('"ok":false,"elapsed":[%d.e-]+,"total":3,"succeeded":1,"failed":1,"skipped":1,'
      .. '"cancelled":0}', err)
  end)

  it("tells what tutti says otherwise as messages", function()
    local _, _, err = run([[
      g:task("a", function() tutti.spawn({ detach = true }, function() error("alone", 0) end) end)
      g:run():await()
    ]], "--progress=json")
    assert.matches('"event":"message","t":[%d.]+,"text":"[^\n]*alone', err)
    for line in err:gmatch("[^\n]+") do
      assert.matches('^{"v":1', line)
    end
  end)
end)

describe("with --progress=json all that tutti says is an event", function()
  local function texts_of(source)
    local file <close> = program.file(source)
    local code, _, err = program.run(program.path, "run", "--progress=json", file.path)
    for line in err:gmatch("[^\n]+") do
      assert.matches('^{"v":1,"event":"message","t":[%d.]+,"text":"tutti: .*"}$', line)
    end
    return code, err
  end

  it("where no run begins: failures, errors, a text that does not compile", function()
    local code, err = texts_of('local tutti = require("tutti")\n'
      .. 'tutti.spawn(function() error("alone", 0) end) tutti.sleep(0.001) error("the end", 0)')
    assert.equal(1, code)
    assert.matches('nobody awaiting it: [^"]*alone"', err)
    assert.matches("the end", err)
    code, err = texts_of("local = 1")
    assert.equal(3, code)
    assert.matches("<name> expected", err)
  end)

  it("also what the program says of a signal", function()
    local code, err = texts_of('local tutti = require("tutti")\n'
      .. 'tutti.exec{ "sh", "-c", "kill -INT $PPID" }:await() tutti.sleep(60)')
    assert.equal(130, code)
    assert.matches('"tutti: interrupted %(Ctrl%-C%): stopping', err)
  end)
end)

describe("no progress", function()
  it("with -q and --progress=none", function()
    for _, option in ipairs({ "-q", "--progress=none" }) do
      local code, out, err = run(SOME, option)
      assert.same({ 0, "out\n", "" }, { code, out, err })
    end
  end)

  it("where no run begins: nothing listens", function()
    local code, out, err = run('print(require("tutti.watch").on)', "--progress=plain")
    assert.same({ 0, "nil\n", "" }, { code, out, err })
  end)
end)

describe("output that cannot be written", function()
  it("does not hold up a run: stderr is full or closed", function()
    local path = os.tmpname()
    for _, tail in ipairs({ "2>/dev/full", "2>&-" }) do
      for _, option in ipairs({ "--progress=plain", "--progress=json", "--progress=tty" }) do
        local code = run(SOME, option, ("%s >%s"):format(tail, path))
        local file = assert(io.open(path))
        assert.same({ 0, "out\n" }, { code, file:read("a") })
        file:close()
      end
    end
    os.remove(path)
  end)

  it("ends in silence when nobody reads it any more", function()
    local code, out, err = run([[
      for i = 1, 50 do g:task("t" .. i, function() print(("x"):rep(10000)) tutti.sleep(0.01) end) end
      g:run{ jobs = 1 }:await()
    ]], "-q", "| head -c 1 >/dev/null")
    assert.same({ 0, "" }, { code, out })
    assert.equal("", err)
  end)
end)
