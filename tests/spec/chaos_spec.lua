-- SPDX-License-Identifier: MIT
-- Random programs: whatever tasks do to each other, what the design promises holds.
-- TUTTI_SEED=N replays the round that failed (with TUTTI_ROUNDS=1), TUTTI_ROUNDS sets the length.
local chaos = require("tests.spec.support.chaos")
local core = require("tutti.core")
local tutti = require("tutti")

local SEED = tonumber(os.getenv("TUTTI_SEED")) or os.time() * 1000 + math.random(0, 999)
local ROUNDS = tonumber(os.getenv("TUTTI_ROUNDS")) or 400
local SECONDS = 3

-- Failures that nobody awaits are meant here: keep them off stderr.
local function quiet(f)
  local real = io.stderr
  local null <close> = assert(io.open("/dev/null", "w"))
  rawset(io, "stderr", null)
  local ok, err = pcall(f)
  rawset(io, "stderr", real)
  if not ok then
    error(err, 0)
  end
end

local function run(seed, ends)
  local list
  quiet(function() list = chaos.round(seed, ends) end)
  assert(#list == 0, ("TUTTI_SEED=%d TUTTI_ROUNDS=1\n%s"):format(seed, table.concat(list, "\n")))
  local pending = core.pending()
  assert(#pending == 0, ("TUTTI_SEED=%d: still pending: %s"):format(seed, tostring(pending[1])))
end

-- The states in which no task has ended yet, on the loop or on the pool.
local function unseen(ends)
  local list = {}
  for _, state in ipairs({ "done", "failed", "cancelled", "skipped" }) do
    for _, key in ipairs({ state, state .. " on the pool" }) do
      list[#list + 1] = not ends[key] and key or nil
    end
  end
  return list
end

local function memory()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count")
end

describe("a random program", function()
  it("keeps every promise, and leaves nothing behind", function()
    local ends = {}
    local until_s = tutti.now() + SECONDS
    local warm_up, start = math.min(50, ROUNDS // 4), nil
    for round = 0, ROUNDS - 1 do
      if round == warm_up then
        start = memory()
      end
      run(SEED + round, ends)
      if tutti.now() > until_s and #unseen(ends) == 0 then -- on a slow machine the time is over soon
        break
      end
    end
    local grown = start and memory() - start or 0
    assert.same({}, ROUNDS > 50 and unseen(ends) or {})
    assert.is_true(grown < 512, ("TUTTI_SEED=%d: %.0f KiB more than at the start"):format(SEED, grown))
  end)
end)
