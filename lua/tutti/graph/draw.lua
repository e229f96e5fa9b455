-- SPDX-License-Identifier: MIT
--- Plans as pictures and for other programs: DOT (Graphviz), Mermaid, JSON.
---
--- Tasks are numbered in both pictures, and their names are labels: so a name may hold any characters.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a plan always gives the same text (but for durations in JSON); edges lead from what is needed.
---@module "tutti.graph.draw"
local json = require("tutti.json")

local draw = {}

-- A line for each edge, by the numbers of its ends.
local function add_edges(plan, lines, form)
  for i = 1, #plan.nodes do
    for k = plan.first[i], plan.first[i + 1] - 1 do
      lines[#lines + 1] = form:format(i, plan.edges[k])
    end
  end
end

-- Graphviz reads "\" and, in labels, "&" as the beginning of something.
local function dot_text(text)
  return "\"" .. json.valid(text):gsub("[\\\"]", "\\%0"):gsub("&", "&amp;") .. "\""
end

--- For `dot -Tsvg`.
function draw.dot(plan)
  local lines = { ("digraph %s {"):format(dot_text(plan.graph.name)), "  rankdir=LR;", "  node [shape=box];" }
  for i, node in ipairs(plan.nodes) do
    local more = node.description and (", tooltip=" .. dot_text(node.description:gsub("%c", " "))) or ""
    lines[#lines + 1] = ("  t%d [label=%s%s];"):format(i, dot_text(node.name), more)
  end
  add_edges(plan, lines, "  t%d -> t%d;")
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

-- Mermaid takes characters by their numbers; these have a meaning of their own in a label.
local function mermaid_text(text)
  return "\"" .. json.valid(text):gsub("[\"#&<>\\`]", function(char)
    return ("#%d;"):format(char:byte())
  end) .. "\""
end

--- For Markdown on many sites, and mermaid-cli.
function draw.mermaid(plan)
  local lines = { "flowchart LR" }
  for i, node in ipairs(plan.nodes) do
    lines[#lines + 1] = ("  t%d[%s]"):format(i, mermaid_text(node.name))
  end
  add_edges(plan, lines, "  t%d --> t%d")
  return table.concat(lines, "\n") .. "\n"
end

-- ---- JSON ----------------------------------------------------------------------------------

local VERSION = 1

local function copy(list)
  return json.array(table.move(list, 1, #list, 1, {}))
end

local function task_of(plan, node, step)
  local resources = node.resources and json.object({}) or nil
  if resources then
    local names = {}
    for name in pairs(node.resources) do
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      table.insert(resources, name)
      table.insert(resources, node.resources[name])
    end
  end
  return json.object({ "name", node.name, "step", step, "needs", copy(node.needs),
    "selected", plan.selected == nil or plan.selected[node.name] == true,
    "description", node.description, "tags", node.tags and copy(node.tags),
    "limit", node.limit, "resources", resources, "estimate", node.estimate, "line", node.line, n = 20 })
end

--- One object: version, graph, steps, tasks in order, critical_path.
function draw.json(plan)
  local tasks, steps = json.array({}), json.array({})
  for step, names in ipairs(plan.steps) do
    steps[step] = copy(names)
    for k = 1, #names do
      local i = plan.starts[step] + k - 1
      tasks[i] = task_of(plan, plan.nodes[i], step)
    end
  end
  local names, seconds = plan:critical_path()
  local path = json.object({ "tasks", json.array(names), "seconds", seconds, n = 4 })
  return json.encode(json.object({ "version", VERSION, "graph", plan.graph.name, "steps", steps,
    "tasks", tasks, "critical_path", path }))
end

return draw
