-- SPDX-License-Identifier: MIT
-- What tutti takes of a frame of a game (scripts/embed/game.c, no window): the p99 of tutti_poll with
-- 2 ms, by the clock and by the thread's own CPU time, which a busy machine does not spoil. 20,000
-- creatures have more to do at times than a budget holds.
local tutti = require("tutti")

local BUDGET_NS, SLACK_NS, FRAMES = 2000000, 500000, 300
local game = (os.getenv("TUTTI_BUILD") or "build") .. "/release/bench/tutti-bench-game"

local LINE = '{"bench":"game","system":"tutti","clock":"%s","creatures":%d,"frames":%d,"ns":%.0f,'
  .. '"p50":%.0f,"max":%.0f,"used_up":%d,"at_most":%d,"met":%s}\n'

for _, creatures in ipairs({ 200, 20000 }) do
  local out = tutti.exec({ game, "--frames", tostring(FRAMES), "--creatures", tostring(creatures),
    env = { SDL_VIDEODRIVER = "dummy" } }):await().stdout
  local moves = ("creatures: %d of %d done after %d moves"):format(creatures, creatures, 5 * creatures)
  assert(out:find(moves, 1, true) and out:find("24 uploaded", 1, true), out)
  local used_up = tonumber(out:match("used up (%d+) times"))
  for _, row in ipairs({ { "wall", "a poll" }, { "cpu", "its CPU time" } }) do
    local clock, key = table.unpack(row)
    local times = {}
    for text in out:match("\n" .. key .. ": ([^\n;]+)"):gmatch("[%d.]+ ms") do
      times[#times + 1] = tonumber(text:match("[%d.]+")) * 1e6
    end
    local limit = BUDGET_NS + SLACK_NS
    io.write(LINE:format(clock, creatures, FRAMES, times[2], times[1], times[3], used_up, limit,
      times[2] <= limit))
  end
end
