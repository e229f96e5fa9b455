-- SPDX-License-Identifier: MIT
-- tutti.exec and tutti.sh: words, streams, environment, ends, messages.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function run(given)
  return tutti.exec(given):await()
end

-- The error of a task that must fail.
local function failure(task)
  local ok, err = task:pawait()
  assert.is_false(ok)
  assert.equal("tutti.error", getmetatable(err))
  return err
end

-- What `f` raised at once: misuse.
local function usage(pattern, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.equal("usage", err.kind)
  assert.matches(pattern, err.message)
  assert.matches("process_spec.lua:%d+: ", err.message)
end

-- A zombie that init has not collected yet is dead.
local function is_alive(pid)
  local ok, stat = pcall(tutti.fs.read, "/proc/" .. pid .. "/stat")
  return ok and stat:match("%) (%a)") ~= "Z"
end

-- A folder of its own for `f`, which gets its path.
local function with_folder(f)
  local dir = os.tmpname()
  os.remove(dir)
  tutti.fs.mkdir(dir)
  local ok, err = pcall(f, dir)
  tutti.fs.remove(dir, { recursive = true })
  assert(ok, err)
end

describe("words", function()
  it("arrive as they are, without a shell", function()
    local r = run({ "printf", "%s|", "a b", "$HOME", "*", "", "ü\n\255", 12, 0.5 })
    assert.equal("a b|$HOME|*||ü\n\255|12|0.5|", r.stdout)
    assert.same({ 0, nil, "" }, { r.code, r.signal, r.stderr })
    assert.is_true(r.pid > 1 and r.elapsed > 0 and not r.truncated and not r.leaked)
  end)

  it("are checked at the call", function()
    usage("tutti.exec: a table { PROGRAM, ARGUMENT, ... } was expected, got a nil", function()
      tutti.exec()
    end)
    usage('a line of shell is tutti.sh%("ls %-l"%)', function() tutti.exec("ls -l") end)
    usage("the program to run is missing", function() tutti.exec({}) end)
    usage("the program to run is missing", function() tutti.exec({ "" }) end)
    usage("word 2 has a byte 0 in it", function() tutti.exec({ "echo", "a\0b" }) end)
    usage("word 2 must be a string, got table", function() tutti.exec({ "echo", {} }) end)
    usage("a list without holes", function() tutti.exec({ "echo", nil, "x" }) end)
    usage('unknown option "cdw" %(did you mean "cwd"%?%)', function() tutti.exec({ "ls", cdw = "/" }) end)
    usage('option "name" must be a string', function() tutti.exec({ "ls", name = 1 }) end)
    usage('option "check" must be a boolean', function() tutti.exec({ "ls", check = "no" }) end)
    usage("timeout: a duration was expected", function() tutti.exec({ "ls", timeout = "soon" }) end)
    usage("grace: a duration was expected", function() tutti.exec({ "ls", grace = -1 }) end)
    usage("capture: a size was expected", function() tutti.exec({ "ls", capture = "much" }) end)
    usage('option "cwd" must be a string', function() tutti.exec({ "ls", cwd = 1 }) end)
  end)
end)

describe("ends", function()
  it("that are not zero fail with kind exit and the last lines of stderr", function()
    local err = failure(tutti.exec({ "sh", "-c", "echo oops >&2; echo out; exit 3", name = "job" }))
    assert.equal("exit", err.kind)
    assert.equal('exec "sh" ended with status 3', err.message)
    assert.equal("job", err.task)
    assert.same({ 3, "out\n", "oops\n" }, { err.result.code, err.result.stdout, err.result.stderr })
    assert.matches("oops", tostring(err))
    local many = failure(tutti.sh("seq 1 100000 >&2; exit 1"))
    assert.matches("99999\n *100000$", tostring(many))
    assert.is_nil(tostring(many):find("99980", 1, true))
  end)

  it("that are not zero name the line that started the program, wherever that is awaited", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local task = tutti.exec({ "false" })
    local err = failure(tutti.spawn(function() task:await() end))
    assert.matches((":%d: exec \"false\" ended with status 1"):format(line), tostring(err))
    assert.matches(("^[^\n]*:%d: exec \"false\" ended with status 1\nstack traceback:\n\t[^\n]*:%d: "
      .. "started task \"false\"\nawaited by:\n\t[^\n]*:%d:"):format(line, line, line + 1), err.traceback)
  end)

  it("by a signal name it", function()
    local err = failure(tutti.exec({ "sh", "-c", "kill -SEGV $$" }))
    assert.matches('exec "sh" was ended by SIGSEGV', err.message)
    assert.same({ nil, "SIGSEGV" }, { err.result.code, err.result.signal })
  end)

  it("are results with check = false", function()
    assert.equal(3, run({ "sh", "-c", "exit 3", check = false }).code)
    local killed = run({ "sh", "-c", "kill $$", check = false })
    assert.same({ nil, "SIGTERM" }, { killed.code, killed.signal })
    local missing = run({ "no-such-program-here", check = false })
    assert.same({ nil, "ENOENT", "" }, { missing.code, missing.errno, missing.stdout })
  end)

  it("of what cannot be started say why", function()
    local err = failure(tutti.exec({ "no-such-program-here" }))
    assert.same({ "exit", "ENOENT" }, { err.kind, err.errno })
    assert.equal('exec "no-such-program-here" cannot be started: No such file or directory', err.message)
    assert.matches("tutti.sh", failure(tutti.exec({ "ls -l" })).message)
    assert.equal("EACCES", failure(tutti.exec({ "/etc/passwd" })).errno)
    local cwd = failure(tutti.exec({ "ls", cwd = "/no/such/folder" }))
    assert.equal("ENOENT", cwd.errno)
    assert.matches('cannot be started in the folder "/no/such/folder" %(cwd%)', cwd.message)
    local input = failure(tutti.exec({ "cat", stdin = { file = "/no/such/file" } }))
    assert.matches("its stdin cannot be opened: No such file", input.message)
    local out = failure(tutti.exec({ "ls", stdout = { file = "/no/such/file" } }))
    assert.matches("its stdout cannot be opened: No such file", out.message)
  end)
end)

describe("cwd and env", function()
  it("are the child's alone", function()
    assert.equal("/usr\n", run({ "pwd", cwd = "/usr" }).stdout)
    local changed = { A = "x y", HOME = false, N = 7 }
    local r = tutti.sh({ 'echo "$A|${HOME-none}|$N|$PATH"', env = changed }):await()
    assert.equal(("x y|none|7|%s\n"):format(os.getenv("PATH")), r.stdout)
    assert.equal("alone", run({ "sh", "-c", "printf %s $A", env = { A = "alone" } }).stdout)
  end)

  it("are checked at the call", function()
    usage('"A=B" in "env" cannot be the name', function()
      tutti.exec({ "ls", env = { ["A=B"] = "x" } })
    end)
    usage('"" in "env" cannot be the name', function() tutti.exec({ "ls", env = { [""] = "x" } }) end)
    usage('a name in "env" must be a string, got number', function()
      tutti.exec({ "ls", env = { "A=B" } })
    end)
    usage('variable "A" in "env" must be a string', function()
      tutti.exec({ "ls", env = { A = true } })
    end)
    usage('variable "A" in "env" has a byte 0', function() tutti.exec({ "ls", env = { A = "\0" } }) end)
    usage('option "env" must be a table', function() tutti.exec({ "ls", env = "A=B" }) end)
  end)
end)

describe("stdin", function()
  it("is empty, bytes, a file, or what another task gave", function()
    assert.equal("", run({ "cat" }).stdout)
    local bytes = ("x\0"):rep(500000)
    assert.is_true(run({ "cat", stdin = bytes }).stdout == bytes)
    assert.equal("SHOUT", run({ "tr", "a-z", "A-Z", stdin = "shout" }).stdout)
    with_folder(function(dir)
      tutti.fs.write(dir .. "/in", "from a file")
      assert.equal("from a file", run({ "cat", stdin = { file = dir .. "/in" } }).stdout)
    end)
    local words = tutti.exec({ "printf", "b\na\n" })
    assert.equal("a\nb\n", run({ "sort", stdin = { from = words } }).stdout)
    local made = tutti.spawn(function() return "made" end)
    assert.equal("made", run({ "cat", stdin = { from = made } }).stdout)
  end)

  it("that nobody reads harms nobody", function()
    assert.equal(0, run({ "true", stdin = ("x"):rep(1000000) }).code)
  end)

  it("from a task fails as that task does, or for what cannot be bytes", function()
    local broken = tutti.spawn(function() error("broken") end)
    local after = tutti.exec({ "cat", stdin = { from = broken } })
    local err = failure(after)
    assert.same({ "skipped", "skipped" }, { after:state(), err.kind })
    assert.matches("broken", err.cause.message)
    broken:pawait()
    local wrong = failure(tutti.exec({ "cat", stdin = { from = tutti.spawn(function() return 1 end) } }))
    assert.same({ "usage", true }, { wrong.kind, wrong.message:find("returned number", 1, true) ~= nil })
    local cut = tutti.exec({ "head", "-c", "100", "/dev/zero", capture = 10 })
    local fed = tutti.exec({ "cat", stdin = { from = cut } })
    assert.matches('cut off after 10 bytes: raise "capture"', failure(fed).message)
    local exit = failure(tutti.exec({ "sh", "-c", "cat; exit 4", stdin = { from = tutti.exec({ "true" }) } }))
    assert.same({ "exit", 4 }, { exit.kind, exit.result.code })
  end)

  it("can be cancelled while it waits for the other task, and while it runs", function()
    local slow = tutti.spawn(function() tutti.sleep(60) end)
    local after = tutti.exec({ "cat", stdin = { from = slow } })
    after:cancel()
    assert.equal("cancelled", failure(after).kind)
    slow:cancel()
    slow:pawait()
    local running = tutti.exec({ "sleep", "60", stdin = { from = tutti.spawn(function() return "" end) } })
    tutti.sleep(0.02)
    running:cancel()
    assert.equal("cancelled", failure(running).kind)
  end)

  it("is checked at the call", function()
    usage('"stdin" must be a string, { file = PATH }', function() tutti.exec({ "cat", stdin = 5 }) end)
    usage('takes exactly one of file, from and inherit', function() tutti.exec({ "cat", stdin = {} }) end)
    usage('unknown option "fil"', function() tutti.exec({ "cat", stdin = { fil = "x" } }) end)
    usage("stdin.file must be a string", function() tutti.exec({ "cat", stdin = { file = 1 } }) end)
    usage('"stdin" must be { file = PATH }', function() tutti.exec({ "cat", stdin = { from = "x" } }) end)
    usage("is written stdin = { from = TASK }", function()
      tutti.exec({ "cat", stdin = tutti.spawn(function() end) })
    end)
  end)
end)

describe("stdout and stderr", function()
  it("are kept up to capture, always drained, and truncated says so", function()
    local big = run({ "head", "-c", "3000000", "/dev/zero" })
    assert.same({ true, 1024 * 1024, 0 }, { big.truncated, #big.stdout, big.code })
    local exact = run({ "head", "-c", "4096", "/dev/zero", capture = "4KiB" })
    assert.same({ false, 4096 }, { exact.truncated, #exact.stdout })
    local none = tutti.sh({ "echo lost; echo message >&2; exit 1", capture = 0, check = false }):await()
    assert.same({ true, "", "" }, { none.truncated, none.stdout, none.stderr })
  end)

  it("go to a file, new or appended, or nowhere", function()
    with_folder(function(dir)
      local file = dir .. "/out"
      assert.equal("", run({ "echo", "one", stdout = { file = file } }).stdout)
      run({ "echo", "two", stdout = { file = file, append = true } })
      tutti.sh({ "echo err >&2; echo out", stdout = "null", stderr = { file = dir .. "/err" } }):await()
      assert.equal("one\ntwo\n", tutti.fs.read(file))
      assert.equal("err\n", tutti.fs.read(dir .. "/err"))
      run({ "echo", "three", stdout = { file = file } })
      assert.equal("three\n", tutti.fs.read(file))
    end)
  end)

  it("inherit what the parent has", function()
    local script = 'local t = require "tutti" t.exec{ "echo", "through", stdout = "inherit" }:await() '
      .. 't.sh{ "cat; echo also >&2", stdin = { inherit = true }, stdout = "inherit", stderr = "inherit" }'
      .. ":await()"
    local r = run({ os.getenv("TUTTI_LUA"), "-e", script, stdin = "in" })
    assert.same({ "through\nin", "also\n" }, { r.stdout, r.stderr })
  end)

  it("are handed to a function line by line, the last without a newline too", function()
    local out, err = {}, {}
    local r = tutti.sh({
      "printf 'a\\n\\nb'; echo c >&2; head -c 200000 /dev/zero | tr '\\0' x; echo; echo end",
      stdout = function(line) out[#out + 1] = line end,
      stderr = function(line) err[#err + 1] = line end,
    }):await()
    assert.same({ "a", "", "b" .. ("x"):rep(200000), "end" }, out)
    assert.same({ "c" }, err)
    assert.equal("", r.stdout)
    local last = {}
    run({ "printf", "no newline", stdout = function(line) last[#last + 1] = line end })
    assert.same({ "no newline" }, last)
  end)

  it("hand lines over while the program runs", function()
    with_folder(function(dir)
      run({ "mkfifo", dir .. "/gate" })
      local first = tutti.channel(1)
      local program = tutti.sh({ 'echo ready; read -r x < "$1"', dir .. "/gate",
        stdout = function(line) tutti.spawn(function() first:send(line) end) end })
      assert.equal("ready", (first:recv()))
      assert.is_false(program:is_done())
      tutti.sh({ 'echo go > "$1"', dir .. "/gate" }):await()
      assert.equal(0, program:await().code)
    end)
  end)

  it("an error in the function fails the task with that error and stops the program", function()
    local seen = 0
    local task = tutti.sh({ "echo one; echo two; exec sleep 60", stdout = function()
      seen = seen + 1
      error("cannot take this")
    end })
    local err = failure(task)
    assert.equal("failed", task:state())
    assert.equal("error", err.kind)
    assert.matches("process_spec.lua:%d+: cannot take this", err.message)
    assert.matches("process_spec.lua:%d+: in", err.traceback)
    assert.equal(1, seen)
    local object = { code = 7 }
    assert.equal(object, failure(tutti.sh({ "echo x", stdout = function() error(object) end })).value)
    local waits = failure(tutti.sh({ "echo x", stdout = function() tutti.sleep(1) end }))
    assert.equal("usage", waits.kind)
    assert.matches("callback of the loop", waits.message)
  end)

  it("are checked at the call", function()
    usage('"stdout" must be "capture".- got "pipe"', function() tutti.exec({ "ls", stdout = "pipe" }) end)
    usage('"stderr" must be "capture".- got number', function() tutti.exec({ "ls", stderr = 2 }) end)
    usage('unknown option "path"', function() tutti.exec({ "ls", stdout = { path = "x" } }) end)
    usage("stdout.file must be a string, got nil", function()
      tutti.exec({ "ls", stdout = { append = true } })
    end)
  end)
end)

describe("timeout and cancel", function()
  -- A shell that has a child of its own and says both pids, in a file.
  local SCRIPT = 'sleep 60 & echo $$ $! > "$1/pids.new"; mv "$1/pids.new" "$1/pids"; wait'

  local function pids_of(dir)
    while not pcall(tutti.fs.stat, dir .. "/pids") do
      tutti.sleep(0.002)
    end
    local shell, child = tutti.fs.read(dir .. "/pids"):match("(%d+) (%d+)")
    return shell, child
  end

  it("stop the whole group", function()
    local limit, has_begun = 0.1, false
    repeat -- on a busy machine the shell may need longer to write its pids
      limit = limit * 2
      with_folder(function(dir)
        local timed = tutti.sh({ SCRIPT, dir, timeout = limit })
        local err = failure(timed)
        assert.equal("timeout", err.kind)
        assert.matches(("was stopped after its timeout of %g s"):format(limit), err.message, 1, true)
        assert.is_not_nil(err.result)
        has_begun = pcall(tutti.fs.stat, dir .. "/pids")
        if has_begun then
          local shell, child = pids_of(dir)
          assert.is_false(is_alive(shell) or is_alive(child))
        end
      end)
    until has_begun or limit > 20
    assert.is_true(has_begun)
    with_folder(function(dir)
      local cancelled = tutti.sh({ SCRIPT, dir })
      local shell, child = pids_of(dir)
      cancelled:cancel("no longer needed")
      local err = failure(cancelled)
      assert.same({ "cancelled", "no longer needed" }, { err.kind, err.reason })
      assert.equal("cancelled", cancelled:state())
      assert.is_false(is_alive(shell) or is_alive(child))
    end)
  end)

  it("kill what does not listen to TERM after the grace", function()
    local ready = tutti.channel(1)
    local deaf = tutti.sh({ "trap '' TERM; echo ready; while :; do sleep 1; done", grace = "50ms",
      stdout = function() tutti.spawn(function() ready:send(true) end) end })
    ready:recv()
    deaf:cancel()
    assert.equal("cancelled", failure(deaf).kind)
  end)

  it("a timeout fails whatever check says", function()
    assert.equal("timeout", failure(tutti.exec({ "sleep", "60", timeout = 0.02, check = false })).kind)
    assert.equal(0, run({ "true", timeout = "1m" }).code)
  end)

  it("of a task cancels the programs it started", function()
    with_folder(function(dir)
      local owner = tutti.spawn(function() tutti.sh({ SCRIPT, dir }):await() end)
      local shell, child = pids_of(dir)
      owner:cancel()
      owner:pawait()
      assert.is_false(is_alive(shell) or is_alive(child))
    end)
  end)
end)

describe("many and anywhere", function()
  it("200 at once", function()
    local many = {}
    for i = 1, 200 do
      many[i] = tutti.exec({ "echo", i })
    end
    for i, r in ipairs(tutti.all(many):await()) do
      assert.equal(i .. "\n", r.stdout)
    end
  end)

  it("inside pool tasks", function()
    local task = tutti.parallel(function()
      local t = require("tutti")
      local lines = {}
      local r = t.sh({ "echo $0 $1", "word", stdout = function(line) lines[#lines + 1] = line end }):await()
      local ok, err = t.exec({ "sh", "-c", "echo why >&2; exit 5" }):pawait()
      return r.code, lines[1], t.exec({ "cat", stdin = "in" }):await().stdout, ok, err.kind, err.result.code
    end)
    assert.same({ 0, "sh word", "in", false, "exit", 5 }, { task:await() })
    local failing = tutti.parallel(function()
      return require("tutti").exec({ "sh", "-c", "echo why >&2; exit 5" }):await()
    end)
    local err = failure(failing)
    assert.same({ "exit", 5 }, { err.kind, err.result.code })
    assert.matches("why", tostring(err))
  end)

  it("leave no descriptor and no child behind", function()
    local function fds()
      return #tutti.fs.list("/proc/self/fd")
    end
    run({ "true" })
    local before = fds()
    for _ = 1, 20 do
      run({ "cat", stdin = "x" })
      tutti.exec({ "no-such-program-here" }):pawait()
      tutti.exec({ "sleep", "60", timeout = 0.001 }):pawait()
    end
    assert.equal(before, fds())
  end)
end)

describe("sh", function()
  it("is a shell, with words that need no quoting", function()
    assert.equal("2", tutti.sh("printf 'x\\ny\\n' | wc -l"):await().stdout:match("%d+"))
    assert.equal("a b|c'd|", tutti.sh({ 'printf "%s|" "$@"', "a b", "c'd" }):await().stdout)
    assert.equal("/usr\n", tutti.sh({ "pwd", cwd = "/usr" }):await().stdout)
  end)

  it("shows its text in messages", function()
    local task = tutti.sh("exit 9")
    assert.equal("sh: exit 9", task:name())
    assert.equal('sh "exit 9" ended with status 9', failure(task).message)
    usage("tutti.sh: a line of shell", function() tutti.sh(5) end)
    usage("the line of shell to run is missing", function() tutti.sh({}) end)
    usage('tutti.sh: unknown option "shell"', function() tutti.sh({ "x", shell = "bash" }) end)
  end)
end)

describe("ownership", function()
  it("of a failure that nobody awaits is the parent's", function()
    local parent = tutti.spawn(function() tutti.exec({ "false" }) end)
    local err = failure(parent)
    assert.equal("group", err.kind)
    assert.equal("exit", err.errors[1].kind)
  end)

  it("of a detached program is the engine's root", function()
    with_folder(function(dir)
      local program
      tutti.spawn(function()
        program = tutti.sh({ 'until [ -e "$1" ]; do sleep 0.01; done', dir .. "/go", detach = true })
      end):await()
      assert.is_false(program:is_done())
      tutti.fs.write(dir .. "/go", "")
      assert.equal(0, program:await().code)
    end)
  end)
end)

describe("a program as a task", function()
  it("runs with run_on_skip also after what has failed, and then owns that failure", function()
    local broken = tutti.spawn(function() error("broken", 0) end)
    local r = run({ "echo", "ran", after = { broken }, run_on_skip = true })
    assert.same({ 0, "ran\n" }, { r.code, r.stdout })
    assert.equal("skipped", failure(tutti.exec({ "echo", after = { broken } })).kind)
    assert.equal("ran\n", tutti.sh({ "echo ran", after = { broken }, run_on_skip = true }):await().stdout)
  end)

  it("takes its stdin from a task with run_on_skip, whose failure is then its own", function()
    local fed = { "cat", stdin = { from = tutti.spawn(function() return "text" end) }, run_on_skip = true }
    assert.equal("text", run(fed).stdout)
    local broken = tutti.spawn(function() error("broken", 0) end)
    local task = tutti.exec({ "cat", stdin = { from = broken }, run_on_skip = true })
    assert.equal("broken", failure(task).message)
    assert.equal("failed", task:state())
  end)

  it("is started by priority", function()
    local low = tutti.exec({ "sleep", "600", name = "low one", priority = "low" })
    local high = tutti.exec({ "sleep", "600", name = "high one", priority = "high" })
    local ids = {}
    local function look(list)
      for _, node in ipairs(list) do
        if node.task == low or node.task == high then
          ids[node.task] = node.children[1] and node.children[1].id
        end
        look(node.children)
      end
    end
    tutti.spawn(function()
      repeat
        tutti.sleep(0.001)
        look(tutti.tasks())
      until ids[low] and ids[high]
    end):await()
    assert.is_true(ids[high] < ids[low])
    low:cancel()
    high:cancel()
    assert.equal("cancelled", failure(low).kind)
    assert.equal("cancelled", failure(high).kind)
  end)

  it("refuses a wrong one at the call", function()
    usage('tutti.exec: option "priority" must be "high", "normal" or "low", got "urgent"', function()
      return tutti.exec({ "true", priority = "urgent" })
    end)
    usage('tutti.sh: option "run_on_skip" must be a boolean, got string', function()
      return tutti.sh({ "true", run_on_skip = "yes" })
    end)
    usage('option "priority" belongs to the task: give it to the program that reads', function()
      return tutti.exec({ "cat", stdin = { from = { "true", priority = "high" } } })
    end)
  end)
end)
