-- SPDX-License-Identifier: MIT
-- scripts/services.lua with real children: one that is killed starts again, Ctrl-C ends all of them in
-- reverse order, and nothing is left.
local describe, it, assert = describe, it, assert
local after_each, before_each = after_each, before_each
local procfile = dofile("scripts/services/procfile.lua")
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local PROGRAM = os.getenv("TUTTI_PROGRAM")
local LIMIT = 60 -- seconds until a hang is a failure

describe("services", function()
  local path

  before_each(function()
    path = os.tmpname()
  end)

  after_each(function()
    os.remove(path)
  end)

  -- Run the script on a Procfile. `lines` is what it has printed so far, and what it said on stderr; `task`
  -- is the process; `pid` comes with its first line.
  local function start(text, words)
    tutti.fs.write(path, text)
    local run = { lines = {}, said = {} }
    local changed = tutti.channel(10000)
    local function take(line)
      if not run.pid then
        run.pid = line
      else
        run.lines[#run.lines + 1] = line
      end
      changed:send(true)
    end
    run.changed = changed
    local argv = { "/bin/sh", "-c", 'echo $$; exec "$0" run scripts/services.lua "$@"', PROGRAM,
      table.unpack(words or { path }) }
    argv.stdout, argv.check, argv.timeout = take, false, LIMIT
    argv.stderr = function(line) run.said[#run.said + 1] = line end
    run.task = tutti.exec(argv)
    return run
  end

  -- Wait until it has printed a line that matches, `count` times; returns the last one's capture.
  local function wait_for(run, pattern, count)
    return tutti.timeout(LIMIT, function()
      while true do
        local left = count or 1
        for _, line in ipairs(run.lines) do
          local found = line:match(pattern)
          left = found and left - 1 or left
          if left == 0 then
            return found
          end
        end
        run.changed:recv()
      end
    end)
  end

  local function kill(name, pid)
    return tutti.exec({ "/bin/kill", "-" .. name, pid, check = false, stderr = "null" }):await().code == 0
  end

  -- Does it run? One that has ended but that nobody has waited for does not.
  local function runs(pid)
    local ok, stat = pcall(tutti.fs.read, ("/proc/%s/stat"):format(pid))
    return ok and not stat:match("^%d+ %b() ([ZX])")
  end

  local function position(run, line)
    for i, found in ipairs(run.lines) do
      if found == line then
        return i
      end
    end
    error("never printed: " .. line .. "\n" .. table.concat(run.lines, "\n"))
  end

  it("starts a killed child again, and on Ctrl-C stops all in reverse order, grandchildren too", function()
    tutti.spawn(function()
      local run = start("web: echo pid $$; exec sleep 1000\ndb?: sleep 1000 & echo pid $!; wait\n")
      local web, db = wait_for(run, "^web   | pid (%d+)"), wait_for(run, "^db    | pid (%d+)")
      assert.is_true(kill("KILL", web))
      local again = wait_for(run, "^web   | pid (%d+)", 2)
      assert.not_equal(web, again)
      assert.is_true(kill("INT", run.pid))
      assert.equal(0, run.task:await().code)
      position(run, "      | Ctrl-C: stopping")
      assert.is_true(position(run, "db    | stopped") < position(run, "web   | stopped"))
      for _, pid in ipairs({ web, db, again, run.pid }) do
        assert.is_false(runs(pid))
      end
      assert.matches('"web" failed: .*was ended by SIGKILL.*; restart 1 of 5', run.said[1])
    end):await()
  end)

  it("stops in order on TERM as well", function()
    tutti.spawn(function()
      local run = start("one: exec sleep 1000\ntwo: echo pid $$; exec sleep 1000\n")
      local two = wait_for(run, "^two   | pid (%d+)")
      assert.is_true(kill("TERM", run.pid))
      assert.equal(0, run.task:await().code)
      assert.same({ "      | SIGTERM: stopping", "two   | stopped", "one   | stopped" },
        table.move(run.lines, #run.lines - 2, #run.lines, 1, {}))
      assert.is_false(runs(two))
    end):await()
  end)

  it("goes on without one that may go, and gives up with 1 when one must not", function()
    tutti.spawn(function()
      local fine = start("once?: exit 0\n")
      assert.equal(0, fine.task:await().code)
      assert.same({ "once  | started", "once  | ended, and is done" }, fine.lines)
      local broken = start("stays: echo pid $$; exec sleep 1000\nbad: exit 3\n")
      local stays = wait_for(broken, "^stays | pid (%d+)")
      assert.equal(1, broken.task:await().code)
      assert.equal('services: supervisor "services": "bad" is given up after 5 restarts: ended with status 3',
        broken.said[#broken.said])
      assert.is_false(runs(stays))
    end):await()
  end)

  it("says what is wrong with its words and its file, status 2", function()
    tutti.spawn(function()
      for text, message in pairs({
        ["web sleep 1\n"] = "line 1: NAME: COMMAND (or NAME?: COMMAND) was expected, got \"web sleep 1\"",
        ["# one\n\na: b\na?: c\n"] = "line 4: there is a service \"a\" already, in line 3",
        ["# none\n"] = "there is no service in it",
      }) do
        local run = start(text)
        local code = run.task:await().code
        assert.equal(2, code, run.said[1])
        assert.equal(("services: %s, %s"):format(path, message), run.said[1])
      end
      for _, words in ipairs({ { "/no/such/file" }, { "--frob" }, { "--for" }, { "--for", "long", path },
        { path, path } }) do
        local run = start("a: sleep 1\n", words)
        local code = run.task:await().code
        assert.equal(2, code, run.said[1])
        assert.matches("^services: ", run.said[1])
      end
    end):await()
  end)

  it("reads names, marks, comments and commands with colons", function()
    assert.same({ { name = "web-1", command = "serve http://x:80 # loud", may_go = false },
      { name = "b.c", command = "y", may_go = true } },
      procfile.parse("\r\n  # c: d\r\nweb-1:serve http://x:80 # loud\r\n b.c? : y \n"))
  end)
end)
