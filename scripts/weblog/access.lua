-- SPDX-License-Identifier: MIT
--- Counts what stands in access logs of web servers, in the common and the combined format.
---
---     192.0.2.7 - ann [21/Nov/2026:08:00:01 +0000] "GET /a?b HTTP/1.1" 200 512 "http://from/" "agent"
---
--- Runs on the pool, a file a task; the counts of several files are merged there.
---@module "weblog.access"
local tutti = require("tutti")

local access = {}

---@class weblog.counts
---@field requests integer
---@field bytes integer
---@field bad_lines integer                # those that are in neither format
---@field days table<string, { requests: integer, bytes: integer, errors: integer }>   # "2026-11-21"
---@field pages table<string, integer>     # what was asked for with success, without its query
---@field missing table<string, integer>   # answered with 404
---@field statuses table<string, integer>
---@field hosts table<string, integer>

local TABLES = { "pages", "missing", "statuses", "hosts" }

local MONTHS = { Jan = "01", Feb = "02", Mar = "03", Apr = "04", May = "05", Jun = "06", Jul = "07",
  Aug = "08",
  Sep = "09", Oct = "10", Nov = "11", Dec = "12" }

---@return weblog.counts
function access.empty()
  return { requests = 0, bytes = 0, bad_lines = 0, days = {}, pages = {}, missing = {}, statuses = {},
    hosts = {} }
end

local function bump(counts, key)
  counts[key] = (counts[key] or 0) + 1
end

local function day_of(counts, day)
  local found = counts.days[day]
  if not found then
    found = { requests = 0, bytes = 0, errors = 0 }
    counts.days[day] = found
  end
  return found
end

--- Count one line; lines of days before `since` ("2026-11-01" or nil) are passed over.
function access.count_line(counts, line, since)
  local host, day, month, year, request, status, bytes =
    line:match('^(%S+) .-%[(%d%d)/(%a%a%a)/(%d%d%d%d):[^%]]*%] "(.-)" (%d%d%d) (%S+)')
  if not host or not MONTHS[month] then
    counts.bad_lines = counts.bad_lines + (line:find("%S") and 1 or 0)
    return
  end
  local date = ("%s-%s-%s"):format(year, MONTHS[month], day)
  if since and date < since then
    return
  end
  local size = math.tointeger(tonumber(bytes)) or 0
  local of_day = day_of(counts, date)
  counts.requests, counts.bytes = counts.requests + 1, counts.bytes + size
  of_day.requests, of_day.bytes = of_day.requests + 1, of_day.bytes + size
  bump(counts.statuses, status)
  bump(counts.hosts, host)
  local page = request:match("^%u+ ([^%s?]+)") or request
  if status:find("^[23]") then
    bump(counts.pages, page)
  elseif status == "404" then
    bump(counts.missing, page)
  end
  of_day.errors = of_day.errors + (status:find("^5") and 1 or 0)
end

--- Count a file; one whose name ends in .gz goes through gzip, which unpacks while this counts.
---@async
---@return weblog.counts
function access.count_file(path, since)
  local counts = access.empty()
  local function take(line)
    access.count_line(counts, line, since)
  end
  if path:find("%.gz$") then
    tutti.exec({ "gzip", "-dc", "--", path, stdout = take }):await()
  else
    for line in tutti.fs.lines(path) do
      take(line)
    end
  end
  return counts
end

--- The sum of several.
---@return weblog.counts
function access.merge(list)
  local sum = access.empty()
  for _, counts in ipairs(list) do
    for _, field in ipairs({ "requests", "bytes", "bad_lines" }) do
      sum[field] = sum[field] + counts[field]
    end
    for _, name in ipairs(TABLES) do
      for key, count in pairs(counts[name]) do
        sum[name][key] = (sum[name][key] or 0) + count
      end
    end
    for day, found in pairs(counts.days) do
      local of_day = day_of(sum, day)
      for key, count in pairs(found) do
        of_day[key] = of_day[key] + count
      end
    end
  end
  return sum
end

--- The keys with the highest counts, highest first; equal ones by name.
---@return { key: string, count: integer }[]
function access.top(counts, most)
  local list = {}
  for key, count in pairs(counts) do
    list[#list + 1] = { key = key, count = count }
  end
  table.sort(list, function(a, b) return a.count > b.count or a.count == b.count and a.key < b.key end)
  return table.move(list, 1, math.min(most, #list), 1, {})
end

return access
