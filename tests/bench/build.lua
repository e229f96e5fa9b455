-- SPDX-License-Identifier: MIT
-- scripts/build.lua against make -j2 on a generated project of 50 sources with the same flags: all of it from
-- nothing, by turns, where the median of the rounds' ratios counts; and with nothing to do.
package.path = "./?.lua;" .. package.path
local tutti = require("tutti")
local c_project = require("tests.support.c_project")

local SOURCES, ROUNDS, IDLE_ROUNDS = 50, tonumber((...)) or 5, 21
local AT_MOST, IDLE_AT_MOST = 1.05, 60e6
local program = (os.getenv("TUTTI_BUILD") or "build") .. "/release/tutti"

local dir = tutti.exec({ "mktemp", "-d" }):await().stdout:gsub("\n", "")
tutti.defer(function()
  tutti.shield("1m", function() tutti.fs.remove(dir, { recursive = true }) end)
end)
local sum = c_project.make(dir, { sources = SOURCES, headers = 12, lines = 20,
  flags = "-O2 -Iinclude -Wall" })

local function nanoseconds(argv, made)
  local t0 = tutti.now()
  tutti.exec(argv):await()
  local ns = (tutti.now() - t0) * 1e9
  local out = tutti.exec({ dir .. "/" .. made }):await().stdout
  assert(out == ("%d\n"):format(sum), "the program prints " .. out)
  return ns
end

local function ours()
  return nanoseconds({ program, "run", "scripts/build.lua", "-j", 2, dir }, "program")
end

local function theirs()
  return nanoseconds({ "make", "-C", dir, "-j2" }, "made/program")
end

local function clean()
  tutti.exec({ "rm", "-rf", dir .. "/.build", dir .. "/program", dir .. "/made" }):await()
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

clean()
theirs() -- warm up: the compiler and the project are in memory
local mine, makes, ratios = {}, {}, {}
for i = 1, ROUNDS do
  clean()
  mine[i] = ours()
  clean()
  makes[i] = theirs()
  ratios[i] = mine[i] / makes[i]
end
local ratio = median(ratios)
io.write(('{"bench":"build","case":"clean","n":%d,"ratio":%.3f,"against":"make -j2","ns":%.0f,'
  .. '"against_ns":%.0f,"at_most":%.2f,"met":%s}\n'):format(SOURCES, ratio, median(mine), median(makes),
    AT_MOST, ratio <= AT_MOST))

ours()
local idle, idle_makes = {}, {}
for i = 1, IDLE_ROUNDS do
  idle[i], idle_makes[i] = ours(), theirs()
end
io.write(('{"bench":"build","case":"nothing to do","n":%d,"ns":%.0f,"make_ns":%.0f,"at_most":%.0f,'
  .. '"met":%s}\n')
  :format(SOURCES, median(idle), median(idle_makes), IDLE_AT_MOST, median(idle) <= IDLE_AT_MOST))
