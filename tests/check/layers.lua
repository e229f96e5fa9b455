-- SPDX-License-Identifier: MIT
-- Includes go down only: fails when a file under engine/ includes what its room may not.
-- An exception is a line of the table with its reason, never a switch.

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

-- Per room: rooms, single internal headers, guarded system headers. tutti.h is open to all.
local MAY = {
  base = { "atomic_checker.h" }, -- tests put a model checker in its place
  sched = { "base" },
  io = { "base", "sched", "<uv.h>" },
  api = { "base", "sched", "io" },
  value = { "base", "<lua.h>", "<lauxlib.h>" },
  -- The Lua half is a customer of tutti.h; api/bridge.h is the one internal door it has.
  lua = {
    "value", "api/bridge.h", "tutti_lua.h",
    "<lua.h>", "<lauxlib.h>", "<lualib.h>", "<luv/*>",
  },
  cli = { "tutti_lua.h", "<lua.h>", "<lauxlib.h>", "<lualib.h>" },
  include = { "<lua.h>" }, -- in tutti_lua.h only, see below
}
local GUARDED = {
  "<uv.h>", "<uv/*>", "<lua.h>", "<lauxlib.h>", "<lualib.h>", "<lua.hpp>", "<luv/*>",
}

--- The name under which the table knows an include, or nil when the table says nothing of it.
local function guarded_name(include)
  for _, name in ipairs(GUARDED) do
    local stem = name:match("^(.*)%*>$")
    if name == include or (stem and include:sub(1, #stem) == stem) then
      return name
    end
  end
end

local function is_allowed(path, room, include)
  if include:sub(1, 1) == "<" then
    local name = guarded_name(include)
    if name == nil then
      return true
    elseif room == "include" then
      return path:match("tutti_lua%.h$") ~= nil and name == "<lua.h>"
    end
    include = name
  end
  local inner = include:match('^"(.*)"$') or include
  local target = inner:match("^(%w+)/")
  if inner == "tutti.h" or target == room then
    return true
  end
  for _, entry in ipairs(MAY[room]) do
    if entry == inner or entry == target then
      return true
    end
  end
  return false
end

local function check_file(path)
  local room = path:match("^engine/(%w+)/")
  if not MAY[room] then
    return tap.case(false, path .. ": a room that the table does not know")
  end
  local bad, number = {}, 0
  for line in io.lines(path) do
    number = number + 1
    local include = line:match('^%s*#%s*include%s+(["<][^">]+[">])')
    if include and not is_allowed(path, room, include) then
      bad[#bad + 1] = ("%s:%d: room '%s' may not include %s"):format(path, number, room, include)
    end
  end
  tap.case(#bad == 0, table.concat(bad, "\n"))
end

for _, path in ipairs(shell.lines("find engine -name '*.[ch]' | sort")) do
  check_file(path)
end
tap.rule("includes go down only")
tap.finish()
