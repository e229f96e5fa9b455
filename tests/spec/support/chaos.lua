-- SPDX-License-Identifier: MIT
--- One random program of tasks, run to its end, with everything that must hold of it checked.
---
--- The tasks form a tree of nodes. A node knows its path, the branches taken from the root; it only
--- ever waits for what comes before it in postorder (its own descendants, and whatever hangs on an
--- earlier branch), so no program can be a circle of waits. Cancelling has no such rule: anybody
--- cancels anybody, ancestors and itself included.
---@module "tests.spec.support.chaos"
local core = require("tutti.core")
local tutti = require("tutti")

local chaos = {}

local NODES_MAX, DEPTH_MAX, HANG = 60, 5, 20
local FINAL = { done = true, failed = true, cancelled = true, skipped = true }

--- random(n) is an integer from 1 to n; the sequence depends on the seed alone.
local function new_random(seed)
  local state = (seed * 0x9E3779B97F4A7C15) | 1
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 1) % n + 1
  end
end

-- ---- the world -----------------------------------------------------------------------------

local function wrong(world, format, ...)
  local list = world.wrong
  list[#list + 1] = format:format(...)
end

local function label(node)
  return ("%d (%s)"):format(node.id, table.concat(node.path, "."))
end

local function new_world(seed)
  local world = { random = new_random(seed), nodes = {}, channels = {}, wrong = {} }
  for i = 1, 3 do
    world.channels[i] = tutti.channel(world.random(4) - 1)
  end
  world.log = tutti.channel(10000) -- what happens on the pool is told here
  return world
end

local function new_node(world, parent)
  local node = { id = #world.nodes + 1, path = {}, branches = 0, runs = 0, children = {}, deps = {} }
  if parent then
    parent.branches = parent.branches + 1
    table.move(parent.path, 1, #parent.path, 1, node.path)
    node.path[#node.path + 1] = parent.branches
  end
  return node
end

-- May `node` wait for `other`? See the top of the file.
local function may_wait(node, other)
  local a, b = other.path, node.path
  for i = 1, math.min(#a, #b) do
    if a[i] ~= b[i] then
      return a[i] < b[i]
    end
  end
  return #a > #b
end

-- Up to `most` nodes that `node` may wait for, one of them twice now and then.
local function pick(world, node, most)
  local found, picked = {}, {}
  for _, other in ipairs(world.nodes) do
    if other.handle and may_wait(node, other) then
      found[#found + 1] = other
    end
  end
  for i = 1, #found > 0 and world.random(most + 1) - 1 or 0 do
    picked[i] = found[world.random(#found)]
  end
  return picked
end

local function handles(nodes)
  local list = {}
  for i, node in ipairs(nodes) do
    list[i] = node.handle
  end
  return list
end

-- ---- looking at an end ---------------------------------------------------------------------

local function check_children(world, node)
  for _, child in ipairs(node.children) do
    if not child.detach and child.handle and not child.handle:is_done() then
      wrong(world, "%s settled before its child %s", label(node), label(child))
    end
  end
end

-- What has been seen of an end once must be seen by everybody.
local function compare(world, node, got)
  local seen = node.seen
  node.seen = seen or got
  if seen == nil then
    node.shown = not got[1] and tostring(got[2])
    return
  end
  local same = seen.n == got.n
  for i = 1, got.n do
    same = same and rawequal(seen[i], got[i])
  end
  if not same then
    wrong(world, "%s ended differently for two who awaited it: %s, %s", label(node), tostring(seen[2]),
      tostring(got[2]))
  end
end

local function look(world, node)
  node.looked_at = true
  local got = table.pack(node.handle:pawait())
  if not node.handle:is_done() then
    wrong(world, "await of %s returned while it is %s", label(node), node.handle:state())
  end
  compare(world, node, got)
  check_children(world, node)
  return got[1], got[2]
end

-- ---- what a body does ----------------------------------------------------------------------

local start

local ERRORS = {
  function(id) error("failed " .. id) end,
  function(id) error({ id = id }) end,
  function() error(nil) end,
  function(id) error(setmetatable({}, { __tostring = function() return "shown " .. id end })) end,
  function() error(setmetatable({}, { __tostring = function() error("in __tostring") end })) end,
  function(id) return id .. nil end,
  function(id) tutti.spawn({ nmae = id }, print) end,
}

local function gather(world, node)
  local members = pick(world, node, 4)
  if #members == 0 then
    return
  end
  for _, member in ipairs(members) do
    member.looked_at = true -- or will be owned by the gather: not decided here
  end
  local kinds = { "all", "settle", "any", "race" }
  local kind = kinds[world.random(#kinds)]
  local opts = (kind == "any" or kind == "race") and { cancel = world.random(2) == 1 } or nil
  local task = tutti[kind](handles(members), opts)
  if world.random(3) > 1 then
    task:pawait()
  end
end

local function take_completed(world, node)
  local members = pick(world, node, 4)
  local left = world.random(5)
  for task in tutti.completed(handles(members), { cancel = world.random(2) == 1 }) do
    if not FINAL[task:state()] then
      wrong(world, "completed gave a task that is %s", task:state())
    end
    left = left - 1
    if left == 0 then
      break
    end
  end
end

local function guarded(world, node)
  local closed = false
  local ok = pcall(function()
    local guard <close> = setmetatable({}, { __close = function()
      closed = true
      pcall(tutti.checkpoint)
    end })
    tutti.sleep(world.random(2) / 1000)
    if world.random(3) == 1 then
      ERRORS[world.random(#ERRORS)](node.id)
    end
    return guard
  end)
  if not closed then
    wrong(world, "a <close> of %s did not run (%s)", label(node), ok)
  end
end

local STEPS = {
  function(world) tutti.sleep((world.random(3) - 1) / 1000) end,
  tutti.checkpoint,
  function(world, node) start(world, node) end,
  function(world, node) start(world, node) end,
  function(world, node) start(world, node) end,
  function(world, node)
    for _, other in ipairs(pick(world, node, 2)) do
      look(world, other)
    end
  end,
  function(world, node)
    local other = pick(world, node, 1)[1]
    if other then
      other.looked_at = true
      other.handle:await()
    end
  end,
  function(world)
    if world.random(3) == 1 then
      local other = world.nodes[world.random(#world.nodes)]
      other.handle:cancel(world.random(2) == 1 and "chaos" or nil)
    end
  end,
  gather,
  take_completed,
  guarded,
  function(world) world.channels[world.random(3)]:send({ world.random(100) }) end,
  function(world) world.channels[world.random(3)]:recv() end,
  function(world)
    if world.random(30) == 1 then
      world.channels[world.random(3)]:close()
    end
  end,
  function(_, node)
    if node.handle ~= tutti.current() then
      error("tutti.current() is another task", 0)
    end
  end,
}

-- Before the body does anything: it runs once, and after all it comes after.
local function check_start(world, node, ...)
  node.runs = node.runs + 1
  if node.runs > 1 then
    wrong(world, "%s ran twice", label(node))
  end
  for i, dep in ipairs(node.deps) do
    local state, given = dep.handle:state(), select(i, ...)
    if not (node.run_on_skip and FINAL[state] or state == "done") then
      wrong(world, "%s ran while %s, which it comes after, is %s", label(node), label(dep), state)
    end
    if node.run_on_skip and given ~= dep.handle or not node.run_on_skip and given.id ~= dep.id then
      wrong(world, "%s was given %s in place of what %s returned", label(node), tostring(given), label(dep))
    end
  end
end

local function body(world, node, ...)
  check_start(world, node, ...)
  for _ = 1, world.random(8) do
    STEPS[world.random(#STEPS)](world, node)
  end
  if world.random(10) == 1 then
    ERRORS[world.random(#ERRORS)](node.id)
  end
  return { id = node.id }
end

-- ---- on the pool ---------------------------------------------------------------------------

-- Children of a pool task, on its worker and on others: each runs once, the handle says how it ended.
local function pool_children(spec, random)
  local ran = 0
  local here = tutti.spawn(function()
    ran = ran + 1
    tutti.checkpoint()
    return "here"
  end)
  local after = tutti.task({ function(word)
    ran = ran + 1
    return word
  end, after = { here } })
  local there = tutti.task({ function(word) return word .. " and there" end, on = "pool", after = { here } })
  if random(4) == 1 then
    here:cancel()
  end
  local ok, word = there:pawait()
  local is_done = after:pawait()
  if here:state() == "done" and (ran ~= 2 or not ok or word ~= "here and there" or not is_done) then
    spec.log:send({ wrong = ("children of pool task %d: %d ran, %s"):format(spec.id, ran, tostring(word)) })
  end
end

local function pool_look(spec, random)
  local other = spec.others[random(#spec.others)]
  local ok, first = other:pawait()
  local again, second = other:pawait()
  if ok ~= again or not rawequal(first, second) or not other:is_done() then
    spec.log:send({ wrong = ("pool task %d saw two ends of a task"):format(spec.id) })
  end
end

local function pool_step(spec, random)
  local what = random(8)
  if what == 1 then
    tutti.sleep((random(3) - 1) / 1000)
  elseif what == 2 then
    tutti.checkpoint()
  elseif what == 3 and #spec.others > 0 then
    pool_look(spec, random)
  elseif what == 4 and #spec.victims > 0 then
    spec.victims[random(#spec.victims)]:cancel("chaos on the pool")
  elseif what == 5 then
    spec.channels[random(3)]:send({ random(100) })
  elseif what == 6 then
    spec.channels[random(3)]:recv()
  elseif what == 7 then
    pool_children(spec, random)
  end
end

-- The results or handles of what it comes after, then the spec.
local function pool_body(...)
  local given = table.pack(...)
  local spec = given[given.n]
  spec.log:send({ ran = spec.id })
  for i, dep in ipairs(spec.deps) do
    local state = dep:state()
    local fits = spec.run_on_skip and dep:is_done() or given[i].id == spec.dep_ids[i]
    if not fits or not (spec.run_on_skip or state == "done") then
      spec.log:send({ wrong = ("pool task %d ran after a task that is %s"):format(spec.id, state) })
    end
  end
  local random = new_random(spec.seed)
  for _ = 1, random(4) do
    pool_step(spec, random)
  end
  if random(10) == 1 then
    error(random(2) == 1 and { id = spec.id } or "failed on the pool")
  end
  return { id = spec.id }
end

local function pool_spec(world, node)
  local others, victims, dep_ids = pick(world, node, 3), {}, {}
  for _, other in ipairs(others) do
    other.looked_at = true
  end
  for i, dep in ipairs(node.deps) do
    dep_ids[i] = dep.id
  end
  if world.random(3) == 1 then
    victims[1] = world.nodes[world.random(#world.nodes)]
  end
  return { id = node.id, seed = world.random(1 << 30), log = world.log, channels = world.channels,
    deps = handles(node.deps), dep_ids = dep_ids, others = handles(others), victims = handles(victims),
    run_on_skip = node.run_on_skip }
end

-- ---- starting ------------------------------------------------------------------------------

function start(world, parent)
  if #world.nodes >= NODES_MAX or #parent.path >= DEPTH_MAX then
    return
  end
  local random = world.random
  local node = new_node(world, parent)
  node.deps = random(2) == 1 and pick(world, node, 3) or {}
  node.run_on_skip = random(4) == 1
  node.detach = random(10) == 1
  node.on_pool = random(3) == 1
  local spec = { name = "node " .. node.id, after = handles(node.deps), run_on_skip = node.run_on_skip,
    detach = node.detach, priority = ({ "high", "normal", "low" })[random(3)] }
  if node.run_on_skip then
    for _, dep in ipairs(node.deps) do
      dep.looked_at = true
    end
  end
  if node.on_pool then
    spec[1], spec.on, spec.args = pool_body, "pool", { pool_spec(world, node) }
  else
    spec[1] = function(...) return body(world, node, ...) end
  end
  world.nodes[node.id] = node
  parent.children[#parent.children + 1] = node
  node.handle = tutti.task(spec)
end

-- ---- the end -------------------------------------------------------------------------------

local function read_log(world)
  world.log:close()
  for entry in world.log:iter() do
    if entry.wrong then
      wrong(world, "%s", entry.wrong)
    else
      local node = world.nodes[entry.ran]
      node.runs = node.runs + 1
    end
  end
end

-- The error a task that was skipped because of `dep` must have for its cause: what was skipped itself, or
-- raised the error of what was, hands the root failure on.
local function root_error(dep)
  local err = dep.seen[2]
  return err.kind == "skipped" and err.cause or err
end

local function check_skip(world, node, state)
  local failed, causes = {}, false
  for _, dep in ipairs(node.deps) do
    if dep.handle:state() ~= "done" then
      failed[#failed + 1] = dep
    end
  end
  local must = #failed > 0 and not node.run_on_skip
  if must and not (state == "skipped" or state == "cancelled") or state == "skipped" and not must then
    wrong(world, "%s is %s, and %d of its dependencies did not succeed", label(node), state, #failed)
  end
  for _, dep in ipairs(state == "skipped" and failed or {}) do
    causes = causes or rawequal(root_error(dep), node.seen[2].cause)
  end
  if state == "skipped" and not causes then
    wrong(world, "%s was skipped because of an error that none of its dependencies had", label(node))
  end
end

local function check_runs(world, node, state)
  local least, most = state == "done" and 1 or 0, state == "skipped" and 0 or 1
  if node.runs < least or node.runs > most then
    wrong(world, "%s is %s and ran %d times", label(node), state, node.runs)
  end
end

-- Never silent: a child's failure that nobody looked at is the parent's.
local function check_owner(world, node, state)
  for _, child in ipairs(state == "done" and node.children or {}) do
    if child.handle:state() == "failed" and not child.detach and not child.looked_at then
      wrong(world, "%s is done although its child %s failed with nobody looking", label(node), label(child))
    end
  end
end

-- Is an error among its own causes, at any depth?
local function is_circle(err, above)
  if type(err) ~= "userdata" or above[err] then
    return above[err] or false
  end
  above[err] = true
  local found = is_circle(err.cause, above)
  for _, child in ipairs(err.errors or {}) do
    found = found or is_circle(child, above)
  end
  above[err] = nil
  return found
end

local KIND = { cancelled = "cancelled", skipped = "skipped" }

local function check_error(world, node, state)
  local err = node.seen[2]
  if state == "done" then
    if err.id ~= node.id then
      wrong(world, "%s returned %s", label(node), tostring(err.id))
    end
  elseif type(err.kind) ~= "string" or KIND[state] and err.kind ~= KIND[state] then
    wrong(world, "%s is %s with an error of kind %s", label(node), state, tostring(err.kind))
  elseif is_circle(err, {}) then
    wrong(world, "the error of %s is among its own errors", label(node))
  elseif tostring(err) ~= node.shown or type(err.traceback) ~= "string" then
    wrong(world, "the error of %s has changed:\n%s\n%s", label(node), node.shown, tostring(err))
  end
end

-- Wait until everything has settled, without owning the failure of anything but the root's.
local function wait_for_all(world, top)
  local limit = tutti.spawn({ detach = true }, tutti.sleep, HANG)
  tutti.race({ top.handle, limit }, { cancel = false }):pawait()
  local i = 1
  while i <= #world.nodes and not limit:is_done() do
    local node = world.nodes[i]
    tutti.race({ node.handle, limit }, { cancel = false }):pawait()
    i = i + 1
  end
  if limit:is_done() then
    for _, task in ipairs(core.pending()) do
      wrong(world, "still pending after %d s: %s", HANG, tostring(task))
    end
  end
  limit:cancel()
end

local function check_ends(world)
  for _, node in ipairs(world.nodes) do
    local state = node.handle:state()
    if not FINAL[state] then
      wrong(world, "%s ended as %s", label(node), state)
      return
    end
    local observed = node.looked_at
    look(world, node)
    node.looked_at = observed
  end
  for _, node in ipairs(world.nodes) do
    local state = node.handle:state()
    check_runs(world, node, state)
    check_skip(world, node, state)
    check_owner(world, node, state)
    check_error(world, node, state)
  end
end

local function count(world, ends)
  for _, node in ipairs(world.nodes) do
    local word = node.handle:state() .. (node.on_pool and " on the pool" or "")
    ends[word] = (ends[word] or 0) + 1
  end
end

-- Senders and receivers that nobody will serve are let go after a while.
local function close_channels(world)
  tutti.sleep((world.random(4) + 1) / 1000)
  for _, channel in ipairs(world.channels) do
    channel:close()
  end
end

--- Run one program; returns a list of what was wrong with it. The ways in which its tasks ended are
--- counted in `ends`: "done", "skipped on the pool", ...
function chaos.round(seed, ends)
  local world = new_world(seed)
  local top = new_node(world, nil)
  world.nodes[1] = top
  local closer = tutti.spawn({ detach = true }, close_channels, world)
  top.handle = tutti.spawn({ name = "top" }, function()
    for _ = 1, world.random(10) + 2 do
      start(world, top)
    end
    return body(world, top)
  end)
  wait_for_all(world, top)
  closer:await()
  if #world.wrong == 0 then
    read_log(world)
    check_ends(world)
    count(world, ends)
  end
  core.run()
  core.take_failures()
  return world.wrong
end

return chaos
