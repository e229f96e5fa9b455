-- SPDX-License-Identifier: MIT
-- Very many programs, and few descriptors or processes for them: none is lost, nothing is left.
local tutti = require("tutti")
local build = require("tests.spec.support.build")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local COUNT = build.is_release and 10000 or build.is_tsan and 100 or 400
local LANES = 8

local function fds()
  return #tutti.fs.list("/proc/self/fd")
end

-- Children of this process, zombies too, but those that have left nothing but a name.
local function children()
  local own = tutti.fs.read("/proc/self/stat"):match("^%d+")
  local found = {}
  for _, entry in ipairs(tutti.fs.list("/proc")) do
    local name = type(entry) == "table" and entry.name or entry
    local ok, stat = pcall(tutti.fs.read, "/proc/" .. name .. "/stat")
    if name:find("^%d+$") and ok and stat:match("^.*%) %a (%d+)") == own then
      found[#found + 1] = name .. " " .. stat:match("%b()")
    end
  end
  return found
end

-- One of every sort now and then, else the shortest program.
local SORTS = {
  function() return tutti.exec({ "false", check = false }):await().code == 1 end,
  function() return tutti.exec({ "no-such-program-here" }):pawait() == false end,
  function() return tutti.exec({ "sleep", "60", timeout = 0.001 }):pawait() == false end,
  function() return tutti.exec({ "cat", stdin = "x" }):await().stdout == "x" end,
  function() return tutti.exec({ "cat", stdin = { from = { "echo", "x" } } }):await().stdout == "x\n" end,
  function()
    local task = tutti.exec({ "sleep", "60" })
    task:cancel()
    return task:pawait() == false
  end,
}

describe("many programs", function()
  it(("leave no zombie and no descriptor (%d of them)"):format(COUNT), function()
    local before, started, good, lanes = fds(), 0, 0, {}
    for lane = 1, LANES do
      lanes[lane] = tutti.spawn(function()
        while started < COUNT do
          started = started + 1
          local sort = SORTS[started % 100]
          if sort and sort() or not sort and tutti.exec({ "/bin/true" }):await().code == 0 then
            good = good + 1
          end
        end
      end)
    end
    tutti.all(lanes):await()
    assert.equal(COUNT, good)
    assert.equal(before, fds())
    assert.same({}, children())
  end)
end)

-- What `script` prints in a shell that has less of something.
local function under(limit, script)
  return tutti.sh({ limit .. '; exec "$@"', os.getenv("TUTTI_LUA"), "-e", script, timeout = "50s" })
    :await().stdout
end

describe("programs that run short", function()
  it("of descriptors wait for others", function()
    assert.equal("200\n", under("ulimit -n 64", [[
      local t, many, good = require "tutti", {}, 0
      for i = 1, 200 do many[i] = t.exec{ "sh", "-c", "echo x >&2; echo " .. i, stdin = "in" } end
      for i = 1, 200 do good = good + (many[i]:await().stdout == i .. "\n" and 1 or 0) end
      print(good)
    ]]))
  end)

  it("fail with a reason when nobody can give any back", function()
    -- All that are left are taken first, but the few that the engine itself may still open.
    assert.equal("EMFILE true\n", under("ulimit -n 32", [[
      local t, held = require "tutti", {}
      t.exec{ "true" }:await()
      repeat
        local file = io.open("/dev/null")
        held[#held + 1] = file
      until not file
      local ok, err = t.exec{ "true" }:pawait()
      print(err.errno, err.message:find("ulimit -n", 1, true) ~= nil)
    ]]):gsub("\t", " "))
  end)
end)
