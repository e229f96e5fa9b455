-- SPDX-License-Identifier: MIT
-- os.execute, io.popen and io.read in states that the engine made: signals reach the commands, and who waits
-- for input can be interrupted. All else is as in stock Lua (lua_spec.lua).
local program = require("tests.spec.support.program")
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local HEAD = "local tutti = require('tutti') "
local MASK = "grep SigBlk: /proc/self/status"

-- The signals that a command of popen begins with as blocked.
local function mask_of_popen(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return text
end

describe("a command", function()
  it("of a pool task begins with no signal blocked", function()
    local text = tutti.parallel(mask_of_popen, MASK):await()
    assert.matches("^SigBlk:%s+0+\n$", text)
    local ok, how, code = tutti.parallel(function()
      return os.execute("grep -q 'SigBlk:[[:space:]]*0*$' /proc/self/status")
    end):await()
    assert.same({ true, "exit", 0 }, { ok, how, code })
  end)

  it("of a script begins so too, but for Ctrl-Z", function()
    -- Bit 19 is SIGTSTP, which is not blocked where it was ignored when the program began.
    local code, out, err = program.run_script(HEAD .. ([[
      local pipe = io.popen(%q)
      io.write(pipe:read("a"))
      pipe:close()
      io.stdout:flush()
      os.execute(%q)]]):format(MASK, MASK))
    assert.equal(0, code, err)
    local first, second = out:match("^SigBlk:%s+(%x+)\nSigBlk:%s+(%x+)\n$")
    assert.equal(0, tonumber(first, 16) & ~(1 << 19), out)
    assert.equal(first, second)
  end)

  it("that reads from a task gets what is written, and its end is told", function()
    assert.same({ "exit", 3, true }, { tutti.parallel(function()
      local pipe = io.popen("read a && test \"$a\" = word && exit 3", "w")
      pipe:write("word\n")
      local _, how, code = pipe:close()
      return how, code, io.type(pipe) == "closed file"
    end):await() })
  end)

  it("that cannot be asked for so is refused as by Lua", function()
    local messages = { tutti.parallel(function()
      return select(2, pcall(io.popen, "true", "rw")), select(2, pcall(os.execute, {})), os.execute()
    end):await() }
    assert.matches("bad argument #2 to '.-popen' %(invalid mode%)$", messages[1])
    assert.matches("bad argument #1 to '.-execute' %(string expected, got table%)$", messages[2])
    assert.is_true(messages[3])
  end)

  it("of a pool task that is a descriptor short says why", function()
    local code, out, err = program.shell_script("ulimit -n 200; %s", HEAD .. [[
      print(tutti.parallel(function()
        local kept = {}
        repeat kept[#kept + 1] = assert(io.open("/dev/null")) until #kept > 1000 or not pcall(function()
          local file <close> = assert(io.open("/dev/null"))
        end)
        return select(2, io.popen("true")):match("Too many open files")
      end):await())]])
    assert.equal(0, code, err)
    assert.equal("Too many open files\n", out)
  end)
end)

-- A pipe that nobody writes into holds up who reads it. Without signals nothing can be interrupted.
if os.getenv("TUTTI_PREEMPT") ~= "hook" then
  describe("who waits for input", function()
    -- What the script prints; its input is a pipe that it holds open itself.
    local function outcome(source)
      local folder = program.folder({})
      local code, out, err = program.shell_script(("mkfifo %s/in && timeout 60 %%s <>%s/in")
        :format(folder, folder), HEAD .. source)
      program.remove(folder)
      assert.equal(0, code, err)
      return out, err
    end

    it("in the script is interrupted by a time limit", function()
      for _, read in ipairs({ "io.read()", "io.read('n')", "io.read('a')", "io.stdin:read(5)", "io.lines()()",
        "io.stdin:lines('L')()" }) do
        local out, err = outcome(("print(select(2, tutti.pcall(tutti.timeout, 0.1, function() return %s end))"
          .. ".kind)"):format(read))
        assert.equal("timeout\n", out, read .. err)
      end
    end)

    it("in a pool task ends with its cancellation", function()
      local out, err = outcome("local task = tutti.parallel(function() return io.read() end) "
        .. "tutti.sleep(0.1) task:cancel('enough') print(select(2, task:pawait()).reason)")
      assert.equal("enough\n", out, err)
    end)
  end)
end
