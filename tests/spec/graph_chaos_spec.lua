-- SPDX-License-Identifier: MIT
-- Random graphs under random failures, cancels, conditions, limits and adds, against what must always hold.
-- TUTTI_SEED replays one; every failure names its seed.
local describe, it, assert = describe, it, assert
local build = require("tests.spec.support.build")
local tutti = require("tutti")
local _ENV = _G -- luacheck: ignore

local SEED = tonumber(os.getenv("TUTTI_SEED"))
local ROUNDS = build.is_release and 300 or 25

-- A generator of its own, so that what a run does takes nothing from what is made of it.
local function chance(seed)
  local state = seed * 2654435761 % 2 ^ 31
  return function(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % n + 1
  end
end

-- What a task does, decided before the run: { sleep, fate, adds, awaits, cancels }.
local function plan_task(pick)
  local fates = { "done", "done", "done", "done", "done", "done", "fail", "child fails", "forever" }
  return { sleep = pick(3) == 1 and pick(5) * 0.01 or 0, fate = fates[pick(#fates)], limit = pick(4) == 1,
    gpu = pick(5) == 1 and pick(3), when = pick(10) == 1, whenfails = pick(40) == 1, retry = pick(8) == 1,
    skip_ok = pick(6) == 1, adds = pick(6) == 1 and pick(2) or 0, awaits = pick(8) == 1,
    cancels = pick(12) == 1, pool = pick(10) == 1, priority = ({ "high", "normal", "low" })[pick(3)] }
end

local function new_world(pick)
  return { pick = pick, specs = {}, starts = {}, limited = 0, gpu = 0, added = 0 }
end

local function note_begin(world, name, spec)
  world.starts[name] = (world.starts[name] or 0) + 1
  world.limited = world.limited + (spec.limit and 1 or 0)
  world.gpu = world.gpu + (spec.gpu or 0)
  assert(not world.limits or world.limited <= 2, "the limit is kept")
  assert(not world.limits or world.gpu <= 3, "the resource is kept")
end

local function note_end(world, spec)
  world.limited = world.limited - (spec.limit and 1 or 0)
  world.gpu = world.gpu - (spec.gpu or 0)
end

local add -- below

local function behave(world, name, spec)
  local pick, run = world.pick, tutti.current_run()
  for _ = 1, spec.adds do
    if world.added < 20 then
      world.added = world.added + 1
      local task = add(world, run, "added " .. world.added)
      if spec.awaits then
        world.limits = false -- places are lent: what counts is that all ends
        task:pawait()
      end
    end
  end
  if spec.cancels then
    local entry = run.list[pick(#run.list)]
    if entry.name ~= name and not world.specs[entry.name].pool then
      entry.task:cancel("by " .. name)
    end
  end
  tutti.sleep(spec.sleep)
  if spec.fate == "fail" then
    error("fails")
  elseif spec.fate == "child fails" then
    tutti.spawn(function() tutti.checkpoint() error("child fails") end):pawait()
    tutti.scope(function(s) s:spawn(function() error("in a scope") end) end)
  elseif spec.fate == "forever" then
    tutti.sleep(1000)
  end
  return name
end

local function function_of(world, name, spec)
  if spec.pool then
    local fails = spec.fate == "fail"
    return function() return fails and error("fails") or "pool" end
  end
  return function(...)
    for i, value in ipairs({ ... }) do
      assert(spec.skip_ok == (type(value) ~= "string"), "argument " .. i)
    end
    note_begin(world, name, spec)
    local _ <close> = setmetatable({}, { __close = function() note_end(world, spec) end })
    return behave(world, name, spec)
  end
end

local function options_of(spec, needs)
  return { needs = needs, run_on_skip = spec.skip_ok or nil, limit = spec.limit and "net" or nil,
    resources = spec.gpu and { gpu = spec.gpu } or nil, priority = spec.priority,
    retry = spec.retry and { times = 1, backoff = 0.01 } or nil,
    timeout = spec.fate == "forever" and 0.05 or nil, on = spec.pool and "pool" or nil,
    when = (spec.when or spec.whenfails) and function()
      return spec.whenfails and error("when fails") or false, "no"
    end or nil }
end

local function some_names(world, list)
  local needs = {}
  for _ = 1, #list > 0 and world.pick(4) - 1 or 0 do
    needs[#needs + 1] = list[world.pick(#list)]
  end
  return needs
end

function add(world, run, name)
  local spec, names = plan_task(world.pick), {}
  for i, entry in ipairs(run.list) do
    names[i] = entry.name
  end
  world.specs[name] = spec
  return run:task(name, options_of(spec, some_names(world, names)), function_of(world, name, spec))
end

local function graph_of(world, count)
  local g, names = tutti.graph("chaos"), {}
  g:limit("net", 2):limit("gpu", 3)
  for i = 1, count do
    local name, spec = "t" .. i, plan_task(world.pick)
    world.specs[name] = spec
    g:task(name, options_of(spec, some_names(world, names)), function_of(world, name, spec))
    names[i] = name
  end
  return g
end

-- ---- what must hold ------------------------------------------------------------------------

local ENDS = { done = "succeeded", failed = "failed", cancelled = "cancelled", skipped = "skipped" }

local function check_entry(world, run, entry)
  local spec, node = world.specs[entry.name], entry.node
  local starts = world.starts[entry.name] or 0
  assert(ENDS[entry.state], entry.name .. " is " .. entry.state)
  assert(starts <= (spec.retry and 2 or 1), entry.name .. " ran " .. starts .. " times")
  assert(entry.state ~= "skipped" or starts == 0, entry.name .. " ran, and was skipped")
  assert((entry.state == "done") == (entry.error == nil), entry.name .. " has the error of its state")
  local blocked = false
  for _, name in ipairs(node.needs) do
    local need = run.entries[name]
    blocked = blocked or need.state ~= "done"
    assert(not entry.began or need.ended, entry.name .. " began before its need had ended")
    assert(not entry.began or need.ended <= entry.began, entry.name .. " began after its need")
  end
  if blocked and not node.run_on_skip then
    assert(not entry.began, entry.name .. " began although a need did not succeed")
    assert(entry.state == "skipped" or entry.state == "cancelled", entry.name .. " is " .. entry.state)
  end
  assert(not (spec.fate == "fail" and entry.state == "done"), entry.name .. " cannot have succeeded")
end

local function check(world, run)
  local sums = { succeeded = 0, failed = 0, cancelled = 0, skipped = 0 }
  for _, entry in ipairs(run.list) do
    check_entry(world, run, entry)
    sums[ENDS[entry.state]] = sums[ENDS[entry.state]] + 1
  end
  for name, count in pairs(sums) do
    assert(run.counts[name] == count, name)
  end
  assert(run.counts.running == 0, "nothing runs")
  assert(run.total == #run.list and run.left == 0, "all are counted")
  assert(world.limited == 0 and world.gpu == 0, "all have left")
end

local function round(seed)
  local pick = chance(seed)
  local world = new_world(pick)
  local g = graph_of(world, pick(40))
  world.limits = true
  tutti.testing({ seed = seed }, function()
    local jobs = pick(2) == 1 and pick(4) or nil
    local task = g:run({ jobs = jobs, on_failure = pick(4) == 1 and "stop" or nil })
    local run
    if pick(5) == 1 then
      tutti.sleep(pick(10) * 0.01)
      task:cancel("the test")
    end
    local ok, r = task:pawait()
    if ok then
      run = r.run
      assert(r:ok() == (r.failed == 0 and r.cancelled == 0), "ok")
      check(world, run)
    else
      assert(r.kind == "cancelled", tostring(r))
    end
    assert(tutti.stats().live <= 1, "something is left behind")
  end)
  local again = g:run({ { "t1" } }) -- limits are free again
  again:cancel()
  again:pawait()
end

describe("a run", function()
  it("keeps its promises whatever its tasks do", function()
    local first = SEED or os.time() * 1000
    for i = 0, SEED and 0 or ROUNDS - 1 do
      local ok, err = pcall(round, first + i)
      pcall(tutti.run) -- results of runs that were cancelled are read by nobody
      assert.is_true(ok, ("TUTTI_SEED=%d: %s"):format(first + i, tostring(err)))
    end
  end)
end)
