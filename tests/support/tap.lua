-- SPDX-License-Identifier: MIT
-- TAP for the checks that are written in Lua, and the reader that the runner counts with.

local tap = { run_count = 0, failed_count = 0 }
local looked_at, bad = 0, {}

--- Count one check. Returns `pass`.
function tap.ok(pass, name, detail)
  tap.run_count = tap.run_count + 1
  if not pass then
    tap.failed_count = tap.failed_count + 1
  end
  print(("%s %d - %s"):format(pass and "ok" or "not ok", tap.run_count, (name:gsub("%s+", " "))))
  if not pass and detail then
    print("#   " .. detail:gsub("\n", "\n#   "))
  end
  return pass
end

--- Look at one of many things that a single rule is about; only what breaks the rule is shown.
function tap.case(pass, detail)
  looked_at = looked_at + 1
  if not pass then
    bad[#bad + 1] = detail
  end
end

--- Count the rule that all `case`s since the last one were about, as one check.
function tap.rule(name)
  name = ("%s (%d looked at)"):format(name, looked_at)
  tap.ok(looked_at > 0 and #bad == 0, name, table.concat(bad, "\n"))
  looked_at, bad = 0, {}
end

--- Print the plan and end the process.
function tap.finish()
  print(("1..%d"):format(tap.run_count))
  os.exit(tap.failed_count == 0 and tap.run_count > 0)
end

---@class tap.count
---@field passed   integer
---@field failed   integer
---@field skipped  string[]
---@field problems string[]
---@field timeout  boolean

local function new_count(status)
  local late = status == 124 or status == 137
  return { passed = 0, failed = 0, skipped = {}, problems = {}, timeout = late }
end

--- Count what a test printed. A test that says less than it planned, or nothing, or ends badly,
--- has failed once more.
---@return tap.count
function tap.parse(output, status)
  local count = new_count(status)
  local plan
  for line in output:gmatch("[^\n]+") do
    local verdict, text = line:match("^(%l*%s?ok) %d+(.*)$")
    if verdict == "not ok" then
      count.failed = count.failed + 1
    elseif verdict == "ok" then
      local skipped = text:match("#%s*[Ss][Kk][Ii][Pp]%s*(.*)$")
      if skipped then
        count.skipped[#count.skipped + 1] = skipped
      else
        count.passed = count.passed + 1
      end
    end
    plan = line:match("^1%.%.(%d+)$") or plan
  end
  local ran = count.passed + count.failed + #count.skipped
  local function problem(text)
    count.failed = count.failed + 1
    count.problems[#count.problems + 1] = text
  end
  if not plan then
    problem("no plan: it did not come to its end")
  elseif tonumber(plan) ~= ran or ran == 0 then
    problem(("the plan says %s, %d ran"):format(plan, ran))
  elseif status ~= 0 and count.failed == 0 then
    problem("all checks passed, but the exit status is " .. status)
  end
  return count
end

--- The count of a test that says everything with its exit status.
function tap.from_status(status)
  local count = new_count(status)
  count[status == 0 and "passed" or "failed"] = 1
  return count
end

return tap
