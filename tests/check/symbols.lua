-- SPDX-License-Identifier: MIT
-- needs: release
-- What the built libraries show and need: only tutti_* and luaopen_tutti* are exported, internal
-- names of the archives begin with tutti_ as well, nobody but the program links liblua, libtutti.so
-- has its SONAME, and two of them in one process keep to themselves.
-- Usage: lua5.4 tests/check/symbols.lua BUILD_FOLDER

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local build = ...

local function check_names(file, nm, patterns)
  local bad = {}
  local names = shell.lines(nm .. " --defined-only " .. shell.quote(build .. "/" .. file))
  local count = 0
  for _, line in ipairs(names) do
    local name = line:match("^%x+ %a ([^@%s]+)")
    if name then
      count = count + 1
      local good = false
      for _, pattern in ipairs(patterns) do
        good = good or name:find(pattern) ~= nil
      end
      if not good then
        bad[#bad + 1] = name
      end
    end
  end
  tap.ok(count > 0 and #bad == 0, file .. " defines only its own names", table.concat(bad, "\n"))
end

--- `libraries`: patterns of the sonames that may be needed.
local function check_needed(file, libraries)
  local bad, count = {}, 0
  for _, line in ipairs(shell.lines("readelf -d " .. shell.quote(build .. "/" .. file))) do
    local name = line:match("%(NEEDED%).*%[(.-)%]")
    local good = name == nil
    count = count + (name and 1 or 0)
    for _, pattern in ipairs(libraries) do
      good = good or name:find(pattern) ~= nil
    end
    if not good then
      bad[#bad + 1] = name
    end
  end
  tap.ok(count > 0 and #bad == 0, file .. " needs only its own libraries", table.concat(bad, "\n"))
end

--- Its SONAME, and that it is never unloaded.
local function check_dynamic(file, soname)
  local text = shell.capture("readelf -d " .. shell.quote(build .. "/" .. file))
  local found = text:match("%(SONAME%).*%[(.-)%]")
  tap.ok(found == soname, file .. " has the right SONAME", tostring(found))
  tap.ok(text:find("%f[%w]NODELETE%f[%W]") ~= nil, file .. " stays loaded while threads of ours may run")
end

--- A call from one of our functions to another must not be settled by the first library that has the name.
local function check_bound(file)
  local bad = {}
  for _, line in ipairs(shell.lines("readelf -rW " .. shell.quote(build .. "/" .. file))) do
    bad[#bad + 1] = line:match("JUMP_SLO?T?%s+%x+%s+(tutti_[%w_]+)")
  end
  tap.ok(#bad == 0, file .. " calls its own functions", table.concat(bad, "\n"))
end

local SYSTEM = { "^libc%.so", "^libuv%.so", "^libpthread%.so", "^libgcc_s%.so", "^ld%-linux" }

check_names("tutti.so", "nm -D", { "^tutti_%l", "^luaopen_tutti" })
check_needed("tutti.so", SYSTEM)
check_names("libtutti.so", "nm -D", { "^tutti_%l" })
check_needed("libtutti.so", SYSTEM)
check_names("libtutti.a", "nm -g", { "^tutti_" })
check_names("libtutti_lua.a", "nm -g", { "^tutti_", "^luaopen_tutti" })
check_dynamic("libtutti.so", "libtutti.so.0")
check_dynamic("tutti.so", nil)
check_bound("libtutti.so")
check_bound("tutti.so")
tap.finish()
