-- SPDX-License-Identifier: MIT
--- --progress=json: one object a line on stderr for each event (lua/README.md lists them).
---
--- Layer: the Lua half. Thread: the loop state's.
--- Invariant: whatever tutti says in this state is one of these lines too; fields are only ever added.
---@module "tutti.progress.events"
local core = require("tutti.core")
local json = require("tutti.json")
local session = require("tutti.session")

local events = {}

local VERSION = 1

-- To the microsecond.
local function seconds(value)
  return value and math.floor(value * 1e6 + 0.5) / 1e6
end

local function write(event, ...)
  local fields = table.pack("v", VERSION, "event", event, "t", seconds(core.now()), ...)
  io.stderr:write(json.encode(json.object(fields)) .. "\n")
end

--- What tutti says otherwise: reports, failures that nobody owns.
function session.say(text)
  write("message", "text", (text:gsub("\n$", "")))
end

local function error_of(err)
  if err == nil then
    return nil
  end
  local fields = core.error_fields(err)
  return fields and json.object({ "kind", fields.kind, "message", tostring(fields.message) })
    or json.object({ "kind", "error", "message", tostring(err) })
end

function events.run_begins(run)
  write("run_begins", "run", run.id, "name", run.name, "total", run.total, "jobs", run.jobs,
    "mode", run.mode, "time", os.date("!%Y-%m-%dT%H:%M:%SZ"))
end

function events.task_added(run, entry)
  write("task_added", "run", run.id, "task", entry.name, "total", run.total)
end

function events.task_begins(run, entry)
  write("task_begins", "run", run.id, "task", entry.name)
end

function events.task_retries(run, entry, err, delay)
  write("task_retries", "run", run.id, "task", entry.name, "delay", seconds(delay),
    "error", error_of(err))
end

function events.task_ends(run, entry)
  write("task_ends", "run", run.id, "task", entry.name, "state", entry.state,
    "elapsed", seconds(entry.elapsed), "attempts", entry.attempts, "reason", entry.reason,
    "error", error_of(entry.error))
end

function events.run_ends(run, result)
  local of = run.counts
  local elapsed = result and result.elapsed or core.now() - run.began
  write("run_ends", "run", run.id, "name", run.name, "ok", of.failed == 0 and of.cancelled == 0,
    "elapsed", seconds(elapsed), "total", run.total, "succeeded", of.succeeded, "failed", of.failed,
    "skipped", of.skipped, "cancelled", of.cancelled)
end

return events
