-- SPDX-License-Identifier: MIT
-- 2,000 x /bin/true as tasks of a graph, 4 at a time, against make -j4 and ninja -j4 with as many targets:
-- whole runs, from the start of the program to its end. They take turns, and the median of the rounds' ratios
-- counts.
local tutti = require("tutti")

local N, ROUNDS = 2000, tonumber((...)) or 9
local PROGRAM = (os.getenv("TUTTI_BUILD") or "build") .. "/release/tutti"
local LINE = '{"bench":"exec_graph","system":"%s","n":%d,"ns":%.0f,"min":%.0f,"max":%.0f}\n'
local RATIO = '{"bench":"exec_graph","n":%d,"ratio":%.3f,"against":"%s","at_most":%.2f,"met":%s}\n'

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

local function write_makefile(path)
  local names, rules = {}, {}
  for i = 1, N do
    names[i], rules[i] = "t" .. i, ("t%d:\n\t@/bin/true\n"):format(i)
  end
  tutti.fs.write(path, (".PHONY: all %s\nall: %s\n%s"):format(table.concat(names, " "),
    table.concat(names, " "), table.concat(rules)))
end

local function write_ninja(path)
  local lines = { "rule true", "  command = /bin/true" }
  for i = 1, N do
    lines[#lines + 1] = ("build t%d: true"):format(i)
  end
  tutti.fs.write(path, table.concat(lines, "\n") .. "\n")
end

local function sides(dir)
  write_makefile(dir .. "/Makefile")
  write_ninja(dir .. "/build.ninja")
  return {
    { name = "tutti", argv = { PROGRAM, "run", "tests/bench/lua/exec_graph.lua", tostring(N) } },
    { name = "make", argv = { "make", "-s", "-j4", "-C", dir, "all" }, at_most = 1.0 },
    { name = "ninja", argv = { "ninja", "-j4", "-C", dir }, at_most = 0.7 },
  }
end

local function measure(side)
  local t0 = tutti.now()
  tutti.exec(side.argv):await()
  return (tutti.now() - t0) / N * 1e9
end

local function compare(all)
  for round = 0, ROUNDS do -- round 0 warms up
    for _, side in ipairs(all) do
      side[round] = measure(side)
    end
  end
  for _, side in ipairs(all) do
    io.write(LINE:format(side.name, N, median(side), math.min(table.unpack(side)),
      math.max(table.unpack(side))))
  end
  for k = 2, #all do
    local ratios = {}
    for round = 1, ROUNDS do
      ratios[round] = all[1][round] / all[k][round]
    end
    io.write(RATIO:format(N, median(ratios), all[k].name, all[k].at_most, median(ratios) <= all[k].at_most))
  end
end

local dir = os.tmpname()
os.remove(dir)
tutti.fs.mkdir(dir)
local ok, err = pcall(compare, sides(dir))
tutti.fs.remove(dir, { recursive = true })
assert(ok, err)
