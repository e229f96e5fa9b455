-- SPDX-License-Identifier: MIT
-- Small rules that a machine can keep: the licence line, guards named by path, width, no tabs or
-- trailing blanks, a final newline, every C file in its room's list, TODOs with an issue's number.

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local SPDX = {
  c = "/* SPDX-License-Identifier: MIT */",
  h = "/* SPDX-License-Identifier: MIT */",
  cpp = "/* SPDX-License-Identifier: MIT */",
  lua = "-- SPDX-License-Identifier: MIT",
}
local COLUMNS_AIM, COLUMNS_MAX = 100, 110
local todo_count, wide_count = 0, 0

local function columns(line)
  return utf8.len(line) or #line
end

local function check_lines(path, text, complain)
  local number = 0
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local where = ("%s:%d: "):format(path, number)
    if columns(line) > COLUMNS_AIM then
      wide_count = wide_count + 1
    end
    if columns(line) > COLUMNS_MAX then
      complain(where .. ("%d columns"):format(columns(line)))
    end
    if line:find("\t", 1, true) then
      complain(where .. "a tab")
    end
    if line:find("[ \r]$") then
      complain(where .. "a blank at the end")
    end
    if line:find("%f[%w]TODO%f[%W]") and not path:find("check/manners.lua", 1, true) then
      todo_count = todo_count + 1
      if not line:find("TODO%(#%d+%):") then
        complain(where .. "a TODO is written TODO(#issue):")
      end
    end
  end
end

--- engine/base/atomic.h has the guard TUTTI_BASE_ATOMIC_H, tests/support/tap.h TUTTI_TESTS_...
local function check_guard(path, text, complain)
  local name = path:gsub("^engine/include/", ""):gsub("^engine/", ""):gsub("[/.]", "_"):upper()
  name = name:find("^TUTTI_") and name or "TUTTI_" .. name
  if not text:find("#ifndef " .. name .. "\n#define " .. name .. "\n", 1, true) then
    complain(path .. ": its guard should be " .. name)
  end
end

local function check_listed(path, complain)
  local room, name = path:match("^engine/(%w+)/(.*%.c)$")
  if not room then
    return
  end
  local list = "engine/" .. room .. "/CMakeLists.txt"
  if not shell.contains(list, "%f[%w_]" .. name:gsub("[.-]", "%%%0")) then
    complain(path .. ": not in the list of " .. list)
  end
end

local function check_file(path)
  local bad, text, kind = {}, shell.read(path), path:match("%.(%w+)$")
  local function complain(problem)
    bad[#bad + 1] = problem
  end
  local head = text:sub(1, 2) == "#!" and text:match("^[^\n]*\n(.*)$") or text
  if head:match("^([^\n]*)") ~= SPDX[kind] then
    complain(path .. ": does not begin with " .. SPDX[kind])
  end
  if text:sub(-1) ~= "\n" then
    complain(path .. ": no newline at the end")
  end
  check_lines(path, text, complain)
  if kind == "h" then
    check_guard(path, text, complain)
  end
  check_listed(path, complain)
  tap.case(#bad == 0, table.concat(bad, "\n"))
end

for _, path in ipairs(shell.lines("find engine lua scripts tests -name '*.[ch]' -o -name '*.lua' "
  .. "-o -name '*.cpp' | sort")) do
  check_file(path)
end
print(("# %d TODO, %d lines over %d columns"):format(todo_count, wide_count, COLUMNS_AIM))
tap.rule("sources keep the small rules")
tap.finish()
