-- SPDX-License-Identifier: MIT
--- Graphs, scopes, channels, time limits and cancellations in a loop state whose turns are sliced, as at the
--- prompt: tutti run slices.lua SEED SECONDS. Prints "good" and how often others had a turn meanwhile.
---
--- Layer: tests. Thread: the loop's, in the program.
local tutti = require("tutti")
require("tutti.core").share_turns()

local seed, seconds = tonumber(arg[1]), tonumber(arg[2])
math.randomseed(seed)
local random = math.random
local over = tutti.now() + seconds
local inside, sliced = 0, 0 -- how many run `busy`; how often another one began meanwhile
local turn = 0

-- Runs for so long without a checkpoint.
local function busy(duration)
  local stop, bytes = tutti.now() + duration, 0
  inside, turn = inside + 1, turn + 1
  local mine = turn
  local _ <close> = setmetatable({}, { __close = function() inside = inside - 1 end })
  repeat
    for i = 1, 100 do
      bytes = bytes + #(("x"):rep(i % 40) .. i)
    end
    sliced = turn ~= mine and sliced + 1 or sliced
    turn = turn + 1
    mine = turn
  until tutti.now() >= stop
  return bytes
end

local function some()
  return random() * 0.02
end

local function kind_of(f, ...)
  local ok, err = tutti.pcall(f, ...)
  return ok and "none" or err.kind
end

local actions = {}

function actions.cancel()
  local task = tutti.spawn(busy, 100)
  tutti.sleep(some())
  task:cancel("enough")
  local ok, err = task:pawait()
  assert(not ok and err.kind == "cancelled" and task:state() == "cancelled", "a cancelled loop")
end

function actions.limit()
  assert(kind_of(tutti.timeout, some(), busy, 100) == "timeout", "a time limit")
end

function actions.scope()
  local first = random(3)
  local kind = kind_of(tutti.scope, function(s)
    for i = 1, 3 do
      s:spawn(function()
        busy(some())
        if i == first then
          error("no")
        end
        busy(100)
      end)
    end
  end)
  assert(kind == "group", "a scope with a failure")
end

function actions.body()
  local kind = kind_of(tutti.scope, function(s)
    local task = s:spawn(busy, 100)
    busy(some())
    task:cancel()
    s:spawn(busy, 100)
    error("body")
  end)
  assert(kind == "error", "the error of a body")
end

function actions.graph()
  local g, count = tutti.graph("g"), random(8, 20)
  for i = 1, count do
    local needs = {}
    for _ = 1, i > 1 and random(0, 2) or 0 do
      needs[#needs + 1] = tostring(random(i - 1))
    end
    local fails = random(6) == 1
    g:task(tostring(i), { needs = needs, timeout = random(8) == 1 and 0.002 or nil }, function()
      busy(some() / 4)
      if fails then
        error("bad")
      end
      return i
    end)
  end
  local stop = random(2) == 1 and "stop" or "skip"
  local r = g:run({ jobs = random(4), on_failure = stop }):await()
  assert(r.total == count, "the tasks of a run")
  assert(r.succeeded + r.failed + r.skipped + r.cancelled == count, "their ends")
  for _, entry in ipairs(r:successes()) do
    assert(entry.value == tonumber(entry.name), "their values")
  end
end

function actions.run_cancelled()
  local g = tutti.graph("g")
  for i = 1, 5 do
    g:task(tostring(i), i > 2 and { needs = { "1" } } or {}, function() busy(i == 1 and 0.001 or 100) end)
  end
  local run = g:run()
  tutti.sleep(some())
  run:cancel()
  assert(not run:pawait(), "a cancelled run")
end

function actions.channel()
  local channel, count = tutti.channel(random(0, 3)), random(5, 20)
  local sender = tutti.spawn(function()
    for i = 1, count do
      channel:send(i)
      busy(some() / 20)
    end
    channel:close()
  end)
  local expected = 1
  for value in channel:iter() do
    assert(value == expected, "the order of a channel")
    expected = expected + 1
    busy(some() / 20)
  end
  sender:await()
  assert(expected == count + 1, "all of a channel")
end

function actions.coroutine()
  local next_one = coroutine.wrap(function()
    for i = 1, 3 do
      busy(some() / 2)
      tutti.sleep(some() / 10)
      coroutine.yield(i)
    end
  end)
  assert(next_one() + next_one() + next_one() == 6, "a generator")
end

function actions.pool()
  local task = tutti.parallel(function(n) return n * 2 end, 21)
  busy(some())
  assert(task:await() == 42, "a pool task")
end

function actions.cleanup()
  local cleaned, has_begun = 0, false
  local task = tutti.spawn(function()
    tutti.defer(function()
      tutti.shield(10, function()
        tutti.sleep(some() / 10)
        busy(some() / 10)
        cleaned = cleaned + 1
      end)
    end)
    has_begun = true
    busy(100)
  end)
  tutti.sleep(some())
  local must_clean = has_begun
  task:cancel()
  task:pawait()
  assert(cleaned == 1 or not must_clean, "cleanup")
end

function actions.race()
  local tasks = {}
  for i = 1, 3 do
    tasks[i] = tutti.spawn(function() busy(some()) return i end)
  end
  local winner = tutti.race(tasks):await()
  assert(winner >= 1 and winner <= 3, "a race")
end

local names = {}
for name in pairs(actions) do
  names[#names + 1] = name
end
table.sort(names)

local done = 0
tutti.scope(function(s)
  for _ = 1, 4 do
    s:spawn(function()
      while tutti.now() < over or sliced == 0 do
        actions[names[random(#names)]]()
        done = done + 1
      end
    end)
  end
end)
assert(inside == 0, "nothing is left in a loop")
assert(#tutti.tasks() <= 1, "no task is left")
print(("good: %d actions, %d slices"):format(done, sliced))
