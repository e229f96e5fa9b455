-- SPDX-License-Identifier: MIT
--- Figures of the Lua half: two programs take turns, each round in a process of its own, and the median
--- of the rounds' ratios is the figure. A program prints {"ns":..} or {"bytes":..}, once it has checked
--- what it did.
---@module "support.figure"
local tutti = require("tutti")

local figure = {}

local BUILD = (os.getenv("TUTTI_BUILD") or "build") .. "/release/"

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

--- Run tests/bench/lua/FILE with its words: by our program, or by `side.by` (lua5.4, node).
---@return string # what it printed
function figure.run(side)
  local argv = side.by and { side.by } or { BUILD .. "tutti", "run" }
  argv[#argv + 1] = "tests/bench/lua/" .. side[1]
  table.move(side, 2, #side, #argv + 1, argv)
  argv.env = side.env
  return tutti.exec(argv):await().stdout
end

local function measure(side, unit)
  local out = figure.run(side)
  return tonumber(out:match(('"%s":([%%d.]+)'):format(unit))) or error("no " .. unit .. " in: " .. out)
end

local function met(goal, ratio)
  if goal.at_least then
    return (',"at_least":%.4g,"met":%s'):format(goal.at_least, ratio >= goal.at_least)
  elseif goal.at_most then
    return (',"at_most":%.4g,"met":%s'):format(goal.at_most, ratio <= goal.at_most)
  end
  return ""
end

local LINE = '{"bench":"%s","system":"%s","n":%d,"%s":%.1f,"min":%.1f,"max":%.1f}\n'
local RATIO = '{"bench":"%s","n":%d,"ratio":%.3f,"against":"%s","%s":%.1f,"against_%s":%.1f%s}\n'

local function print_side(given, unit, name, values)
  io.write(LINE:format(given.bench, name, given.n, unit, median(values), math.min(table.unpack(values)),
    math.max(table.unpack(values))))
end

--- Let `given.ours` take turns with each of `given.others`; print a line for each of them and the ratios.
--- A side is { FILE, words..., name =, by =, env = }; another's goal is at_most (or at_least) times it.
function figure.compare(given)
  local unit, rounds = given.unit or "ns", given.rounds or 5
  local mine, theirs, ratios = {}, {}, {}
  for i = 1, rounds do
    mine[i] = measure(given.ours, unit)
    for k, other in ipairs(given.others) do
      theirs[k], ratios[k] = theirs[k] or {}, ratios[k] or {}
      theirs[k][i] = measure(other, unit)
      ratios[k][i] = mine[i] / theirs[k][i]
    end
  end
  print_side(given, unit, given.ours.name or "tutti", mine)
  for k, other in ipairs(given.others) do
    print_side(given, unit, other.name, theirs[k])
    io.write(RATIO:format(given.bench, given.n, median(ratios[k]), other.name, unit, median(mine), unit,
      median(theirs[k]), met(other, median(ratios[k]))))
  end
end

--- A figure with a limit of its own, printed as such: the median of `rounds` runs.
function figure.limit(given)
  local values = {}
  for i = 1, given.rounds or 3 do
    values[i] = measure(given.ours, given.unit)
  end
  io.write(('{"bench":"%s","system":"tutti","n":%d,"%s":%.1f%s}\n'):format(given.bench, given.n, given.unit,
    median(values), met(given, median(values))))
end

return figure
