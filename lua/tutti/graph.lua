-- SPDX-License-Identifier: MIT
--- tutti.graph: named recipes with `needs`, checked and planned before anything runs.
---
--- A graph only declares. graph/node.lua reads what a task is given, graph/plan.lua orders the tasks,
--- graph/run.lua runs a plan.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `whole_plan` is the plan of the first `whole_count` tasks as they are, or nil.
---@module "tutti.graph"
local core = require("tutti.core")
local node = require("tutti.graph.node")
local nodes = require("tutti.graph.nodes")
local options = require("tutti.options")
local plan = require("tutti.graph.plan")
local session = require("tutti.session")

local graph_meta = { __name = "tutti.graph" }
local methods = {}
graph_meta.__index = methods

local function is_graph(value)
  return type(value) == "table" and getmetatable(value) == graph_meta
end

function graph_meta:__tostring()
  return ("graph \"%s\" (%d task%s)"):format(self.name, #self.nodes, #self.nodes == 1 and "" or "s")
end

local function check_self(self, method, level)
  if not is_graph(self) then
    core.usage(("%s: a graph was expected, got %s (call it with a colon: g:%s(...))")
      :format(method, type(self), method), level + 1)
  end
end

-- ---- declaring -----------------------------------------------------------------------------

-- g:task(name, f) has no options; f may be a recipe or anything else that can be called.
local function split(given, f)
  if type(given) == "function" and f == nil then
    return nil, given
  elseif f == nil then
    local meta = getmetatable(given)
    if type(given) ~= "table" or type(meta) == "table" and meta.__call then
      return nil, given
    end
  end
  return given, f
end

-- All of g:task; what is plain never comes here (engine/lua/graph_declare.c).
local function task(self, name, given, f)
  check_self(self, "task", 2)
  if type(f) ~= "function" then
    given, f = split(given, f)
  end
  local made, is_plain = node.read(#self.nodes + 1, name, given, f, 2)
  local other = self.by_name[name]
  if other then
    core.usage(("g:task: graph \"%s\" has a task \"%s\" already (added at %s)")
      :format(self.name, name, other.line or "?"), 2)
  end
  self.has_options = self.has_options or not is_plain
  nodes.add(self, made)
  return self
end

--- Add a task: g:task(name, [options,] f).
methods.task = core.graph_task(graph_meta, task, core.graph_store())

--- Add edges: g:flow "(server, assets) >> tests". All of them, or none.
function methods.flow(self, text)
  check_self(self, "flow", 2)
  if type(text) ~= "string" then
    core.usage(("g:flow: a text such as \"(a, b) >> c\" was expected, got %s"):format(type(text)), 2)
  end
  require("tutti.graph.flow").apply(self, text)
  self.whole_plan = nil
  return self
end

--- Declare a limit: of the tasks with limit = name, at most `count` run at once.
function methods.limit(self, name, count)
  check_self(self, "limit", 2)
  node.check_name("g:limit", name, 2, "limit")
  if math.type(count) ~= "integer" or count < 1 then
    core.usage(("g:limit \"%s\": how many may run at once must be a whole number, 1 or more, got %s")
      :format(name, type(count) == "number" and tostring(count) or type(count)), 2)
  end
  self.limits[name], self.whole_plan = count, nil
  return self
end

-- ---- planning and running ------------------------------------------------------------------

--- The order in which a run would go. Raises `missing` or `cycle` if there is none.
function methods.plan(self, selector)
  check_self(self, "plan", 2)
  if selector ~= nil then
    local selected = require("tutti.graph.select").select(self, selector, 2)
    return plan.new(self, selected)
  end
  local whole, count = self.whole_plan, #self.nodes
  if not whole or self.whole_count ~= count then
    whole = plan.new(self)
    self.whole_plan, self.whole_count = whole, count
  end
  return whole
end

--- Run it: g:run([selector | { selector, mode =, on_failure =, jobs = }]) --> Task of the result.
---@nodiscard
function methods.run(self, given)
  check_self(self, "run", 2)
  if session.guard then
    session.guard(self, given)
  end
  local started = require("tutti.graph.run").start(self, given, 2)
  return started
end

-- ---- making one ----------------------------------------------------------------------------

local count_made = 0

--- Make a graph: tutti.graph(name)
---@nodiscard
local function graph(name)
  if name ~= nil then
    node.check_name("tutti.graph", name, 2, "graph")
  end
  count_made = count_made + 1
  local made = { name = name or ("graph %d"):format(count_made), limits = {} }
  nodes.attach(made)
  return setmetatable(made, graph_meta)
end

--- The run that the current task belongs to, or nil.
local function current_run()
  return require("tutti.graph.run").current()
end

options.is_graph = is_graph

if session.is_program then -- a graph that the script returns is run
  core.helper("script_returned", function(value)
    require("tutti.program").returned(value)
  end)
end

return { exports = { graph = graph, current_run = current_run }, is_graph = is_graph, split = split }
