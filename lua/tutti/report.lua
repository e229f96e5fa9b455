-- SPDX-License-Identifier: MIT
--- The report of a run in which something failed or was cancelled: per failure what happened, where the
--- task was made, what came before it, its last output, what it blocked, and the line that runs just this
--- again.
---
---     groups (what to tell, in which order)  output (last lines)  rerun (the line to type)  ->  text
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: as short for 10,000 failures as for ten: each cut says how much it left out.
---@module "tutti.report"
local core = require("tutti.core")
local escape = require("tutti.escape")
local failure = require("tutti.report.failure")
local groups = require("tutti.report.groups")
local layout = require("tutti.report.layout")

local report = {}

-- Failures that no block was left for.
local function add_rest(page, told)
  local names, rest, is_shown = {}, 0, {}
  for _, group in ipairs(told.shown) do
    for _, entry in ipairs(group.entries) do
      is_shown[entry] = true
    end
  end
  for _, entry in ipairs(told.failed) do
    if not is_shown[entry] then
      rest = rest + 1
      names[rest] = rest <= 10 and entry.name or nil
    end
  end
  if rest > 0 then
    local text = ("%s more: "):format(layout.count(rest))
    page.flow(page.paint("FAILED", "red") .. "  ", text
      .. layout.names(names, rest, layout.room(page, text)), 2)
    page.add("")
  end
end

local function add_cancelled(page, told)
  local first = told.cancelled[1]
  if not first then
    return
  end
  local reason = first.reason or first.error and core.error_fields(first.error).reason
  local text = layout.tasks(#told.cancelled)
  text = text .. (reason and (" (%s): "):format(escape.line(tostring(reason))) or ": ")
  local names = layout.names_of(told.cancelled, 1, 10)
  page.flow(page.paint("CANCELLED", "yellow") .. "  ",
    text .. layout.names(names, #told.cancelled, layout.room(page, text)), 2)
  if not page.options.quiet then
    page.add("")
  end
end

local function add_summary(page, run, told, result)
  local parts = {}
  local function part(n, word, colour)
    if n > 0 then
      parts[#parts + 1] = page.paint(layout.count(n) .. " " .. word, colour)
    end
  end
  part(#told.failed, "failed", "red")
  part(#told.cancelled, "cancelled", "yellow")
  part(told.not_run, "not run", "yellow")
  part(told.skipped, "skipped", "dim")
  part(told.ok, "ok", "green")
  local name = run.name and escape.line(run.name) .. ": " or ""
  local time = result.elapsed and " in " .. layout.duration(result.elapsed) or ""
  page.flow("", name .. table.concat(parts, ", ") .. time, 2)
end

--- The report of `run`, which has ended with `result`; "" if nothing failed and nothing was cancelled.
--- Options: `width` (columns of the terminal; nil: none), `colours`, `quiet` (causes only), `verbose` (0 to
--- 2), `command` (what to type before a selector to run parts of this graph again; nil: no such line exists).
---@param run table
---@param result table
---@param options table
---@return string
function report.text(run, result, options)
  local told = groups.read(run)
  if #told.failed == 0 and #told.cancelled == 0 then
    return ""
  end
  local page = layout.new_page(options)
  for _, group in ipairs(told.shown) do
    failure.add(page, run, group)
  end
  add_rest(page, told)
  add_cancelled(page, told)
  if not options.quiet then
    add_summary(page, run, told, result)
  end
  return table.concat(page.lines, "\n") .. "\n"
end

return report
