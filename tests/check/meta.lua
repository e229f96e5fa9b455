-- SPDX-License-Identifier: MIT
-- needs: release
-- The annotations in lua/meta say what there is: each function, method and option, with its parameters; the
-- page made of them is fresh; the manual names each limit with its value.

package.path = "lua/meta/?.lua;" .. package.path
local reference = require("reference")
local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local BUILD = arg[1]

-- ---- functions -----------------------------------------------------------------------------

local text = reference.source("lua/meta")
local entries = reference.read(text)
local annotated = {}
for _, entry in ipairs(entries) do
  if entry.name then
    annotated[entry.name] = entry
  end
end

local function words_of(entry)
  local count, more = 0, false
  for word in entry.words:gmatch("[^,%s]+") do
    if word == "..." then
      more = true
    else
      count = count + 1
    end
  end
  return count, more
end

-- A function that tells its arguments apart itself may have fewer parameters than words.
local function same_words(entry, name, given, more)
  local count, has_more = words_of(entry)
  if name:find(":", 1, true) then
    count = count + 1 -- self
  end
  return has_more == more and (tonumber(given) == count or more and tonumber(given) < count)
end

-- Methods that are made in one place for several names take all as "...".
local FORWARD = { Scope = true }

local offered = {}
local exports = shell.lines(("%s/tutti run tests/support/exports.lua"):format(shell.quote(BUILD)))
for _, line in ipairs(exports) do
  local name, kind, count, more = line:match("^(%S+)\t(%S+)\t(%S+)\t(%S+)$")
  offered[name] = true
  if kind == "function" then
    local entry = annotated[name]
    tap.case(entry, name .. " is not annotated in lua/meta/tutti.lua")
    if entry and count ~= "?" and not FORWARD[name:match("^%a+")] then
      tap.case(same_words(entry, name, count, more == "more"),
        ("%s(%s) has %s parameters%s"):format(name, entry.words, count, more == "more" and " and more" or ""))
    end
  else
    tap.case(text:find("\n" .. name .. " = ", 1, true), name .. ", a table, is not annotated")
  end
end
tap.rule("what tutti offers is annotated, with its parameters")

for name, entry in pairs(annotated) do
  tap.case(offered[name], name .. " is annotated, but there is none")
  local params = {}
  for _, param in ipairs(entry.params) do
    params[#params + 1] = param.name:gsub("%?$", "")
  end
  tap.case(table.concat(params, ", ") == entry.words,
    ("%s(%s): its ---@param lines are %s"):format(name, entry.words, table.concat(params, ", ")))
end
tap.rule("what is annotated is there, each word with its ---@param")

-- ---- options -------------------------------------------------------------------------------

-- Class -> where the code keeps the options that it knows.
local OPTIONS = {
  { "tutti.TaskOptions", "lua/tutti/options.lua", "TASK" },
  { "tutti.Retry", "lua/tutti/attempts.lua", "RETRY" },
  { "tutti.ScopeOptions", "lua/tutti/scope.lua", "KNOWN" },
  { "tutti.MapOptions", "lua/tutti/combine.lua", "MAP", "REDUCE" },
  { "tutti.ExecOptions", "lua/tutti/process.lua", "KNOWN" },
  { "tutti.SupervisorOptions", "lua/tutti/supervisor.lua", "KNOWN" },
  { "tutti.GraphTaskOptions", "lua/tutti/graph/node.lua", "KNOWN" },
  { "tutti.RunOptions", "lua/tutti/graph/run.lua", "KNOWN" },
  { "tutti.ChildOptions", "lua/tutti/supervisor.lua", "CHILD" },
  { "tutti.TestingOptions", "lua/tutti/testing.lua", "KNOWN" },
}

local function known_options(path, ...)
  local known, source = {}, shell.read(path)
  for _, name in ipairs({ ... }) do
    local body = source:match("\nlocal " .. name .. " = (%b{})")
    tap.case(body, ("%s has no table %s"):format(path, name))
    for key in (body or ""):gmatch("([%w_]+)%s*=") do
      known[key] = true
    end
  end
  return known
end

local function fields_of(class)
  for _, entry in ipairs(entries) do
    if entry.class and entry.class:match("^[%w_.]+") == class then
      return entry.fields
    end
  end
  tap.case(false, "there is no class " .. class)
  return {}
end

for _, row in ipairs(OPTIONS) do
  local known, said = known_options(table.unpack(row, 2)), {}
  for _, field in ipairs(fields_of(row[1])) do
    local name = field.name:gsub("%?$", "")
    said[name] = true
    tap.case(known[name] or name == "[integer]",
      ("%s.%s: %s knows no such option"):format(row[1], name, row[2]))
  end
  for name in pairs(known) do
    tap.case(said[name], ("%s: option \"%s\" of %s is not annotated"):format(row[1], name, row[2]))
  end
end
tap.rule("options are annotated as the code knows them")

-- ---- pages ---------------------------------------------------------------------------------

tap.ok(shell.read("lua/meta/REFERENCE.md") == reference.page(text), "lua/meta/REFERENCE.md is fresh",
  "lua5.4 lua/meta/reference.lua > lua/meta/REFERENCE.md")

-- The value of a release build: of a name that is defined twice, the second.
local manual, values = shell.read("lua/README.md"), {}
for name, value in shell.read("engine/base/limits.h"):gmatch("\n#define (TUTTI_[%w_]+) ([^\n]+)") do
  values[name] = value:gsub("%s*/%*.-%*/", "")
end
local function add_enum(path, pattern)
  for name, value in shell.read(path):gmatch(pattern) do
    values[name] = value
  end
end
add_enum("engine/value/format.h", "(TUTTI_VALUE_[%w_]+_MAX) = ([%w]+)[,;]") -- an enum, and a constant
for name, value in pairs(values) do
  local line = ("| `%s` | `%s` |"):format(name, value)
  tap.case(manual:find(line, 1, true), "lua/README.md does not have: " .. line)
end
tap.rule("the manual has each limit with its value")
tap.finish()
