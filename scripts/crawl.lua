-- SPDX-License-Identifier: MIT
-- Follows the links of a site and says which lead nowhere: of a server, or of a folder before it is
-- published.
--
--   ./tutti run scripts/crawl.lua [--limit N] [--max N] [--timeout DURATION] [-v] URL|FOLDER
--
-- A page is a task of a graph that grows while it runs: each adds those that it links to, and no page is
-- asked for twice. At most N requests (default 8) are under way at once, at most --max pages (default 1000)
-- are asked for, each answer may take 10 s, and a connection that breaks is tried three times. Other sites
-- are counted, not asked. Status 1 if a link leads nowhere.
--
-- args: scripts/crawl/site
-- status: 1
-- expect: 404  /guide/missing.html  (from /guide/)
-- expect: crawl: 6 pages, 10 links, 1 leads nowhere, 1 to other sites
local tutti = require("tutti")
local http = require("crawl.http")
local links = require("crawl.links")

local USAGE = "usage: crawl.lua [--limit N] [--max N] [--timeout DURATION] [-v] URL|FOLDER\n"
local TRIES = { times = 2, backoff = { "100ms", "2s", 4, 0.2 } }

local function refuse(message)
  io.stderr:write("crawl: ", message, "\n", USAGE)
  os.exit(2)
end

-- ---- words ---------------------------------------------------------------------------------

local chosen = { limit = 8, max = 1000, timeout = "10s" }
local where, is_verbose
local words = { ... }
local at = 1
while words[at] do
  local word, name = words[at], words[at]:match("^%-%-(%a+)$")
  if word == "-v" then
    is_verbose = true
  elseif word == "--help" or word == "-h" then
    io.write(USAGE)
    os.exit(0)
  elseif chosen[name] then
    at = at + 1
    chosen[name] = words[at] or refuse(word .. " wants a value")
  elseif word:sub(1, 1) == "-" or where then
    refuse(("unexpected word \"%s\""):format(word))
  else
    where = word
  end
  at = at + 1
end

local function count_of(name)
  local count = math.tointeger(tonumber(chosen[name]))
  return count and count > 0 and count or refuse(("--%s wants a number, 1 or more, not \"%s\""):format(name,
    chosen[name]))
end

local LIMIT, MAX = count_of("limit"), count_of("max")
if not pcall(tutti.timeout, chosen.timeout, function() end) then
  refuse(("--timeout wants a duration, such as 5s, not \"%s\""):format(chosen.timeout))
end
local server
if not where then
  refuse("which site? A URL or a folder is missing")
elseif not where:find("^%a[%w+.-]*://") then
  local ok, found = pcall(tutti.fs.stat, where)
  if not ok or found.type ~= "directory" then
    refuse(("\"%s\" is neither a URL, such as http://localhost:8000/, nor a folder"):format(where))
  end
  server, where = require("crawl.server").start(where)
end
local start, problem = links.parse(where)
if not start then
  refuse(problem)
end

-- ---- the crawl -----------------------------------------------------------------------------

local g = tutti.graph("crawl " .. start.text)
g:limit("requests", LIMIT)

local pages, order = {}, {} -- by URL, and the URLs in the order in which they were found
local left_out = {}
local link_count, left_out_count, elsewhere = 0, 0, 0
local visit

-- Add a page to `run`, a graph or the run of one, unless it is known.
local function add(run, url, from)
  if pages[url.text] then
    return
  elseif #order >= MAX then
    left_out_count = left_out_count + (left_out[url.text] and 0 or 1)
    left_out[url.text] = true
    return
  end
  pages[url.text] = { target = url.target, from = from }
  order[#order + 1] = url.text
  run:task(url.text, { limit = "requests", retry = TRIES, tags = { "page" },
    description = from and "linked from " .. from or "where it starts" }, function() return visit(url) end)
end

local function follow(url, references)
  for _, reference in ipairs(references) do
    local target = links.resolve(url, reference)
    link_count = link_count + 1
    if target and target.host == start.host and target.port == start.port then
      add(tutti.current_run(), target, url.target)
    elseif target or reference:find("^%s*https:") then
      elsewhere = elsewhere + 1
    end
  end
end

function visit(url)
  local page, began = pages[url.text], tutti.now()
  local response = tutti.timeout(chosen.timeout, http.get, url)
  page.status, page.bytes, page.elapsed = response.status, #response.body, tutti.now() - began
  if response.status >= 300 and response.status < 400 and response.headers.location then
    follow(url, { response.headers.location })
  elseif response.status == 200 and (response.headers["content-type"] or ""):find("^text/html") then
    follow(url, links.find(response.body))
  end
end

add(g, start)
local result = g:run({ jobs = LIMIT }):await()
if server then
  server:close()
end

-- ---- what came of it -----------------------------------------------------------------------

local function why(page, entry)
  if not entry.error then
    return page.status or entry.state
  end
  return entry.error.kind == "timeout" and "no answer within " .. chosen.timeout
    or entry.error.message:gsub("^%S+:%d+: ", "")
end

local bad = 0
table.sort(order)
for _, text in ipairs(order) do
  local page, entry = pages[text], result.tasks[text]
  local is_bad = entry.state ~= "done" or page.status >= 400
  bad = bad + (is_bad and 1 or 0)
  if is_bad or is_verbose then
    local how = page.elapsed and ("%.0f ms, %d bytes"):format(page.elapsed * 1000, page.bytes)
    print(("%s  %s  (%s)"):format(why(page, entry), page.target, not is_bad and how or page.from
      and "from " .. page.from
      or "where it starts"))
  end
end
print(("crawl: %d pages, %d links, %d %s nowhere, %d to other sites%s"):format(#order, link_count, bad,
  bad == 1 and "leads" or "lead", elsewhere, left_out_count > 0
    and (", %d left out (--max)"):format(left_out_count) or ""))
os.exit(bad == 0 and 0 or 1)
