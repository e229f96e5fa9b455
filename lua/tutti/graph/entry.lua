-- SPDX-License-Identifier: MIT
--- The entries of a run: what became of each task of the graph.
---
---     waiting --all it needs are done--> ready --a place is free--> running --> done, failed, cancelled
---        +--what it needs did not succeed, or `when` said no--> skipped
---
--- An entry has few fields of its own, since there may be a million. `node`, `name`, `elapsed`, `attempts`,
--- `task`, `error`, `reason` and `run` are worked out when they are asked for.
---
---     node, state, value, values, began, ended       as in the manual
---     left        how many of what it needs have not settled
---     index       its place in run.list
---     handle      its task, from the moment it is made: when it starts, or is asked for earlier; or false
---
--- What hardly any entry has is in tables of the run, by entry:
---
---     because     the entry of which it was skipped, or the text why
---     more        list of entries that were added while it ran and need this one
---     remote      true: a task of the pool
---     tickets     what it holds of limits, or waits for: see gate.lua
---     tries       attempts beyond the first
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a settled entry never changes its state again.
---@module "tutti.graph.entry"
local core = require("tutti.core")
local errors = require("tutti.errors")

local entry = {}

--- States of tasks as the C half numbers them, and the other way round.
entry.NUMBER = { done = 4, failed = 5, cancelled = 6, skipped = 7 }
entry.STATE = { [4] = "done", [5] = "failed", [6] = "cancelled", [7] = "skipped" }

--- Seconds: what shorter tasks take helps nobody to wait, and is not kept.
entry.LONG = 0.01

entry.SETTLED = { done = true, failed = true, cancelled = true, skipped = true }
local SETTLED = entry.SETTLED

-- ---- errors --------------------------------------------------------------------------------

-- The error of a task that never ran, or that another one's end decided on.
local function make_error(run, self)
  local because, fields = run.because[self], { kind = self.state, task = self.node.name }
  if type(because) == "table" then
    local cause = because.error
    fields.message = ("skipped, because task \"%s\" did not succeed: %s"):format(because.node.name,
      tostring(cause and cause.message or because.state))
    fields.cause = cause
  else
    because = because or run.why_cancelled
    fields.message = because and ("%s: %s"):format(self.state, because) or self.state
    fields.reason = because
  end
  fields.started = self.node.line
  return errors.new(fields)
end

local function first_line(text)
  return tostring(text):match("^[^\n]*")
end

-- ---- fields that are worked out ------------------------------------------------------------

local late = {}

-- The node is not made before somebody looks at it, or its task runs with options.
function late.node(run, self)
  local made = run.plan.nodes[self.index]
  rawset(self, "node", made)
  return made
end

function late.name(run, self)
  local node = rawget(self, "node")
  return node and node.name or run.graph.names[run.plan.indices[self.index]]
end

function late.run(run)
  return run
end

function late.elapsed(_, self)
  local began = self.began
  return began and (self.ended or core.now()) - began
end

function late.attempts(run, self)
  return self.began and 1 + (run.tries[self] or 0) or 0
end

function late.error(run, self)
  local state = self.state
  if state == "skipped" or state == "cancelled" then
    local err = make_error(run, self)
    rawset(self, "error", err)
    return err
  end
  return nil
end

function late.reason(run, self)
  local state, because = self.state, run.because[self]
  if state ~= "skipped" and state ~= "cancelled" then
    return nil
  elseif type(because) == "table" then
    return ("\"%s\" %s"):format(because.node.name,
      because.state == "failed" and "failed" or because.state == "cancelled" and "was cancelled"
      or "was skipped")
  elseif because == nil and state == "cancelled" then
    local err = rawget(self, "error")
    because = err and err.reason or run.why_cancelled
  end
  return because and first_line(because) or nil
end

-- The results of a task of the pool stay there until somebody asks.
local function take_results(self)
  local results = table.pack(core.graph_results(self.handle))
  rawset(self, "value", results[1])
  if results.n > 1 then
    rawset(self, "values", results)
  end
end

function late.value(run, self)
  if self.state == "done" and run.remote[self] then
    take_results(self)
    return rawget(self, "value")
  end
  return nil
end

function late.values(run, self)
  if self.state == "done" and run.remote[self] and rawget(self, "value") == nil then
    take_results(self)
    return rawget(self, "values")
  end
  return nil
end

-- A handle for one that has none: held until its time has come, or made of what it ended with.
function late.task(run, self)
  local handle = self.handle
  if not handle then
    handle = SETTLED[self.state] and entry.settled_handle(self) or run:hold(self)
    self.handle = handle
  end
  return handle
end

--- A task that has ended as the entry did.
function entry.settled_handle(self)
  local node, state = self.node, self.state
  local outcome = self.error
  if state == "done" then
    outcome = self.value
  end
  return core.graph_settled(node.name, core.graph_place(node.line or ""), entry.NUMBER[state], outcome)
end

local function text_of(self)
  local text = ("task \"%s\" (%s"):format(self.node.name, self.state)
  if self.ended and self.began then
    text = ("%s, %.3g s"):format(text, self.ended - self.began)
  end
  return text .. ")"
end

--- The metatable of the entries of `run`.
function entry.meta(run)
  return {
    __name = "tutti.entry",
    __names = late,
    __index = function(self, key)
      local work_out = late[key]
      return work_out and work_out(run, self)
    end,
    __tostring = text_of,
  }
end

return entry
