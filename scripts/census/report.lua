-- SPDX-License-Identifier: MIT
--- What a census prints: a table, JSON, and the files that were passed over. Pure functions of a
--- result (`counter.lua`); the same result gives the same bytes.
local report = {}

local FIELDS = { "files", "blank", "comment", "code" }

--- Names of the result's languages, most code first, and the sum of all.
local function sorted(result)
  local names, total = {}, { files = 0, blank = 0, comment = 0, code = 0 }
  for name, sums in pairs(result.languages) do
    names[#names + 1] = name
    for _, field in ipairs(FIELDS) do
      total[field] = total[field] + sums[field]
    end
  end
  table.sort(names, function(a, b)
    local x, y = result.languages[a].code, result.languages[b].code
    if x ~= y then
      return x > y
    end
    return a < b
  end)
  return names, total
end

local function thousands(number)
  local text = ("%d"):format(number):reverse():gsub("%d%d%d", "%0,"):reverse()
  return (text:gsub("^,", ""))
end

local function row(name, sums)
  local cells = { name }
  for i, field in ipairs(FIELDS) do
    cells[i + 1] = thousands(sums[field])
  end
  return cells
end

local function widths(rows)
  local width = {}
  for _, cells in ipairs(rows) do
    for i, cell in ipairs(cells) do
      width[i] = math.max(width[i] or 0, utf8.len(cell) or #cell)
    end
  end
  return width
end

--- The table that people read: a language a line, most code first, then the sum.
---@param result census.result
---@return string
function report.table(result)
  local names, total = sorted(result)
  local rows = { { "Language", table.unpack(FIELDS) } }
  for _, name in ipairs(names) do
    rows[#rows + 1] = row(name, result.languages[name])
  end
  rows[#rows + 1] = row("Sum", total)
  local width = widths(rows)
  local rule = 0
  for _, columns in ipairs(width) do
    rule = rule + columns
  end
  rule = ("-"):rep(rule + 2 * (#width - 1))
  local lines = {}
  for number, cells in ipairs(rows) do
    local line = {}
    for i, cell in ipairs(cells) do
      local pad = (" "):rep(width[i] - (utf8.len(cell) or #cell))
      line[i] = i == 1 and cell .. pad or pad .. cell
    end
    if number == 2 or number == #rows then
      lines[#lines + 1] = rule
    end
    lines[#lines + 1] = table.concat(line, "  ")
  end
  return table.concat(lines, "\n") .. "\n"
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

--- A JSON string. A file's name may hold any bytes, JSON only UTF-8: the others become U+FFFD.
local function quote(text)
  local bad = select(2, utf8.len(text))
  while bad do
    text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
    bad = select(2, utf8.len(text, bad))
  end
  return '"' .. text:gsub('[%c"\\]', function(char)
    return ESCAPES[char] or ("\\u%04x"):format(char:byte())
  end) .. '"'
end

local function numbers(sums)
  local parts = {}
  for i, field in ipairs(FIELDS) do
    parts[i] = ('"%s":%d'):format(field, sums[field])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function by_path(result)
  local list = table.move(result.skipped, 1, #result.skipped, 1, {})
  table.sort(list, function(a, b)
    return a.path < b.path
  end)
  return list
end

--- One JSON object: `languages` by name, `sum`, `skipped` (path and reason), `passed` (reason and
--- how many).
---@param result census.result
---@return string
function report.json(result)
  local names, total = sorted(result)
  local languages, skipped, passed = {}, {}, {}
  for i, name in ipairs(names) do
    languages[i] = quote(name) .. ":" .. numbers(result.languages[name])
  end
  for i, entry in ipairs(by_path(result)) do
    skipped[i] = ('{"path":%s,"reason":%s}'):format(quote(entry.path), quote(entry.reason))
  end
  for reason, count in pairs(result.passed) do
    passed[#passed + 1] = ("%s:%d"):format(quote(reason), count)
  end
  table.sort(passed)
  return ('{"languages":{%s},"sum":%s,"skipped":[%s],"passed":{%s}}\n'):format(
    table.concat(languages, ","), numbers(total), table.concat(skipped, ","), table.concat(passed, ","))
end

--- A line for each file that was passed over and that somebody may have expected to be counted. What
--- a name could do to a terminal is shown as an escape.
---@param result census.result
---@return string
function report.skipped(result)
  local lines = {}
  for i, entry in ipairs(by_path(result)) do
    local path = entry.path:gsub("%c", function(char)
      return ESCAPES[char] or ("\\x%02x"):format(char:byte())
    end)
    lines[i] = ("passed over %s: %s\n"):format(path, entry.reason)
  end
  return table.concat(lines)
end

return report
