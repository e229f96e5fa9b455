-- SPDX-License-Identifier: MIT
--- :graph: a graph, a plan or a run drawn with box characters.
---
---     ● assets   done 0.1 s
---     │ ◐ db     running 1.2 s
---     ├─╯
---     ○ server   waiting
---
--- A row for each task, what it needs above it. Each task that is still to come and that some drawn task
--- leads to has a rail; below a drawn task a row of corners leads from it to the rails of those that need
--- it. A rail that is only crossed interrupts the crossing line. What stands right below another needs it.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: rails[c] is the number of the task that rail c leads to, or false.
---@module "tutti.repl.commands.graph"
local core = require("tutti.core")
local options = require("tutti.options")
local show = require("tutti.repl.show")
local text = require("tutti.repl.text")

local graph = {}

local NODES_MAX = 30 -- beyond that a drawing says less than numbers
local LEVELS_MAX = 40
local NAME_COLUMNS = 40

-- ---- order ---------------------------------------------------------------------------------

-- The numbers of the nodes, each behind all it needs; what becomes ready by a node stands close behind it.
local function order_of(plan)
  local left, ready, order = {}, {}, {}
  for i = #plan.nodes, 1, -1 do
    left[i] = plan.waits[i]
    ready[#ready + 1] = left[i] == 0 and i or nil
  end
  while #ready > 0 do
    local i = table.remove(ready)
    order[#order + 1] = i
    for k = plan.first[i + 1] - 1, plan.first[i], -1 do
      local other = plan.edges[k]
      left[other] = left[other] - 1
      ready[#ready + 1] = left[other] == 0 and other or nil
    end
  end
  return order
end

-- ---- rails ---------------------------------------------------------------------------------

local LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
local CORNERS = { [UP | DOWN] = "│", [LEFT | RIGHT] = "─", [UP | RIGHT] = "╰", [UP | LEFT] = "╯",
  [DOWN | RIGHT] = "╭", [DOWN | LEFT] = "╮", [UP | DOWN | RIGHT] = "├", [UP | DOWN | LEFT] = "┤",
  [LEFT | RIGHT | DOWN] = "┬", [LEFT | RIGHT | UP] = "┴", [LEFT | RIGHT | UP | DOWN] = "┼" }

local function free_rail(rails, from)
  for c = from, #rails do
    if not rails[c] then
      return c
    end
  end
  rails[#rails + 1] = false
  return #rails
end

local function rail_of(rails, node)
  for c = 1, #rails do
    if rails[c] == node then
      return c
    end
  end
end

-- A free rail for a task that needs nothing; not `above`, where it would seem to need what is drawn there.
local function root_rail(rails, above)
  local c = free_rail(rails, 1)
  return c == above and free_rail(rails, c + 1) or c
end

local function trim(rails)
  while #rails > 0 and not rails[#rails] do
    rails[#rails] = nil
  end
end

-- The row of a node at rail `at`.
local function node_row(rails, at, sign)
  local cells = {}
  for c = 1, math.max(#rails, at) do
    cells[c] = c == at and sign or rails[c] and "│" or " "
  end
  return table.concat(cells, " ")
end

-- The row below the node at rail `at`. `before`: what the rails led to; `ends`: set of those it leads to.
local function corner_row(before, rails, at, ends)
  local first, last = at, at
  for c in pairs(ends) do
    first, last = math.min(first, c), math.max(last, c)
  end
  local cells = {}
  for c = 1, math.max(#rails, #before, at) do
    local sides = (before[c] or c == at) and UP or 0
    sides = sides | (rails[c] and DOWN or 0)
    if ends[c] or c == at then
      sides = sides | (c > first and LEFT or 0) | (c < last and RIGHT or 0)
    elseif sides == 0 and c > first and c < last then
      sides = LEFT | RIGHT
    end
    cells[#cells + 1] = CORNERS[sides] or " "
    cells[#cells + 1] = c >= first and c < last and "─" or " "
  end
  return (table.concat(cells):gsub(" +$", ""))
end

-- Lead rails from the node at rail `at` to all that need it; returns the row that shows it, or nil if
-- straight on says it all.
local function lead(plan, rails, at, node)
  local before = table.move(rails, 1, #rails, 1, {})
  local ends, fresh, is_bent = {}, {}, false
  for k = plan.first[node], plan.first[node + 1] - 1 do
    local c = rail_of(rails, plan.edges[k])
    if c then
      ends[c], is_bent = true, true
    else
      fresh[#fresh + 1] = plan.edges[k]
    end
  end
  for i, other in ipairs(fresh) do
    local c = i == 1 and at or free_rail(rails, at + 1)
    rails[c], ends[c] = other, true
    is_bent = is_bent or i > 1
  end
  local row = is_bent and corner_row(before, rails, at, ends) or nil
  trim(rails)
  return row
end

-- ---- rows ----------------------------------------------------------------------------------

local SIGNS = { waiting = "○", ready = "○", running = "◐", suspended = "◐", done = "●", failed = "✗",
  cancelled = "◌", skipped = "◌" }

local function state_text(entry, color)
  local shown = show.state(entry.state, color)
  local elapsed = entry.elapsed
  return elapsed and shown .. " " .. text.age(elapsed) or shown
end

-- The rows of a plan; `run`: whose states are shown, or nil.
local function draw(plan, run, color)
  local rails, rows, columns = {}, {}, 0
  local above -- the rail that ended in the row above
  for _, i in ipairs(order_of(plan)) do
    local entry = run and run.list[i]
    local at = rail_of(rails, i) or root_rail(rails, above)
    rails[at] = false
    local left = node_row(rails, at, entry and SIGNS[entry.state] or "○")
    local name = text.cut(text.line(plan.nodes[i].name, 200), NAME_COLUMNS)
    rows[#rows + 1] = { left = left .. " " .. name, entry = entry }
    columns = math.max(columns, text.columns(rows[#rows].left))
    local corners = lead(plan, rails, at, i)
    rows[#rows + 1] = corners and { left = corners } or nil
    above = not corners and not rails[at] and at or nil
  end
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = row.entry and row.left .. (" "):rep(columns - text.columns(row.left) + 2)
      .. state_text(row.entry, color) or row.left
  end
  return lines
end

-- "12 done, 3 running": of the nodes from..to.
local function counts_text(run, from, to)
  local counts, parts = {}, {}
  for i = from, to do
    local state = run.list[i].state
    counts[state] = (counts[state] or 0) + 1
  end
  for _, state in ipairs({ "done", "failed", "running", "ready", "waiting", "skipped", "cancelled" }) do
    parts[#parts + 1] = counts[state] and ("%s %s"):format(text.count(counts[state]), state) or nil
  end
  return table.concat(parts, ", ")
end

-- A line for each step.
local function levels(plan, run)
  local lines, steps = {}, #plan.starts - 1
  for step = 1, math.min(steps, LEVELS_MAX) do
    local from, to = plan.starts[step], plan.starts[step + 1] - 1
    lines[step] = ("  step %-3d %9s task%s%s"):format(step, text.count(to - from + 1),
      to > from and "s" or " ", run and "  " .. counts_text(run, from, to) or "")
  end
  if steps > LEVELS_MAX then
    lines[#lines + 1] = ("  ... %s more steps"):format(text.count(steps - LEVELS_MAX))
  end
  return lines
end

-- ---- the command ---------------------------------------------------------------------------

local function run_of(value)
  local runs = package.loaded["tutti.graph.run"]
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if core.is_task(value) then
    return runs and runs.of(value)
  elseif name == "tutti.result" then
    return value.run
  end
  return name == "tutti.run" and value or nil
end

-- The plan and the run that a value means, or nil.
local function read(value)
  local run = run_of(value)
  local meta = debug.getmetatable(value)
  if run then
    return run.plan, run
  elseif options.is_graph and options.is_graph(value) then
    return value:plan()
  end
  return type(meta) == "table" and rawget(meta, "__name") == "tutti.plan" and value or nil
end

local function latest()
  local runs = package.loaded["tutti.graph.run"]
  return runs and runs.latest()
end

local function head(plan, run)
  if not run then
    return tostring(plan)
  end
  local added = run.total - #plan.nodes
  return tostring(run) .. (added > 0 and (", %s of them added while it ran"):format(text.count(added)) or "")
end

--- :graph [G]
---@async
function graph.graph(prompt, argument)
  local value
  if argument == "" then
    value = latest()
    if not value then
      return false, "no graph has been run; say which: :graph G"
    end
  else
    value = prompt:evaluate(argument)
  end
  local plan, run = read(value)
  if not plan then
    return false, ("a graph, a plan, a run or its result was expected, got %s"):format(show.value(value))
  end
  local lines = #plan.nodes <= NODES_MAX and draw(plan, run, prompt.color) or levels(plan, run)
  prompt.write(text.line(head(plan, run), 200) .. "\n" .. table.concat(lines, "\n") .. "\n", "value")
end

return graph
