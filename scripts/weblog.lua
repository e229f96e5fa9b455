-- SPDX-License-Identifier: MIT
-- What a web server's access logs say: which pages, what was not found, how much a day.
--
--   ./tutti run scripts/weblog.lua --arg logs='/var/log/nginx/access.log*'      all of it
--   ./tutti run scripts/weblog.lua --arg logs=... --arg csv=days.csv.gz csv     only the days, as a table
--   ./tutti run scripts/weblog.lua --help                                       all arguments
--   ./tutti plan scripts/weblog.lua --arg logs=...
--
-- Each file is read by a task on the pool, packed ones through gzip, and at most `readers` of them at once;
-- their counts are merged, and reports made of them side by side.
--
-- args: --arg logs='scripts/weblog/sample/*.log' --arg since=2026-11-20
-- expect: 7 requests, 9.3 KiB, 2026-11-20 to 2026-11-21; 1 line in another format
-- expect: statuses  4 x 200, 2 x 404, 1 x 500
-- expect: pages
-- expect:        3  /
-- expect:        1  /style.css
-- expect: not found
-- expect:        2  /favicon.ico
local tutti = require("tutti")
local access = require("weblog.access")

local args = tutti.args({
  logs = { "string", required = true, help = "files to read, as a pattern: '/var/log/nginx/access.log*'" },
  since = { "string", help = "the first day that counts, such as 2026-11-01" },
  top = { "integer", default = 10, help = "how many lines a list has" },
  readers = { "integer", default = 4, help = "files that are read at once" },
  csv = { "string", help = "write the days as a table to this file; packed if its name ends in .gz" },
})

local g = tutti.graph("weblog")
g:limit("readers", args.readers)

local reads = {}
for _, path in ipairs(tutti.fs.glob(args.logs)) do
  reads[#reads + 1] = path
  local since = args.since
  g:task(path, { description = "count its lines", tags = { "read" }, limit = "readers", on = "pool" },
    function() return access.count_file(path, since) end)
end
if args.logs ~= "" and #reads == 0 then -- it is empty where only --help is asked for
  io.stderr:write(("weblog: no file matches %s\n"):format(args.logs))
  os.exit(2)
end

g:task("merge", { description = "add the counts up", needs = reads, on = "pool" },
  function(...) return access.merge({ ... }) end)

local function list(title, counts)
  local lines = { title }
  for _, entry in ipairs(access.top(counts, args.top)) do
    lines[#lines + 1] = ("%8d  %s"):format(entry.count, entry.key)
  end
  return table.concat(lines, "\n")
end

local function size(bytes)
  local unit = 1
  while bytes >= 1024 and unit < 4 do
    bytes, unit = bytes / 1024, unit + 1
  end
  return ("%.1f %s"):format(bytes, ({ "B", "KiB", "MiB", "GiB" })[unit])
end

local function days(counts)
  local found = {}
  for day in pairs(counts.days) do
    found[#found + 1] = day
  end
  table.sort(found)
  return found
end

g:task("overview", { description = "requests, bytes and statuses", needs = { "merge" }, tags = { "report" } },
  function(counts)
    local found, statuses = days(counts), {}
    for i, entry in ipairs(access.top(counts.statuses, args.top)) do
      statuses[i] = ("%d x %s"):format(entry.count, entry.key)
    end
    return ("%d requests, %s, %s to %s; %d %s in another format\nstatuses  %s"):format(counts.requests,
      size(counts.bytes), found[1] or "never", found[#found] or "never", counts.bad_lines,
      counts.bad_lines == 1 and "line" or "lines", table.concat(statuses, ", "))
  end)

g:task("pages", { description = "what was asked for most", needs = { "merge" }, tags = { "report" } },
  function(counts) return list("pages", counts.pages) end)

g:task("missing", { description = "what was asked for and is not there", needs = { "merge" },
  tags = { "report" },
  when = function(counts) return next(counts.missing) ~= nil, "nothing was missing" end },
  function(counts) return list("not found", counts.missing) end)

g:task("csv", { description = "the days as a table in a file", needs = { "merge" },
  when = function() return args.csv ~= nil, "no --arg csv=FILE" end },
  function(counts)
    local lines = { "day,requests,bytes,errors\n" }
    for _, day in ipairs(days(counts)) do
      local of_day = counts.days[day]
      lines[#lines + 1] = ("%s,%d,%d,%d\n"):format(day, of_day.requests, of_day.bytes, of_day.errors)
    end
    local text = table.concat(lines)
    if args.csv:find("%.gz$") then
      tutti.exec({ "gzip", "-c", stdin = text, stdout = { file = args.csv } }):await()
    else
      tutti.fs.write(args.csv, text)
    end
  end)

g:task("print", { description = "show the reports", needs = { "overview", "pages", "missing" },
  run_on_skip = true },
  function(...)
    for _, report in ipairs({ ... }) do
      if report:state() == "done" then
        print((report:await()))
      end
    end
  end)

return g
