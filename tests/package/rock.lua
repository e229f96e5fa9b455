-- SPDX-License-Identifier: MIT
-- `luarocks make` from a copy of the sources into an empty tree: the module in stock lua5.4, the program.
-- Usage: lua5.4 tests/package/rock.lua BUILD_FOLDER    from the project's root; the build is not used

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local work = shell.line("mktemp -d")
local CLEAN = "env -u LUA_PATH -u LUA_CPATH -u LUA_PATH_5_4 -u LUA_CPATH_5_4 -u LUA_INIT HOME={work} "

local function run(line)
  return shell.capture("{ " .. line:gsub("{work}", shell.quote(work)) .. "; } 2>&1 </dev/null")
end

local function check(name, line, wanted)
  local output, status = run(line)
  tap.ok(status == 0 and (wanted == nil or output == wanted), name,
    ("%s\nstatus %d\n%s"):format(line, status, output))
end

-- Only what git knows goes along, so that a file nobody added is missed here.
check("a copy of the sources",
  "mkdir {work}/source && git ls-files -z | xargs -0 tar -cf - | tar -xf - -C {work}/source")
check("luarocks make into an empty tree", CLEAN .. "CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=2 "
  .. "sh -c 'cd {work}/source && luarocks --lua-version 5.4 --tree {work}/tree make --deps-mode none'")
check("only the module goes where modules are looked for", "ls {work}/tree/lib/lua/5.4", "tutti.so\n")

local AWAIT = [["local t = require 'tutti' print(t.parallel(function() return 42 end):await())"]]
local TREE = CLEAN .. [[sh -c 'cd / && eval "$(luarocks --lua-version 5.4 --tree {work}/tree path)" && ]]
check("stock lua5.4 with luarocks' own path", TREE .. [[exec lua5.4 "$@"' sh -e ]] .. AWAIT, "42\n")
check("and with that alone",
  CLEAN .. "LUA_PATH= LUA_CPATH={work}/tree/lib/lua/5.4/?.so lua5.4 -e " .. AWAIT, "42\n")
check("the program", CLEAN .. "{work}/tree/bin/tutti -e " .. AWAIT, "42\n")
os.execute("rm -rf " .. shell.quote(work))
tap.finish()
