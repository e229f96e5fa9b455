-- SPDX-License-Identifier: MIT
-- Every header compiles alone: public ones as C11 and C++17, without any path to Lua for tutti.h;
-- internal ones as C11. With each compiler that the project is kept clean under.

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local WARNINGS = "-Wall -Wextra -Wshadow -Wconversion -Wundef -Werror -fsyntax-only"
local LUA = shell.line("pkg-config --cflags-only-I lua5.4")

local function check(header, compiler, flags)
  local line = ("echo '#include \"%s\"' | %s %s %s - 2>&1"):format(header, compiler, flags, WARNINGS)
  local output, status = shell.capture(line)
  tap.case(status == 0, ("%s: %s %s\n%s"):format(header, compiler, flags:match("-std=%S+"), output))
end

for _, path in ipairs(shell.glob("engine/include/*.h")) do
  local flags = "-pedantic -Iengine/include " .. (path:find("tutti_lua.h", 1, true) and LUA or "")
  local name = path:match("[^/]+$")
  for _, compiler in ipairs({ "gcc", "clang" }) do
    check(name, compiler, "-std=c11 -xc " .. flags)
    check(name, compiler == "gcc" and "g++" or "clang++", "-std=c++17 -xc++ " .. flags)
  end
end
tap.rule("public headers compile alone, as C11 and as C++17")
for _, path in ipairs(shell.lines("find engine -name '*.h' ! -path '*/include/*' | sort")) do
  check(path:match("^engine/(.*)$"), "gcc",
    "-std=c11 -xc -D_GNU_SOURCE -Wno-unused-function -Iengine -Iengine/include " .. LUA)
end
tap.rule("internal headers compile alone")
tap.finish()
