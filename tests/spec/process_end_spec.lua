-- SPDX-License-Identifier: MIT
-- How programs end, and what is said of it: figures in the result, signals, statuses, hints.
local tutti = require("tutti")
local ends = require("tutti.process.ends")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local function message_of(given)
  local ok, err = tutti.exec(given):pawait()
  assert.is_false(ok)
  return err.message
end

local function judged(label, result, how)
  local _, message = ends.judge({ label = label, grace = 5 }, result, how or {})
  return message
end

describe("a result", function()
  it("tells the CPU time and the most memory", function()
    local r = tutti.exec({ "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done" }):await()
    assert.is_true(r.cpu_user + r.cpu_system > 0)
    assert.is_true(r.max_rss == nil or math.type(r.max_rss) == "integer" and r.max_rss > 0)
    local none = tutti.exec({ "no-such-program-here", check = false }):await()
    assert.same({}, { none.cpu_user, none.cpu_system, none.max_rss })
  end)
end)

describe("an end by a signal", function()
  it("says what that signal means", function()
    assert.equal('exec "sh" was killed by SIGKILL, probably out of memory',
      (message_of({ "sh", "-c", "kill -KILL $$" }):gsub("; it had .*", "")))
    assert.equal('exec "sh" was ended by SIGSEGV (an access to memory that is not its own)',
      (message_of({ "sh", "-c", "ulimit -c 0; kill -SEGV $$" }):gsub("; core dumped", "")))
    assert.equal('exec "sh" was ended by SIGTERM', message_of({ "sh", "-c", "kill $$" }))
    assert.matches("SIGPIPE %(nobody reads its output", message_of({ "sh", "-c", "kill -PIPE $$" }))
  end)

  it("says how much memory it had, and that there is a core", function()
    assert.equal("was killed by SIGKILL, probably out of memory; it had 1.5 GiB",
      judged('exec "cc"', { signal = "SIGKILL", max_rss = 1536 * 1024 * 1024 }))
    assert.equal("was ended by SIGABRT (it gave up by itself, as by abort() or a failed assert; "
      .. "core dumped)", judged('exec "cc"', { signal = "SIGABRT" }, { core_dumped = true }))
  end)

  it("that was tutti's own is not taken for another", function()
    local limit, timed = 0.025
    repeat -- on a busy machine the shell may need longer to come to its trap
      limit = limit * 2
      timed = message_of({ "sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout = limit,
        grace = "50ms" })
    until timed:find("killed", 1, true) or limit > 20
    assert.equal(('exec "sh" was stopped after its timeout of %g s, and killed, since it did not end '
      .. "within its grace of 0.05 s"):format(limit), timed)
  end)
end)

describe("the status of a shell", function()
  it("is explained", function()
    local ok, err = tutti.sh("no-such-command-here"):pawait()
    assert.is_false(ok)
    assert.equal('sh "no-such-command-here" ended with status 127 (a command in it was not found)',
      err.message)
    assert.matches("126 %(a command in it cannot be executed%)", message_of({ "sh", "-c", "/etc/passwd" }))
    assert.matches("status 139 %(128 %+ 11: a command in it was ended by SIGSEGV: an access",
      message_of({ "sh", "-c", "ulimit -c 0; sh -c 'kill -SEGV $$'; exit $?" }))
    assert.equal("ended with status 137 (128 + 9: a command in it was ended by SIGKILL: "
      .. "probably out of memory)", judged('exec "/usr/bin/bash"', { code = 137 }))
  end)

  it("is no more than a number of another program", function()
    assert.equal("ended with status 127", judged('exec "fish-counter"', { code = 127 }))
    assert.equal("ended with status 127", judged('exec "./my sh"', { code = 127 }))
    assert.equal("ended with status 2", judged('sh "exit 2"', { code = 2 }))
    assert.equal("ended with status 255", judged('sh "exit 255"', { code = 255 }))
  end)
end)

describe("what cannot be started", function()
  it("comes with a hint", function()
    assert.equal('exec "sleeep" cannot be started: No such file or directory (did you mean "sleep"?)',
      message_of({ "sleeep", "1" }))
    assert.matches('%(did you mean "/bin/sleep"%?%)', message_of({ "/bin/slep" }))
    assert.matches("%(it is not executable: chmod %+x%)", message_of({ "/etc/passwd" }))
    assert.matches("one word or variable has 200000 bytes", message_of({ "true", ("x"):rep(200000) }))
    local many = { "true" }
    for i = 2, 100 do
      many[i] = ("x"):rep(100000)
    end
    assert.matches("Argument list too long %(its words take %d+ bytes and its environment %d+, and %d+ is",
      message_of(many))
  end)

  it("says what has run out", function()
    local how = { start_text = "Too many open files", start_what = "stdout" }
    assert.matches("ulimit %-n", judged('exec "x"', { errno = "EMFILE" }, how))
  end)

  it("costs no search when any end is well", function()
    local r = tutti.exec({ "sleeep", check = false }):await()
    assert.equal("ENOENT", r.errno)
  end)
end)
