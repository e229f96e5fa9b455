-- SPDX-License-Identifier: MIT
--- tutti.current_run():task(...): a task more, while the run goes on.
---
--- What it needs is there already, settled or not, so no cycle can come of it. The run does not end before
--- it.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: an entry that is added stands behind all others in run.list, and is in `more` of each need that
--- has not settled.
---@module "tutti.graph.add"
local body = require("tutti.graph.body")
local core = require("tutti.core")
local entries = require("tutti.graph.entry")
local gate = require("tutti.graph.gate")
local graph = require("tutti.graph")
local names = require("tutti.graph.names")
local node = require("tutti.graph.node")

local SETTLED = entries.SETTLED

local function refuse(run, name, level, message, ...)
  core.usage(("run:task \"%s\": run of graph \"%s\" %s")
    :format(tostring(name), run.name, message:format(...)), level + 1)
end

local function check_open(run, name, level)
  if run.is_over then
    refuse(run, name, level + 1, "has ended: nothing can be added to it any more")
  elseif run.stopping then
    refuse(run, name, level + 1, "is stopping: it starts nothing any more")
  end
end

local function raise_missing(run, made, need)
  local nodes = {}
  for i, entry in ipairs(run.list) do
    nodes[i] = entry.node
  end
  local subject = ("task \"%s\" needs"):format(made.name)
  names.raise_missing({ name = run.name, nodes = nodes }, subject, need, made.line)
end

local function check(run, made, level)
  local other = run.entries[made.name]
  if other then
    refuse(run, made.name, level + 1, "has a task of this name already (added at %s)", other.node.line or "?")
  end
  for _, need in ipairs(made.needs) do
    if not run.entries[need] then
      raise_missing(run, made, need)
    end
  end
  names.check_limits(run.graph, made)
  gate.check(run.graph, made)
  body.check_sendable({ made }, run.mode)
end

-- Tie the entry to those of its needs that have not settled; returns the first that did not succeed.
local function tie(run, entry)
  local broken
  for _, name in ipairs(entry.node.needs) do
    local need = run.entries[name]
    if not SETTLED[need.state] then
      entry.left = entry.left + 1
      run.more[need] = run.more[need] or {}
      table.insert(run.more[need], entry)
    elseif need.state ~= "done" and not entry.node.run_on_skip then
      broken = broken or need
    end
  end
  return broken
end

--- Add a task to the run. Returns its entry, and the one because of which it is skipped at once, if there is
--- one. `level` is that of the caller's line.
return function(run, level, name, given, f)
  check_open(run, name, level + 1)
  given, f = graph.split(given, f)
  local index = #run.list + 1
  local made = node.read(index, name, given, f, level + 1)
  check(run, made, level + 1)
  local entry = setmetatable({ node = made, state = "waiting", left = 0, index = index, handle = false },
    run.entry_meta)
  run.list[index], run.entries[name] = entry, entry
  run.total, run.left, run.is_plain = run.total + 1, run.left + 1, false
  return entry, tie(run, entry)
end
