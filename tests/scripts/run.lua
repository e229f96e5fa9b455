-- SPDX-License-Identifier: MIT
-- Runs a script, or the code blocks of a page, with `PROGRAM run`, or a program of scripts/embed, and
-- compares with what it says.
-- Usage: lua5.4 tests/scripts/run.lua PROGRAM FILE.lua|FILE.md|FILE.c    from the project's root
--
-- In a script or block (anywhere, one a line; in a C file after " * " in place of "-- "):
--   -- args: WORDS         words after FILE, split by sh                     (default none)
--   -- env: K=V ...        more of its environment, split by sh
--   -- status: N           the exit status                                   (default 0)
--   -- expect: TEXT        the next line of stdout is TEXT
--   -- expect~: PATTERN    the next line of stdout matches the Lua pattern, from end to end
--   -- expect: ...         any number of lines
--   -- same-as: COMMAND    stdout is what this shell line prints, in place of `expect`
-- A script of scripts/ must expect something. In a page, ```lua blocks are run so, and ```c blocks
-- with a main() are compiled against tutti.h and libtutti.a and run (release only: a plain program
-- cannot be linked with sanitized objects).

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local program, path = ...
local build = program:match("^(.*)/") or "."
local is_release = build:find("release$") ~= nil

---@return { kind: "text"|"pattern"|"any", text: string }[] expected
---@return { args: string, env: string, status: integer } options
local function read_expectations(text)
  local expected, options = {}, { args = "", env = "", status = 0 }
  for line in text:gmatch("[^\n]+") do
    local key, value = line:match("^%s*%-%- ([%w-]+~?): ?(.*)$")
    if key == "expect" then
      expected[#expected + 1] = { kind = value == "..." and "any" or "text", text = value }
    elseif key == "expect~" then
      expected[#expected + 1] = { kind = "pattern", text = value }
    elseif key == "same-as" then
      for entry in shell.capture(value):gmatch("[^\n]+") do
        expected[#expected + 1] = { kind = "text", text = entry }
      end
    elseif key == "args" or key == "env" then
      options[key] = value
    elseif key == "status" then
      options.status = assert(math.tointeger(tonumber(value)), "-- status: wants a number")
    end
  end
  return expected, options
end

local function line_matches(entry, line)
  if entry.kind == "pattern" then
    return line:find("^" .. entry.text .. "$") ~= nil
  end
  return line == entry.text
end

--- Compare; returns nil when all is as expected, or a sentence.
local function difference(expected, lines)
  local at, skipping = 1, false
  for _, entry in ipairs(expected) do
    if entry.kind == "any" then
      skipping = true
    else
      while skipping and at <= #lines and not line_matches(entry, lines[at]) do
        at = at + 1
      end
      if at > #lines then
        return ("expected %q, but the output ended"):format(entry.text)
      elseif not line_matches(entry, lines[at]) then
        return ("line %d: expected %q, got %q"):format(at, entry.text, lines[at])
      end
      at, skipping = at + 1, false
    end
  end
  if at <= #lines and not skipping then
    return ("line %d: nothing more expected, got %q"):format(at, lines[at])
  end
end

--- Run a shell line and compare; one check called `name`.
local function check_run(name, line, expected, options)
  local errors = os.tmpname()
  local output, status = shell.capture(("{ %s; } </dev/null 2>%s"):format(line, errors))
  local lines = {}
  for entry in output:gmatch("([^\n]*)\n?") do
    lines[#lines + 1] = entry
  end
  if lines[#lines] == "" then
    lines[#lines] = nil -- what stands after the last newline
  end
  local problem = #expected > 0 and difference(expected, lines)
  if status ~= options.status then
    problem = ("exit status %d, expected %d"):format(status, options.status)
  end
  local detail = problem and ("%s\n%s\n%s\n%s"):format(problem, line, output, shell.read(errors))
  os.remove(errors)
  tap.ok(not problem, name, detail)
end

local function run_line(file, options)
  return ("%s run %s %s"):format(shell.quote(program), shell.quote(file), options.args)
end

local function check_script()
  local expected, options = read_expectations(shell.read(path))
  if #expected == 0 then
    return tap.ok(false, path, "it has no `-- expect:` line")
  end
  check_run(path, run_line(path, options), expected, options)
end

local function check_embed()
  local expected, options = read_expectations((shell.read(path):gsub("\n %*", "\n--")))
  local made = ("%s/tests/embed_%s"):format(build, shell.stem(path))
  tap.ok(#expected > 0, path .. " expects something")
  local line = ("env %s %s %s"):format(options.env, shell.quote(made), options.args)
  check_run(path, line, expected, options)
end

local function compile_line(file)
  return ("cc -std=c11 -Wall -Wextra -Werror -Iengine/include -o %s.out %s %s/libtutti.a"):format(
    file, file, shell.quote(build)) .. (" -luv -pthread && %s.out"):format(file)
end

local function check_block(number, language, text)
  local name = ("%s block %d (%s)"):format(path, number, language)
  local file = os.tmpname()
  local named = ("%s.%s"):format(file, language)
  local handle = assert(io.open(named, "w"))
  handle:write(text)
  handle:close()
  local expected, options = read_expectations((text:gsub("//", "--")))
  local line = language == "lua" and run_line(named, options) or compile_line(named)
  check_run(name, line, expected, options)
  for _, made in ipairs({ file, named, named .. ".out" }) do
    os.remove(made)
  end
end

local function check_page()
  local number = 0
  for language, text in ("\n" .. shell.read(path)):gmatch("\n```(%w+)\n(.-)\n```") do
    number = number + 1
    if language == "lua" or (is_release and language == "c" and text:find("%f[%w]main%(")) then
      check_block(number, language, text .. "\n")
    end
  end
end

if path:match("%.md$") then
  check_page()
elseif path:match("%.c$") then
  check_embed()
else
  check_script()
end
tap.finish()
