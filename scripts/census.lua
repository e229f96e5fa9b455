-- SPDX-License-Identifier: MIT
-- Counts files, blank, comment and code lines by language over directory trees, on all cores.
--
--   ./tutti run scripts/census.lua [--json] DIR...
--
-- A task a directory finds what there is while others count; batches of files are counted on the pool;
-- the partial results are reduced by tasks that come after as many batches as there turned out to be.
-- Languages are entries of scripts/census/languages.lua: add your own there.
--
-- args: --json scripts/census
-- expect~: {"languages":{"Lua":{"files":%d+,"blank":%d+,"comment":%d+,"code":%d+}},"sum":.*
local tutti = require("tutti")
local classify = require("census.classify")
local report = require("census.report")

local BATCH = 48 -- files in one pool task
local FAN_IN = 16 -- results that one reduction takes

local USAGE = [[
usage: census.lua [--json] DIR...
Counts files, blank, comment and code lines by language. A file's name may stand for a DIR.
  --json    one JSON object instead of the table
]]

local roots, as_json = {}, false
for _, word in ipairs({ ... }) do
  if word == "--json" then
    as_json = true
  elseif word == "--help" or word == "-h" then
    io.write(USAGE)
    os.exit(0)
  elseif word:sub(1, 1) == "-" and #word > 1 then
    io.stderr:write(("census: unknown option \"%s\"\n"):format(word), USAGE)
    os.exit(2)
  else
    roots[#roots + 1] = word
  end
end
if #roots == 0 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local skipped = {} -- what could not even be looked into
local batches = {} -- pool tasks, each the result of some files
local waiting = {} -- paths of the batch that is being filled

local function count(paths)
  return require("census.counter").count_batch(paths)
end

local function flush()
  if #waiting > 0 then
    batches[#batches + 1] = tutti.parallel({ name = "count " .. waiting[1] }, count, waiting)
    waiting = {}
  end
end

local function add_file(path)
  waiting[#waiting + 1] = path
  if #waiting == BATCH then
    flush()
  end
end

-- One directory: its files go into batches, its folders become tasks, which this one joins.
local function visit(dir)
  local ok, entries = pcall(tutti.fs.list, dir, { types = true })
  if not ok then
    skipped[#skipped + 1] = { path = dir, reason = tostring(entries.message):match("[^:]*$"):sub(2) }
    return
  end
  local prefix = dir:sub(-1) == "/" and dir or dir .. "/"
  for _, entry in ipairs(entries) do
    if entry.type == "file" then
      add_file(prefix .. entry.name)
    elseif entry.type == "directory" and classify.enters(entry.name) then
      tutti.spawn(visit, prefix .. entry.name)
    end -- links, FIFOs and devices are never opened
  end
end

local function visit_root(path)
  local ok, found = pcall(tutti.fs.stat, path)
  if not ok then
    local problem = found.message or tostring(found)
    io.stderr:write(("census: %s\n"):format(problem:gsub("^fs%.stat ", "cannot look into ")))
    os.exit(2)
  elseif found.type == "directory" then
    visit(path)
  elseif found.type == "file" then
    local known, reason = classify.name(path)
    if known == false then -- asked for by name, so passing over it in silence would puzzle
      skipped[#skipped + 1] = { path = path, reason = reason }
    else
      add_file(path)
    end
  else
    skipped[#skipped + 1] = { path = path, reason = "neither a directory nor a file" }
  end
end

local function merge(...)
  local counter = require("census.counter")
  local sum = counter.empty()
  for _, result in ipairs({ ... }) do
    counter.merge(sum, result)
  end
  return sum
end

-- Reduce a list of tasks to one: FAN_IN at a time, each on the pool as soon as its own are done.
local function reduce(tasks)
  while #tasks > 1 do
    local next_tasks = {}
    for first = 1, #tasks, FAN_IN do
      local group = table.move(tasks, first, math.min(first + FAN_IN - 1, #tasks), 1, {})
      next_tasks[#next_tasks + 1] = tutti.task({ merge, after = group, on = "pool", name = "reduce" })
    end
    tasks = next_tasks
  end
  return tasks[1]
end

local scans = {}
for i, root in ipairs(roots) do
  scans[i] = tutti.spawn({ name = "scan " .. root }, visit_root, root)
end
tutti.all(scans):await()
flush()

local total = reduce(batches)
local result = total and total:await() or merge()
table.move(skipped, 1, #skipped, #result.skipped + 1, result.skipped)
io.stderr:write(report.skipped(result))
io.write(as_json and report.json(result) or report.table(result))
