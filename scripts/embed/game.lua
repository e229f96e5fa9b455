-- SPDX-License-Identifier: MIT
-- How the creatures of game.c behave: a task each, in the game's own Lua state.
-- The game gives game.count, game.kick(id, vx, vy), game.position(id) and game.finish(id).
local tutti = require("tutti")
local game = ...

local MOVES = 5

-- Wait a little, look where we are, head for the middle and then somewhere else. Each sleep ends in a
-- tutti_poll of some frame; meanwhile the creature costs no thread and no work.
local function behave(id)
  local random = id * 7919 % 997
  for move = 1, MOVES do
    random = (random * 31 + move) % 997
    tutti.sleep(0.05 + random / 997 / 10)
    local x, y = game.position(id)
    game.kick(id, (0.5 - x) + random / 997 - 0.5, (0.5 - y) + random / 1994)
  end
  game.finish(id)
end

for id = 1, game.count do
  tutti.spawn({ name = "creature" }, behave, id)
end
