-- SPDX-License-Identifier: MIT
-- The second compiler: everything in C is clean under clang's warnings as well, thread safety
-- included. (The build itself is gcc's; ./tutti test with TUTTI_WERROR=ON makes its warnings fail.)

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local FLAGS = "-std=c11 -D_GNU_SOURCE -Iengine -Iengine/include -Itests -fsyntax-only -Werror"
  .. " -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef"
  .. " -Wwrite-strings -Wvla -Wthread-safety "
  .. shell.line("pkg-config --cflags lua5.4 libuv")

local HARD = "-DTUTTI_DEBUG=1 -DTUTTI_HARD=1"
for _, path in ipairs(shell.lines("find engine tests -name '*.c' ! -path '*/fuzz/*' | sort")) do
  local output, status
  for _, define in ipairs(path:find("^engine") and { "-DNDEBUG", HARD } or { HARD }) do
    output, status = shell.capture(("clang %s %s %s 2>&1"):format(FLAGS, define, path))
    if status ~= 0 then
      break
    end
  end
  tap.case(status == 0, output:match("^[^\n]*error:[^\n]*") or output:match("\n([^\n]*error:[^\n]*)"))
end
tap.rule("clang has nothing to say")
tap.finish()
