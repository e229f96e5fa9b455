-- SPDX-License-Identifier: MIT
--- :tasks, :why and :cancel: what goes on, why something does not, and an end to it.
---
--- The prompt's own tasks are left out, and what they own stands in their place.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: looking changes nothing; with any number of tasks what is shown has some ROWS_MAX lines.
---@module "tutti.repl.commands.tasks"
local core = require("tutti.core")
local find = require("tutti.repl.commands.find")
local internal = require("tutti.repl.internal")
local show = require("tutti.repl.show")
local text = require("tutti.repl.text")
local tree = require("tutti.tasks").tree

local tasks = {}

local ROWS_MAX, CHILDREN_MAX, LOOKED_MAX = 200, 30, 20000
local NAME_COLUMNS, OTHER_COLUMNS = 40, 55 -- a name's at most; what the rest of a row wants

-- ---- the tree ------------------------------------------------------------------------------

-- Without what is the prompt's own, and the line that asks.
local function visible(list, asking)
  local kept = {}
  for _, node in ipairs(list) do
    if node.task == asking or internal.tasks[node.task] then
      local inner = visible(node.children, asking)
      table.move(inner, 1, #inner, #kept + 1, kept)
    else
      kept[#kept + 1] = node
    end
  end
  return kept
end

local function lines_of(prompt)
  local numbers = {}
  for _, line in ipairs(prompt:running()) do
    numbers[line.task] = line.number
  end
  return numbers
end

local function name_of(node, numbers, columns)
  local name = text.cut(text.line(node.name, 200), columns)
  local kind = (node.kind == "task" or node.kind == "gather") and "" or node.kind .. " "
  local number = numbers[node.task] and ("[%d] "):format(numbers[node.task]) or ""
  return ("%s%d %s%s"):format(number, node.id, kind, name)
end

local function details_of(node)
  local parts = {}
  if node.waits_for then
    parts[1] = "waits for " .. text.line(node.waits_for, 200)
  end
  if node.line and node.line ~= node.name then
    parts[#parts + 1] = "at " .. text.line(node.line, 200)
  end
  return table.concat(parts, ", ")
end

-- One row for each node: { left =, node = }, or { more = n } of those that are left out.
local function add_rows(rows, list, prefix, given)
  list = visible(list, given.asking)
  local shown = math.min(#list, CHILDREN_MAX)
  for i = 1, shown do
    if #rows >= ROWS_MAX then
      shown = i - 1
      break
    end
    local node, is_last = list[i], i == #list
    local branch = prefix and prefix .. (is_last and "└─ " or "├─ ") or ""
    rows[#rows + 1] = { left = branch .. name_of(node, given.numbers, given.columns), node = node }
    add_rows(rows, node.children, prefix and prefix .. (is_last and "   " or "│  ") or "", given)
  end
  if shown < #list then
    rows[#rows + 1] = { left = (prefix and prefix .. "└─ " or "") .. "... "
      .. text.count(#list - shown) .. " more" }
  end
end

local function pad(shown, columns)
  return shown .. (" "):rep(columns - text.columns(shown))
end

local function row_text(prompt, row, columns)
  local node = row.node
  if not node then
    return text.paint(row.left, "dim", prompt.color)
  end
  local state = pad(show.state(show.state_of(node), prompt.color), #"suspended")
  local left = ("%s  %s  %s"):format(pad(row.left, columns), state, pad(text.age(node.age), 7))
  local room = prompt.width() - text.columns(left) - 2
  local details = text.cut(details_of(node), math.max(room, 20))
  return details ~= "" and left .. "  " .. details or left:gsub(" +$", "")
end

--- :tasks
function tasks.tasks(prompt)
  local live = core.stats().live
  local rows, columns = {}, 0
  add_rows(rows, tree(LOOKED_MAX), nil, {
    numbers = lines_of(prompt),
    asking = core.current(),
    columns = math.max(12, math.min(NAME_COLUMNS, prompt.width() - OTHER_COLUMNS)),
  })
  for _, row in ipairs(rows) do
    columns = math.max(columns, row.node and text.columns(row.left) or 0)
  end
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = row_text(prompt, row, columns)
  end
  if live > LOOKED_MAX then
    lines[#lines + 1] = ("%s tasks go on; the newest %s were looked at"):format(text.count(live),
      text.count(LOOKED_MAX))
  end
  lines[1] = lines[1] or "no task goes on"
  prompt.write(table.concat(lines, "\n") .. "\n", "value")
end

-- ---- why -----------------------------------------------------------------------------------

local CHAIN_MAX, HELD_MAX, WALK_MAX = 30, 10, 1000

local function task_line(prompt, task)
  local seen = core.look(task)
  local place = seen.line and seen.line ~= seen.name and ", at " .. text.line(seen.line, 200) or ""
  return show.value(task, { color = prompt.color }) .. place
end

-- The run's entry of a task of a graph, or nil.
local function entry_of(task)
  local runs = package.loaded["tutti.graph.run"]
  return runs and runs.entry_of(task)
end

-- Of the task of a run: the first of its entries that runs (there is one, unless all wait), and how many.
local function running_of(task)
  local runs = package.loaded["tutti.graph.run"]
  local run = runs and runs.of(task)
  for _, entry in ipairs(run and run.list or {}) do
    if entry.state == "running" then
      return entry, run.counts.running
    end
  end
end

local function entry_line(prompt, entry)
  if entry.handle then
    return task_line(prompt, entry.handle)
  end
  return ("task \"%s\" %s, of graph \"%s\""):format(text.line(entry.name, 80),
    show.state(entry.state, prompt.color), text.line(entry.run.name, 80))
end

-- Of a task of a graph that has not begun: the entries that it waits for.
local function needs_of(entry)
  local list = {}
  for _, need in ipairs(entry.node.needs) do
    local other = entry.run.entries[need]
    if other and not other.ended and (other.state == "running" or other.state == "waiting"
      or other.state == "ready") then
      list[#list + 1] = other
    end
  end
  table.sort(list, function(a, b) -- what runs is nearer to the root of it
    return (a.state == "running" and 0 or 1) < (b.state == "running" and 0 or 1)
  end)
  return list
end

local ENDS = { running = "it runs", ready = "it is ready: its turn comes when what runs there lets go" }

-- What a task without a task to wait for is at.
local function end_text(seen)
  if seen.waits_for then
    return "waits for " .. text.line(seen.waits_for, 200)
  end
  local state = show.state_of(seen)
  return ENDS[state] or ("it is %s"):format(state)
end

-- What `at` ({ task = } or { entry = }) waits for: the first, how many, or the text of the end of the chain.
local function next_of(at)
  local task = at.task or at.entry.handle or nil
  local entry = at.entry or entry_of(task)
  if entry and (entry.state == "waiting" or entry.state == "ready") then
    local needs = needs_of(entry)
    if #needs == 0 then
      return nil, 0, "all it needs is done; it waits for a place (jobs, limit or resources)"
    end
    return { entry = needs[1] }, #needs
  end
  local list, count = core.waits_of(task)
  if count > 0 then
    return { task = list[1] }, count
  end
  local running, running_count = running_of(task)
  if running then
    return { entry = running }, running_count
  end
  return nil, 0, end_text(core.look(task))
end

local function add_chain(prompt, lines, task)
  local at, seen = { task = task }, {}
  for depth = 1, CHAIN_MAX do
    seen[at.task or at.entry] = true
    local following, count, ending = next_of(at)
    local indent = ("  "):rep(depth)
    if not following then
      lines[#lines + 1] = indent .. ending
      return
    end
    local shown = following.entry and entry_line(prompt, following.entry) or task_line(prompt, following.task)
    lines[#lines + 1] = ("%swaits for %s%s"):format(indent, shown,
      count > 1 and (" (and %s more)"):format(text.count(count - 1)) or "")
    if seen[following.task or following.entry] then
      lines[#lines + 1] = indent .. "  which closes a circle"
      return
    end
    at = following
  end
  lines[#lines + 1] = ("  "):rep(CHAIN_MAX + 1) .. "..."
end

-- Those that wait for a task or an entry: tasks, and entries of its graph that need it; the asking line and
-- what is the prompt's own are none.
local function held_by(item)
  local task = core.is_task(item) and item or item.handle
  local entry = item
  if core.is_task(item) then
    entry = entry_of(item)
  end
  local kept = {}
  for _, other in ipairs(task and core.held_by(task) or {}) do
    if not internal.tasks[other] and other ~= core.current() then
      kept[#kept + 1] = entry_of(other) or other
    end
  end
  local plan = entry and entry.run.plan
  if plan and entry.index <= #plan.nodes then -- else it was added while the run went on
    for k = plan.first[entry.index], plan.first[entry.index + 1] - 1 do
      kept[#kept + 1] = entry.run.list[plan.edges[k]]
    end
  end
  return kept
end

-- How many wait for it in the end.
local function count_all(item)
  local seen, todo, at = { [item] = true }, { item }, 0
  while at < #todo and #todo < WALK_MAX do
    at = at + 1
    for _, other in ipairs(held_by(todo[at])) do
      todo[#todo + 1] = not seen[other] and other or nil
      seen[other] = true
    end
  end
  return #todo - 1
end

local function add_held(prompt, lines, item)
  local held = held_by(item)
  if #held == 0 then
    lines[#lines + 1] = "  holds up nobody"
    return
  end
  local all = count_all(item)
  lines[#lines + 1] = all > #held and ("  holds up, %s in all:"):format(text.count(all)) or "  holds up:"
  for i = 1, math.min(#held, HELD_MAX) do
    lines[#lines + 1] = "    " .. (core.is_task(held[i]) and task_line or entry_line)(prompt, held[i])
  end
  if #held > HELD_MAX then
    lines[#lines + 1] = ("    ... %s more"):format(text.count(#held - HELD_MAX))
  end
end

--- :why T
---@async
function tasks.why(prompt, argument)
  local task, message = find.task(prompt, argument)
  if not task then
    return false, message
  end
  local lines = { task_line(prompt, task) }
  if not task:is_done() then
    add_chain(prompt, lines, task)
    add_held(prompt, lines, entry_of(task) or task)
  end
  prompt.write(table.concat(lines, "\n") .. "\n", "value")
end

-- ---- cancel --------------------------------------------------------------------------------

--- :cancel T
---@async
function tasks.cancel(prompt, argument)
  local task, message = find.task(prompt, argument)
  if not task then
    return false, message
  elseif task:is_done() then
    return false, show.value(task) .. ": it has ended already"
  end
  task:cancel("cancelled at the prompt")
  prompt.write(("cancelled task %d \"%s\"\n"):format(task:id(), text.line(task:name(), 80)), "report")
end

return tasks
