-- SPDX-License-Identifier: MIT
--- Numbers and lines about a run that every kind of progress shows.
---
--- Layer: the Lua half. Thread: the loop state's.
---@module "tutti.progress.counts"
local counts = {}

-- Of the report's modules, which are loaded with the first line that needs them: the first task of a run
-- does not wait for that.

--- A name as text that does nothing to a terminal.
function counts.name(text)
  return require("tutti.escape").line(text)
end

--- 12ms, 1.2s, 2m10s
function counts.duration(seconds)
  return require("tutti.report.layout").duration(seconds)
end

local function number(n)
  return require("tutti.report.layout").count(n)
end

--- How many tasks of a run have settled, however.
function counts.done(run)
  local of = run.counts
  return of.succeeded + of.failed + of.skipped + of.cancelled
end

--- One line about a run that ended well; nil if the failure report tells of it, or nothing was to do.
function counts.summary(run, elapsed)
  local of = run.counts
  if of.failed > 0 or of.cancelled > 0 or run.total == 0 then
    return nil
  end
  local skipped = of.skipped > 0 and (", %s skipped"):format(number(of.skipped)) or ""
  local name = run.name and run.name ~= "" and counts.name(run.name) .. ": " or ""
  return ("%s%s ok%s in %s\n"):format(name, number(of.succeeded), skipped, counts.duration(elapsed))
end

--- The first line of what went wrong with an entry.
function counts.cause(entry)
  local err = entry.error
  local message = type(err) == "userdata" and err.message or err
  return require("tutti.escape").message(tostring(message or entry.reason or entry.state):match("^[^\n]*"))
end

return counts
