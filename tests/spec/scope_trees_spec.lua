-- SPDX-License-Identifier: MIT
-- Random trees of scopes in the virtual clock, cancelled at a random moment: all is gone, in the right order,
-- and nothing is left behind. TUTTI_SEED replays one seed, TUTTI_ROUNDS sets how many trees there are.
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local core = require("tutti.core")
local describe, it, assert = describe, it, assert
local _ENV = _G -- luacheck: ignore

local IS_SLOW = not build.is_release
local TREES = tonumber(os.getenv("TUTTI_ROUNDS")) or IS_SLOW and (build.is_tsan and 50 or 300) or 10000
local TREES_A_TEST = 50 -- one worker's state serves so many
local TICK = 0.5        -- all times are whole ticks: so that much happens at the same instant
local SHIELD = 3 * TICK
local ROUNDED = 1e-6    -- delays of retries are no whole ticks

core.helper("report", function() end) -- thousands of failures that are planned

local function roll(n) return math.floor(core.random() * n) + 1 end
local function pause(most) tutti.sleep(roll(most + 1) * TICK - TICK) end

-- ---- a tree --------------------------------------------------------------------------------

-- What a tree notes while it grows: how many bodies are open, and what was wrong.
local function new_tree()
  return { open = 0, bodies = 0, shields = 0, wrong = {}, channel = tutti.channel(2), gate = tutti.event(),
    permits = tutti.semaphore(1) }
end

local function check(tree, condition, ...)
  if not condition then
    tree.wrong[#tree.wrong + 1] = (...):format(select(2, ...))
  end
end

-- Cleanup that may await although the task has been cancelled.
local function clean_slowly(tree)
  tree.shields = tree.shields + 1
  local before = tutti.now()
  pcall(tutti.shield, SHIELD, pause, 6)
  local took = tutti.now() - before
  check(tree, took <= SHIELD + ROUNDED, "a shield of %g s took %g s", SHIELD, took)
end

-- Runs f between an opening and a closing that are counted and nest; `owner` must outlive it.
local function guarded(tree, owner, f)
  local me = tutti.current()
  local open = { closed = 0 }
  local function guard(number)
    return setmetatable({}, { __close = function()
      check(tree, open.closed == 2 - number, "guard %d closed too early or late", number)
      open.closed = open.closed + 1
      check(tree, not me:is_done(), "a task settled before its cleanup")
      if roll(4) == 1 then
        clean_slowly(tree)
      end
      if number == 1 then
        check(tree, owner == nil or not owner:is_done(), "a task outlived its owner")
        tree.open = tree.open - 1
      end
    end })
  end
  tree.open, tree.bodies = tree.open + 1, tree.bodies + 1
  local _ <close> = guard(1)
  local _ <close> = guard(2)
  return f()
end

local grow

-- Start a task below the running one: what it does is one of LEAVES, or a smaller tree.
local function sprout(tree, depth, spawn)
  local owner = tutti.current()
  return spawn(function()
    return guarded(tree, owner, function() return grow(tree, depth - 1) end)
  end)
end

local LEAVES = {
  function() pause(8) end,
  function() tutti.checkpoint() end,
  function(tree) tree.channel:recv() end,
  function(tree) tree.channel:send(1) end,
  function(tree) tree.gate:wait() end,
  function(tree)
    local _ <close> = tree.permits:acquire()
    pause(4)
  end,
  function() error("planned") end,
  function(tree)
    local _ = tree
    for _ = 1, roll(20) do
      tutti.checkpoint()
    end
  end,
  function() -- a pool task that sleeps, and one that fails
    local last = roll(6)
    return tutti.parallel(function()
      require("tutti").sleep(last)
      return last < 5 or error("planned on the pool")
    end):await()
  end,
  function(tree) -- swallows what it can
    for _ = 1, 3 do
      pcall(pause, 3)
    end
    tree.swallowed = true
  end,
}

local function several(tree, depth, spawn)
  local tasks = {}
  for i = 1, roll(3) do
    tasks[i] = sprout(tree, depth, spawn)
    if roll(3) == 1 then
      pause(2)
    end
  end
  return tasks
end

local BRANCHES = {
  function(tree, depth) several(tree, depth, tutti.spawn) end, -- the implicit join
  function(tree, depth) tutti.all(several(tree, depth, tutti.spawn)):await() end,
  function(tree, depth) tutti.settle(several(tree, depth, tutti.spawn)):await() end,
  function(tree, depth) tutti.race(several(tree, depth, tutti.spawn)):await() end,
  function(tree, depth) tutti.any(several(tree, depth, tutti.spawn)):await() end,
  function(tree, depth)
    tutti.scope(function(s)
      several(tree, depth, function(f) return s:spawn(f) end)
      if roll(6) == 1 then
        pause(4)
        s:cancel("the tree itself")
      end
    end)
  end,
  function(tree, depth)
    tutti.scope({ on_failure = "collect", limit = roll(3), timeout = roll(12) * TICK }, function(s)
      several(tree, depth, function(f) return s:spawn(f) end)
    end)
  end,
  function(tree, depth)
    tutti.timeout(roll(8) * TICK, function() several(tree, depth, tutti.spawn) end)
  end,
  function(tree, depth)
    local victims = several(tree, depth, tutti.spawn)
    pause(4)
    victims[roll(#victims)]:cancel()
  end,
  function(tree, depth)
    for task in tutti.completed(several(tree, depth, tutti.spawn)) do
      task:pawait()
      if roll(2) == 1 then
        break
      end
    end
  end,
  function(tree, depth)
    tutti.spawn({ timeout = roll(6) * TICK, retry = 1 }, function()
      return guarded(tree, nil, function() return grow(tree, depth - 1) end)
    end):await()
  end,
}

function grow(tree, depth)
  if depth <= 0 or tree.bodies > 12 then
    return LEAVES[roll(#LEAVES)](tree)
  end
  return BRANCHES[roll(#BRANCHES)](tree, depth)
end

-- ---- cancelled -----------------------------------------------------------------------------

-- Grow a tree, cancel it at a random tick (perhaps the one in which it ends), and look at what is left.
-- Returns what was wrong.
local function fell(number)
  local tree = new_tree()
  local pending = #core.pending()
  local task = tutti.spawn({ name = "tree " .. number }, function()
    return guarded(tree, nil, function() return grow(tree, 3) end)
  end)
  if roll(20) == 1 then
    tutti.spawn(function() tutti.exec({ "true" }):await() end):await()
  end
  pause(12)
  local cancelled, was_done = tutti.now(), task:is_done()
  task:cancel("felled")
  if roll(3) == 1 then
    task:cancel("by two")
  end
  task:pawait()
  local limit = (tree.shields + 1) * SHIELD
  check(tree, tutti.now() - cancelled <= limit + ROUNDED, "it took %g s to end", tutti.now() - cancelled)
  check(tree, not was_done or tutti.now() == cancelled, "a tree that had ended went on")
  check(tree, tree.open == 0, "%d bodies are still open", tree.open)
  tutti.checkpoint()
  check(tree, #core.pending() == pending, "%d tasks are left", #core.pending() - pending)
  return tree.wrong, tree.bodies
end

local function fell_some(seed, count)
  return tutti.testing({ seed = seed }, function()
    local bodies = 0
    for number = 1, count do
      local wrong, grown = fell(number)
      bodies = bodies + grown
      if #wrong > 0 then
        error(("TUTTI_SEED=%d, tree %d: %s"):format(seed, number, table.concat(wrong, "; ")), 0)
      end
    end
    return bodies
  end)
end

describe("random trees of scopes", function()
  it("are gone after a cancel at any moment", function()
    local given = tonumber(os.getenv("TUTTI_SEED"))
    local first = given or os.time() % 1000000 * 1000
    print(("# TUTTI_SEED=%d"):format(first))
    local bodies = 0
    for i = 0, given and 0 or TREES // TREES_A_TEST - 1 do
      local ok, result = pcall(fell_some, first + i, TREES_A_TEST)
      assert.is_true(ok, ("TUTTI_SEED=%d: %s"):format(first + i, tostring(result)))
      bodies = bodies + result
    end
    assert.is_true(given ~= nil or bodies > TREES)
  end)
end)
