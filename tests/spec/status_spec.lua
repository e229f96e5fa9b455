-- SPDX-License-Identifier: MIT
-- Exit statuses (design 3), row by row, as a shell sees them.
local program = require("tests.spec.support.program")

local HEAD = "local tutti = require('tutti') "

local function status_of(source, ...)
  local code, _, err = program.run_script(HEAD .. source, ...)
  return code, err
end

-- { status, what, source }
local function check(rows)
  for _, row in ipairs(rows) do
    it(("is %d for %s"):format(row[1], row[2]), function()
      local code, err = status_of(row[3])
      assert.equal(row[1], code, err)
      if row[4] then
        assert.matches(row[4], err)
      end
    end)
  end
end

describe("the exit status", function()
  check({
    { 0, "a script that ends", "" },
    { 0, "a failure that somebody took", 'tutti.spawn(error, "x"):pawait()' },
    { 0, "a task that was cancelled or skipped with nobody waiting", [[
      local t = tutti.spawn(tutti.sleep, 10)
      tutti.task{ print, after = { t } }
      tutti.checkpoint()
      t:cancel()]] },
    { 0, "a program that fails and whose failure was taken", 'tutti.sh("exit 9"):pawait()' },

    { 1, "a failure that nobody owned", 'tutti.spawn(error, "lost")', "lost" },
    { 1, "a failure of a detached task", 'tutti.spawn({ detach = true }, error, "lost")', "lost" },
    { 1, "a failure in the pool", 'tutti.parallel(error, "lost")', "lost" },
    { 1, "a program that fails", 'tutti.exec{ "false" }', "status 1" },
    { 1, "an error after a task was made", 'tutti.spawn(print):await() error("late")', "late" },
    { 1, "a cancellation that leaves the script", [[
      local me = tutti.current()
      tutti.spawn(function() me:cancel("enough") end)
      tutti.sleep(10)]], "enough" },

    { 3, "a syntax error", "x = = 1", "'='" },
    { 3, "an error before any task", 'error("early")', "early" },
    { 3, "misuse before any task", "tutti.spawn(1)", "function" },
    { 3, "misuse after tasks", "tutti.spawn(print):await() tutti.spawn(1)", "function" },
    { 3, "misuse in a task that leaves the script", "tutti.spawn(function() tutti.spawn(1) end):await()" },
    { 3, "a cycle of awaits", [[
      local a, b
      a = tutti.spawn(function() return b:await() end)
      b = tutti.spawn(function() return a:await() end)
      a:await()]], "wait for each other" },
    { 3, "a task that is missing in a graph", [[
      tutti.spawn(print):await()
      tutti.graph("g"):task("a", { needs = { "b" } }, print):plan()]], '"b"' },
    { 3, "a cycle of a graph", [[
      tutti.spawn(print):await()
      local g = tutti.graph("g"):task("a", { needs = { "b" } }, print)
      g:task("b", { needs = { "a" } }, print):plan()]],
      "a %-> b %-> a" },

    { 7, "os.exit(7)", "os.exit(7)" },
    { 7, "os.exit(7) while tasks run and fail", [[
      tutti.spawn(function() tutti.sleep(10) end)
      tutti.spawn(function() error("x") end)
      tutti.spawn(function() os.exit(7) end)
      tutti.sleep(10)]] },
    { 0, "os.exit()", "tutti.spawn(error, 'x'):pawait() os.exit()" },
    { 1, "os.exit(false)", "os.exit(false)" },
    { 3, "os.exit in the pool", "tutti.parallel(function() os.exit(9) end):await()", "script decide" },
  })

  local GRAPH = [[
    local g = tutti.graph("g")
    g:task("bad", function() error("oh") end):task("good", function() end)
  ]]
  check({
    { 1, "a run with failures that nobody looked at", GRAPH .. "g:run():await()", "1 failed" },
    { 1, "a run with failures that nobody waited for", GRAPH .. "g:run()", "1 failed" },
    { 0, "a run with failures that the script looked at", GRAPH .. "print(g:run():await().failed)",
      "1 failed" },
    { 1, "a graph that was returned, with failures", GRAPH .. "return g", "1 failed" },
    { 0, "a graph that was returned", "return tutti.graph('g'):task('a', function() end)" },
    { 7, "os.exit(7) in a task of a graph", [[
      local g = tutti.graph("g"):task("a", function() os.exit(7) end)
      return g:task("b", function() tutti.sleep(100) end)]] },
    { 3, "misuse of the graph in the script", "tutti.graph('g'):run(1)", "a selector" },
  })

  it("is decided by the words behind FILE where it returned a graph", function()
    local source = GRAPH .. "return g"
    assert.equal(0, (status_of(source, "good")))
    assert.equal(1, (status_of(source, "bad")))
    assert.equal(2, (status_of(source, "god")))
    assert.equal(2, (status_of(source, "good &")))
    assert.equal(0, (status_of(source, "--list")))
  end)

  it("is 2 for a bad command line or a FILE that cannot be read", function()
    for _, words in ipairs({ { "run" }, { "run", "/no/such.lua" }, { "run", "/" }, { "runn" }, {}, { "-e" },
      { "run", "--no-such", "x" } }) do
      local code, out, err = program.run(program.path, table.unpack(words))
      assert.equal(2, code)
      assert.equal("", out)
      assert.matches("^tutti: ", #words == 0 and "tutti: " or err)
    end
  end)

  it("is 1 when the results could not be written: the disk is full, stdout is closed", function()
    local code, _, err = program.shell_script("%s >/dev/full", "io.write('x')")
    assert.equal(1, code)
    assert.matches("No space left", err)
    code, _, err = program.shell_script("%s >/dev/full", "print('x')")
    assert.is_true(code == 1 or code == 3, code)
    assert.matches("No space left", err)
    for _, words in ipairs({ "--help", "version", "man", "completions bash", "run --help" }) do
      code, _, err = program.shell(("%s %s >/dev/full"):format(program.quote(program.path), words))
      assert.same({ 1, "tutti: writing the results: No space left on device\n" }, { code, err }, words)
    end
    -- The script has not looked at what flush returned.
    assert.equal(1, (program.shell_script("%s >/dev/full", "io.write('x') io.stdout:flush()")))
    assert.equal(0, (program.shell_script("%s >&-", HEAD .. "tutti.spawn(print):await()")))
  end)

  it("is not changed by a stderr that cannot be written", function()
    for _, where in ipairs({ "2>/dev/full", "2>&-" }) do
      assert.equal(1, (program.shell_script("%s " .. where, HEAD .. 'tutti.spawn(error, "lost")')))
      assert.equal(0, (program.shell_script("%s " .. where, 'io.stderr:write("x")')))
    end
  end)

  it("is 141 where nobody reads the results any more", function()
    local file <close> = program.file("for i = 1, 100000 do print(i) end")
    -- Often: the script's own end and the signal race for the status.
    local line = ("for i in {1..10}; do %s run %s | head -1 >/dev/null; echo ${PIPESTATUS[0]}; done")
      :format(program.path, file.path)
    local _, out, err = program.run("bash", "-c", line)
    assert.same({ ("141\n"):rep(10), "" }, { out, err })
  end)

  it("is 130 at the third Ctrl-C even where a pager has stopped reading", function()
    local file <close> = program.file([[
      io.open(arg[0] .. ".up", "w"):close()
      while true do io.stderr:write("x") end]])
    local line = ([[
      mkfifo FILE.fifo
      sleep 60 <FILE.fifo & reader=$!
      env --default-signal=INT PROGRAM run FILE 2>FILE.fifo & pid=$!
      while ! test -e FILE.up; do sleep 0.02; done
      for i in 1 2 3; do sleep 0.2; kill -INT $pid; done
      i=0 # two that come while it does not run at all are one to it
      until grep -q '^State:.Z' /proc/$pid/status || [ $i = 100 ]; do
        sleep 0.2; kill -INT $pid; i=$((i+1))
      done
      wait $pid; status=$?
      kill $reader; rm FILE.fifo FILE.up; (exit $status)]]):gsub("%u%u%u%u+",
      { FILE = file.path, PROGRAM = program.path })
    assert.equal(130, (program.shell(line)))
  end)

  for name, expected in pairs({ INT = 130, TERM = 143, HUP = 129 }) do
    it(("is %d after SIG%s, whatever the script does then"):format(expected, name), function()
      local file <close> = program.file(HEAD .. [[
        local ok = pcall(function()
          print("up") io.stdout:flush()
          tutti.sleep(20)
        end)
        print("swallowed", ok)]])
      local line = "env --default-signal=INT %s run %s & pid=$!; "
        .. "while ! grep -q up /proc/$$/fd/1; do sleep 0.02; done; kill -%s $pid; wait $pid"
      local code, out, err = program.shell(line:format(program.quote(program.path), file.path, name))
      assert.equal(expected, code, err)
      assert.matches("up\n", out)
    end)
  end
end)
