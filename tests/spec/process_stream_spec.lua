-- SPDX-License-Identifier: MIT
-- Bytes to and from programs: lines as they come, inputs that nobody reads, no terminal.
local tutti = require("tutti")
local build = require("tests.spec.support.build")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local MIB = 1024 * 1024

local function lines_of(given)
  local lines = {}
  given.stdout = function(line) lines[#lines + 1] = line end
  tutti.exec(given):await()
  return lines
end

describe("lines", function()
  it("are the bytes between newlines", function()
    assert.same({ "a\r", "b\r" }, lines_of({ "printf", "a\\r\\nb\\r\\n" }))
    local bytes = "\\377\\376\\n\\300\\200\\n\\000x\\n"
    assert.same({ "\255\254", "\192\128", "\0x" }, lines_of({ "printf", bytes }))
    assert.same({ "", "", "" }, lines_of({ "printf", "\\n\\n\\n" }))
    assert.same({}, lines_of({ "true" }))
    assert.same({ "10%\r50%\r100%" }, lines_of({ "printf", "10%%\\r50%%\\r100%%" }))
  end)

  it("come whole, wherever the pieces end", function()
    local lines = lines_of({ "sh", "-c", "for i in 1 2 3; do printf ab; sleep 0.01; printf 'c\\nd'; done" })
    assert.same({ "abc", "dabc", "dabc", "d" }, lines)
    local many = lines_of({ "seq", "1", "50000" })
    assert.same({ 50000, "1", "50000" }, { #many, many[1], many[50000] })
  end)

  it("of more than 64 MiB fail the task, which is stopped", function()
    if not build.is_release then
      return -- the same code, and minutes of copying
    end
    local seen = 0
    local task = tutti.sh({ "head -c 80000000 /dev/zero; exec sleep 60",
      stdout = function() seen = seen + 1 end })
    local ok, err = task:pawait()
    assert.same({ false, "error", 0 }, { ok, err.kind, seen })
    assert.matches("wrote a line of more than 64 MiB", err.message)
  end)
end)

describe("a worker that is busy", function()
  it("holds up the program that writes to it, and loses nothing", function()
    local dir = os.tmpname()
    os.remove(dir)
    local count, was_done = tutti.parallel(function(flag)
      local t = require("tutti")
      local seen, early = 0, nil
      t.sh({ 'yes "$(printf %999d 1)" | head -20000; : > "$1"', flag, stdout = function()
        seen = seen + 1
        if seen == 1 then
          os.execute("sleep 0.2")
          early = io.open(flag) ~= nil
        end
      end }):await()
      return seen, early
    end, dir):await()
    os.remove(dir)
    assert.same({ 20000, false }, { count, was_done })
  end)
end)

describe("stdin", function()
  it("of 100 MiB harms nobody who does not read it", function()
    local bytes = ("x"):rep((build.is_release and 100 or 10) * MIB)
    assert.equal(0, tutti.exec({ "true", stdin = bytes }):await().code)
    bytes = bytes:sub(1, 10 * MIB)
    local early = tutti.sh({ "head -c 5; exec <&-; sleep 0.05; echo ' done'", stdin = bytes }):await()
    assert.equal("xxxxx done\n", early.stdout)
    local task = tutti.exec({ "sleep", "60", stdin = bytes })
    tutti.sleep(0.02)
    task:cancel()
    assert.is_false((task:pawait()))
    assert.equal("cancelled", task:state())
  end)

  it("arrives whole while the output is read", function()
    local bytes = ("0123456789abcde\n"):rep(10 * MIB // 16)
    local r = tutti.exec({ "cat", stdin = bytes, capture = "20MiB" }):await()
    assert.is_true(r.stdout == bytes)
  end)

  it("ends at once where it is empty, so that nobody waits at a terminal", function()
    assert.equal("eof", tutti.sh("read -r line || printf eof"):await().stdout)
  end)
end)

describe("a program", function()
  it("sees no terminal, and the environment as it is", function()
    local script = "for i in 0 1 2; do test -t $i && echo tty $i; done; echo \"${TERM-none}\""
    assert.equal((os.getenv("TERM") or "none") .. "\n", tutti.sh(script):await().stdout)
  end)

  it("has no descriptor but its three", function()
    local held = io.open("/dev/null") -- without close-on-exec, as Lua opens files
    local r = tutti.sh("ls /proc/self/fd"):await()
    held:close()
    assert.equal("0 1 2 3", (r.stdout:gsub("\n", " "):gsub(" $", ""))) -- 3 is that folder
  end)
end)

describe("a program that has ended", function()
  it("is not held up by what it left behind", function()
    local t0 = tutti.now()
    local r = tutti.sh("echo out; sleep 60 & echo $!"):await()
    assert.is_true(r.leaked)
    assert.is_true(tutti.now() - t0 < 30)
    local pid = r.stdout:match("out\n(%d+)")
    tutti.exec({ "kill", pid }):await()
    local away = tutti.sh("sleep 60 > /dev/null 2>&1 & echo $!"):await()
    assert.is_false(away.leaked)
    tutti.exec({ "kill", away.stdout:match("%d+") }):await()
  end)

  it("by its time limit is not held up either, in whatever state it is", function()
    local states = {
      "kill -STOP $$",                       -- stopped
      "exec >&- 2>&-; sleep 60",             -- its streams are closed
      "sleep 60 & wait",                     -- it waits for a child
      "trap '' TERM INT HUP; sleep 60",      -- deaf
      "sh -c 'kill -STOP $$' & wait",        -- a child is stopped
      "setsid sleep 1 & sleep 60",           -- a child has left the group, and holds the streams
    }
    local tasks = {}
    for i, line in ipairs(states) do
      tasks[i] = tutti.sh({ line, timeout = "50ms", grace = "50ms" })
    end
    for i, end_of in ipairs(tutti.settle(tasks):await()) do
      assert.same({ false, "timeout", states[i] }, { end_of.ok, end_of.error.kind, states[i] })
    end
  end)
end)
