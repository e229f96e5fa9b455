-- SPDX-License-Identifier: MIT
--- map and reduce: a list is cut into chunks, and each chunk is one task.
---
---     map (a task) -> lanes, at most `limit` at once -> one chunk after the other, on the pool
---
--- The function is sent once for each chunk. A lane takes the next chunk that nobody has taken, so chunks
--- that cost more than others hold nobody up. The first failure fails the task, which cancels the rest.
---
--- Layer: the Lua half. Thread: the state's home; *_chunk run on workers too.
--- Invariant: results stand where their elements stood, whatever order the chunks end in.
---@module "tutti.combine"
local core = require("tutti.core")
local options = require("tutti.options")

local CHUNKS_A_WORKER = 8 -- so many chunks for each worker even out what some cost more than others
local CHUNK_MAX = 10000 -- elements: to read the results of one chunk must not hold up the loop
local LANES_A_WORKER = 2 -- one chunk is on its way to a worker while it computes another

-- ---- one chunk -----------------------------------------------------------------------------

-- A chunk is the elements from .. to of a source, of which element i is number i + shift of the whole list.

-- Call visit(i) for each position; an error says at which element it rose.
local function each(chunk, visit)
  local at = chunk.from
  local ok, err = xpcall(function()
    for i = chunk.from, chunk.to do
      at = i
      visit(i)
    end
  end, core.error_trace)
  if not ok then
    error(core.error_at(err, at + chunk.shift), 0)
  end
end

--- f of each element of the chunk. Results go into `into`, a view, at their number in the whole list, or else
--- into a fresh list from 1.
local function map_chunk(f, source, chunk, into)
  local results = into or {}
  local base = into and chunk.shift or 1 - chunk.from
  each(chunk, function(i)
    results[i + base] = f(source[i])
  end)
  return not into and results or nil
end

--- Fold the elements of the chunk; without `init` the first element is where it begins.
local function reduce_chunk(f, source, chunk, init)
  local acc = init
  if acc == nil then
    acc = source[chunk.from]
    chunk = { from = chunk.from + 1, to = chunk.to, shift = chunk.shift }
  end
  each(chunk, function(i)
    acc = f(acc, source[i])
  end)
  return acc
end

-- ---- all chunks ----------------------------------------------------------------------------

-- Start chunk number k; a table is sent in slices, a view as it is, since nothing of it is copied.
local function start_chunk(plan, k, run, ...)
  local from = (k - 1) * plan.chunk + 1
  local to = math.min(from + plan.chunk - 1, plan.count)
  if plan.on == "loop" then
    return run(plan.f, plan.source, { from = from, to = to, shift = 0 }, ...)
  end
  local checked = { name = ("%s %d-%d"):format(plan.name, from, to), priority = plan.priority,
    functions = 2, same_place = true, level = 0, quiet = true }
  if plan.is_view then
    local whole = { from = from, to = to, shift = 0 }
    return core.start_parallel(checked, run, plan.f, plan.source, whole, ...):await()
  end
  local slice = table.move(plan.source, from, to, 1, {})
  local part = { from = 1, to = to - from + 1, shift = from - 1 }
  local ok, task = pcall(core.start_parallel, checked, run, plan.f, slice, part, ...)
  if not ok then
    error(core.error_at(task, from, to), 0)
  end
  return task:await()
end

-- One after the other, what no other lane has taken. Of several failures the first is raised; the other
-- lanes end then without one of their own.
local function lane(plan, visit)
  while plan.next <= plan.chunks and not plan.failed do
    local k = plan.next
    plan.next = k + 1
    local ok, err = xpcall(visit, core.error_trace, k)
    if not ok then
      local is_first = not plan.failed
      plan.failed = true
      if is_first or core.cancelled() then
        error(err, 0)
      end
    end
  end
end

local function run_lanes(plan, visit)
  plan.next = 1
  local lanes = {}
  for i = 1, math.min(plan.lanes, plan.chunks) do
    lanes[i] = core.start({ name = plan.name .. " lane", priority = plan.priority, quiet = true,
      same_place = true }, lane, plan, visit)
  end
  core.all(lanes):await()
end

local function run_map(plan)
  local results = plan.into or {}
  run_lanes(plan, function(k)
    local part = start_chunk(plan, k, map_chunk, plan.into)
    if not plan.into then
      local base = (k - 1) * plan.chunk
      for i = 1, math.min(plan.chunk, plan.count - base) do
        results[base + i] = part[i]
      end
    end
  end)
  return results
end

local function run_reduce(plan)
  local parts = {}
  run_lanes(plan, function(k)
    parts[k] = start_chunk(plan, k, reduce_chunk, plan.init)
  end)
  local acc = plan.init
  if plan.chunks > 0 then
    acc = parts[1]
  end
  for k = 2, plan.chunks do
    acc = plan.combine(acc, parts[k])
  end
  return acc
end

-- ---- reading the call ----------------------------------------------------------------------

local TASK = { name = true, timeout = true, priority = true, detach = true }
local MAP = { chunk = true, limit = true, on = true, into = true }
local REDUCE = { chunk = true, limit = true, on = true, combine = true }

local function refuse(what, level, message, ...)
  core.usage(("%s: %s"):format(what, message:format(...)), level + 1)
end

-- What userdata says it is: buffers and views show their name for a metatable.
local function kind_of(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  return type(meta) == "string" and meta:match("^tutti%.(%a+)$") or type(value)
end

local function read_list(what, plan, list, level)
  local kind = kind_of(list)
  if kind == "buffer" then
    list, kind = list:view("u8"), "view"
  end
  if kind ~= "view" and kind ~= "table" then
    refuse(what, level + 1, "a list, a buffer or a view was expected, got %s", kind)
  end
  plan.is_view = kind == "view"
  plan.count = #list
  local key = kind == "table" and plan.count == 0 and next(list)
  if key then
    refuse(what, level + 1, "a list was expected, but it has the key \"%s\", which is no position",
      tostring(key))
  end
  plan.source = plan.is_view and list or table.move(list, 1, #list, 1, {})
end

local function read_count(what, given, name, level)
  local value = given[name]
  if value ~= nil and (math.type(value) ~= "integer" or value < 1) then
    refuse(what, level + 1, "option \"%s\" must be an integer, 1 or more, got %s", name, tostring(value))
  end
  return value
end

local function read_on(what, given, level)
  local on = given.on or "pool"
  if on ~= "pool" and on ~= "loop" then
    refuse(what, level + 1, "option \"on\" must be \"loop\" or \"pool\", got \"%s\"", tostring(on))
  end
  return on
end

local function read_into(what, plan, into, level)
  if into == nil then
    return
  end
  if kind_of(into) ~= "view" or #into < plan.count then
    refuse(what, level + 1, "option \"into\" must be a view of at least %d elements, got %s", plan.count,
      kind_of(into) == "view" and #into or kind_of(into))
  end
  plan.into = into
end

-- The options of the task itself, for core.start and what goes round it.
local function read_task(what, given, known, level)
  local own, mine = {}, {}
  for key, value in pairs(given) do
    if TASK[key] then
      own[key] = value
    else
      mine[key] = value
    end
  end
  local all = {}
  for _, set in ipairs({ TASK, known }) do
    for key in pairs(set) do
      all[key] = true
    end
  end
  options.check(what, mine, all, level + 1)
  return options.task(what, own, level + 1)
end

local function read(what, call, known, level)
  local f, given = call.f, call.opts
  if given ~= nil and type(given) ~= "table" then
    refuse(what, level + 1, "options must be a table, got %s", type(given))
  end
  given = given or {}
  local checked = read_task(what, given, known, level + 1)
  local plan = { f = f, name = given.name or what:match("%a+$"), priority = checked.priority }
  read_list(what, plan, call.list, level + 1)
  options.check_function(what, f, level + 1)
  plan.on = read_on(what, given, level + 1)
  local spread = plan.on == "pool" and core.workers() or math.maxinteger
  local even = plan.on == "pool" and plan.count // (spread * CHUNKS_A_WORKER) + 1 or 1
  plan.chunk = read_count(what, given, "chunk", level + 1) or math.min(even, CHUNK_MAX)
  plan.chunks = (plan.count + plan.chunk - 1) // plan.chunk
  plan.lanes = read_count(what, given, "limit", level + 1)
    or plan.on == "pool" and spread * LANES_A_WORKER or plan.chunks
  if plan.on == "pool" then
    core.check_sendable(what, f, level + 1)
  end
  checked.name = plan.name
  checked.level = 3
  return plan, checked, given
end

local function start(checked, run, plan)
  local task
  if checked.attempts then
    task = require("tutti.attempts").start(checked.attempts, core.start, checked, run, plan)
  else
    task = core.start(checked, run, plan)
  end
  return task
end

--- f of each element, on the pool: a task of the list of results, in order. Options: chunk, limit, on, into.
---@nodiscard
local function map(list, f, opts)
  local plan, checked, given = read("tutti.map", { list = list, f = f, opts = opts }, MAP, 2)
  read_into("tutti.map", plan, given.into, 2)
  local task = start(checked, run_map, plan)
  return task
end

--- f(acc, element) from `init` on in each chunk, and combine(acc, acc) of the chunks' results in order: a
--- task of one value. `init` must be neutral; with nil a chunk begins with its first element. Options: chunk,
--- limit, on, combine (f, if it is left out).
---@nodiscard
local function reduce(list, f, init, opts)
  local plan, checked, given = read("tutti.reduce", { list = list, f = f, opts = opts }, REDUCE, 2)
  plan.init = init
  plan.combine = given.combine or f
  options.check_function("tutti.reduce: option \"combine\"", plan.combine, 2)
  if plan.on == "loop" and not given.chunk then
    plan.chunk, plan.chunks = math.max(plan.count, 1), math.min(plan.count, 1)
  end
  local task = start(checked, run_reduce, plan)
  return task
end

return { exports = { map = map, reduce = reduce }, map_chunk = map_chunk, reduce_chunk = reduce_chunk }
