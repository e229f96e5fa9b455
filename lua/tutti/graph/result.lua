-- SPDX-License-Identifier: MIT
--- What a run of a graph came to, and whether its script has looked at that.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: `unread` has the results of all runs that ended with failures and were not read since.
---@module "tutti.graph.result"
local core = require("tutti.core")
local errors = require("tutti.errors")
local say = require("tutti.say")

local result = {}

-- Result -> its run, in the order of their ends by `order`.
local unread, order = {}, {}

-- What a reader of these has seen how the run went; the rest are numbers that say nothing of failures.
local READS = { failed = true, tasks = true, ok = true, failures = true, results = true }

-- ---- lists ---------------------------------------------------------------------------------

local function pick(run, state)
  local list = {}
  for _, entry in ipairs(run.list) do
    if not state or entry.state == state then
      list[#list + 1] = entry
    end
  end
  return list
end

local methods = {}
result.methods = methods

--- Did all that was to run succeed? What `when` left out does not count against it.
function methods.ok(self)
  local run = self.run
  return run.counts.failed == 0 and run.counts.cancelled == 0
end

--- The entries in order; those that are done; those that failed.
function methods.results(self)
  return pick(self.run)
end
function methods.successes(self)
  return pick(self.run, "done")
end
function methods.failures(self)
  return pick(self.run, "failed")
end

local NAMES = setmetatable({ run = true, total = true, succeeded = true, failed = true, skipped = true,
  cancelled = true, elapsed = true, tasks = true }, { __index = methods })

local function text_of(self)
  local run = self.run
  local counts = run.counts
  return ("run of graph \"%s\": %d of %d done, %d failed, %d skipped, %d cancelled, %.3g s"):format(run.name,
    counts.succeeded, run.total, counts.failed, counts.skipped, counts.cancelled, self.elapsed)
end

-- ---- reading -------------------------------------------------------------------------------

local function mark_read(self)
  if unread[self] then
    unread[self] = nil
    for i, other in ipairs(order) do
      if other == self then
        table.remove(order, i)
        break
      end
    end
  end
end

--- The result of a run that has ended: fields and methods, and the entries by their names.
function result.new(run)
  local counts, self = run.counts, nil
  local fields = { run = run, total = run.total, succeeded = counts.succeeded, failed = counts.failed,
    skipped = counts.skipped, cancelled = counts.cancelled, elapsed = run.ended - run.began }
  self = setmetatable({}, {
    __name = "tutti.result",
    __names = NAMES,
    __tostring = text_of,
    __index = function(_, key)
      local value = fields[key]
      if value == nil then
        value = methods[key]
      end
      if value == nil and key == "tasks" then
        value = run.entries -- they are put in order when somebody asks
      elseif value == nil then
        value = run.entries[key]
        if value ~= nil then
          mark_read(self)
        end
      end
      if READS[key] then
        mark_read(self)
      end
      return value
    end,
    __newindex = function(_, key)
      core.usage(("the result of a run cannot be changed (field \"%s\")"):format(tostring(key)), 2)
    end,
  })
  if counts.failed > 0 and not run.was_cancelled then -- of that the caller hears by the cancellation
    unread[self] = run
    order[#order + 1] = self
  end
  return self
end

-- One error for a run whose result nobody has read.
local function error_of(run)
  local list = {}
  for i, entry in ipairs(pick(run, "failed")) do
    list[i] = entry.error
  end
  local first = tostring(list[1].message):match("^[^\n]*")
  local message = ("run of graph \"%s\": %d of %d tasks failed, and nobody read its result: %s")
    :format(run.name, #list, run.total, first)
  return errors.new({ kind = "group", message = message, errors = list })
end

--- An error for each run with failures whose result nobody has read, in the order of their ends; they are
--- forgotten. `only_unsaid`: those of which nothing has been said.
function result.take_unread(only_unsaid)
  local list = {}
  for _, self in ipairs(order) do
    local run = unread[self]
    if not (only_unsaid and run.reported) then
      list[#list + 1] = error_of(run)
    end
  end
  unread, order = {}, {}
  return list
end

-- At the end of a script, and when a state is closed.
core.helper("say_unread_runs", function()
  local has = #order > 0
  for _, err in ipairs(result.take_unread(true)) do
    say(("tutti: %s\n"):format(err.message))
  end
  return has
end)

return result
