-- SPDX-License-Identifier: MIT
-- What `cmake --install` puts into a prefix works from there, after the prefix was moved: consumer/ by
-- find_package, the same files by pkg-config, the programs of scripts/embed and of the README as their
-- first lines say, the program and the Lua module.
-- Usage: lua5.4 tests/package/install.lua BUILD_FOLDER    from the project's root

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local build = ...
local work = shell.line("mktemp -d")
local prefix = work .. "/moved"
local root = shell.line("pwd")
local quoted = { work = shell.quote(work), prefix = shell.quote(prefix), build = shell.quote(build),
  root = shell.quote(root) }

-- Nothing of the build may help: what is found is found in the prefix.
local CLEAN = "env -u LUA_PATH -u LUA_CPATH -u LUA_PATH_5_4 -u LUA_CPATH_5_4 -u LUA_INIT -u CFLAGS "
local INSTALLED = ("PKG_CONFIG_PATH=%s/lib/pkgconfig LD_LIBRARY_PATH=%s/lib "):format(
  quoted.prefix, quoted.prefix)

--- Run a shell line with {work}, {prefix}, {build} and {root} put in; returns output and status.
local function run(line)
  return shell.capture("{ " .. line:gsub("{(%l+)}", quoted) .. "; } 2>&1 </dev/null")
end

--- One check: the line succeeds and prints exactly `wanted`, if that is given.
local function check(name, line, wanted)
  local output, status = run(line)
  local good = status == 0 and (wanted == nil or output == wanted)
  return tap.ok(good, name, ("%s\nstatus %d\n%s"):format(line, status, output))
end

-- ---- what is installed ---------------------------------------------------------------------

local FILES = [[
bin/tutti
include/tutti.h
include/tutti_lua.h
lib/cmake/tutti/tutti-config-version.cmake
lib/cmake/tutti/tutti-config.cmake
lib/cmake/tutti/tutti-shared-release.cmake
lib/cmake/tutti/tutti-shared.cmake
lib/cmake/tutti/tutti-static-release.cmake
lib/cmake/tutti/tutti-static.cmake
lib/libtutti.a
lib/libtutti.so
lib/libtutti.so.0
lib/libtutti.so.0.1.0
lib/libtutti_lua.a
lib/lua/5.4/tutti.so
lib/pkgconfig/tutti-lua.pc
lib/pkgconfig/tutti-static.pc
lib/pkgconfig/tutti.pc
share/bash-completion/completions/tutti
share/fish/vendor_completions.d/tutti.fish
share/man/man1/tutti.1
share/zsh/site-functions/_tutti
]]

local function check_install()
  check("installs below DESTDIR", "DESTDIR={work}/stage cmake --install {build} --prefix /opt/tutti")
  check("what is installed, and where",
    "cd {work}/stage/opt/tutti && find . ! -type d | sed 's:^[.]/::' | LC_ALL=C sort", FILES)
  check("nothing names the build or the source folder",
    "cd {work}/stage/opt/tutti/lib && ! grep -rl -e {root} -e {build} cmake pkgconfig")
  check("nothing looks for libraries where it was built",
    "cd {work}/stage/opt/tutti && "
    .. "! readelf -d bin/tutti lib/libtutti.so lib/lua/5.4/tutti.so | grep -e RPATH -e RUNPATH")
  check("the installed libraries export tutti_* and luaopen_tutti* only",
    "cd {work}/stage/opt/tutti/lib && ! nm -D --defined-only libtutti.so lua/5.4/tutti.so"
    .. " | grep '^[0-9a-f]' | grep -v -e ' tutti_[a-z]' -e ' luaopen_tutti'")
  check("moved elsewhere", "mv {work}/stage/opt/tutti {prefix}")
end

-- ---- users ---------------------------------------------------------------------------------

local EXPECTED = {
  { "plain_shared", "sum 42\n" },
  { "plain_static", "sum 42\n" },
  { "modern_shared", "promised 21, made 42\n" },
  { "modern_static", "promised 21, made 42\n" },
  { "scripted", "from lua\t42\n" },
}

local function check_cmake()
  check("a project finds it by find_package",
    CLEAN .. "cmake -S tests/package/consumer -B {work}/consumer -G Ninja -DCMAKE_PREFIX_PATH={prefix}")
  check("and builds with it", "cmake --build {work}/consumer")
  for _, entry in ipairs(EXPECTED) do
    check(entry[1] .. " runs", CLEAN .. "{work}/consumer/" .. entry[1], entry[2])
  end
  local needs = "readelf -d {work}/consumer/%s | sed -n 's/.*NEEDED.*\\[\\(libtutti.*\\)\\].*/\\1/p'"
  check("the shared one needs libtutti.so.0", needs:format("plain_shared"), "libtutti.so.0\n")
  check("the static one does not", needs:format("plain_static"), "")
  check("nor does the one with Lua", needs:format("scripted"), "")
  check("without libuv's files there is the shared library", "PKG_CONFIG_LIBDIR=/nonexistent "
    .. "cmake -S tests/package/consumer -B {work}/only -G Ninja -DONLY_SHARED=ON "
    .. "-DCMAKE_PREFIX_PATH={prefix} && cmake --build {work}/only")
  check("and a program on it runs", CLEAN .. "{work}/only/plain_shared", "sum 42\n")
end

local function check_pkg_config()
  local function one(name, compile, wanted)
    local line = CLEAN .. INSTALLED .. "sh -ec '" .. compile .. " -o {work}/one; {work}/one'"
    check("pkg-config: " .. name, line, wanted)
  end
  local from = " tests/package/consumer/"
  one("shared, C", "cc -std=c11" .. from .. "plain.c $(pkg-config --cflags --libs tutti)", "sum 42\n")
  one("static, C", "cc -std=c11" .. from .. "plain.c $(pkg-config --cflags --libs tutti-static)", "sum 42\n")
  check("the static one needs no libtutti", "! readelf -d {work}/one | grep libtutti")
  local modern = "c++ -std=c++17 -pthread" .. from .. "modern.cpp $(pkg-config --cflags --libs "
  one("shared, C++17", modern .. "tutti)", "promised 21, made 42\n")
  one("static, C++17", modern .. "tutti-static)", "promised 21, made 42\n")
  one("a host with Lua", "cc -std=c11" .. from .. "scripted.c $(pkg-config --cflags --libs tutti-lua lua5.4)",
    "from lua\t42\n")
  one("a host with its Lua built in",
    "cc -std=c11" .. from .. "scripted.c $(pkg-config --cflags lua5.4) "
    .. "$(pkg-config --cflags --libs tutti-lua) -Wl,-E -l:liblua5.4.a -lm", "from lua\t42\n")
  check("it needs no liblua", "! readelf -d {work}/one | grep liblua")
end

-- ---- the program and the module ------------------------------------------------------------

local AWAIT = [["local t = require 'tutti' print(t.parallel(function() return 42 end):await())"]]

local function check_lua()
  check("the program", CLEAN .. "{prefix}/bin/tutti -e " .. AWAIT, "42\n")
  check("the module in stock Lua", CLEAN
    .. "LUA_CPATH={prefix}/lib/lua/5.4/?.so lua5.4 -e " .. AWAIT, "42\n")
  check("the module beside libtutti.so in one process", CLEAN .. "LD_PRELOAD={prefix}/lib/libtutti.so "
    .. "LUA_CPATH={prefix}/lib/lua/5.4/?.so lua5.4 -e " .. AWAIT, "42\n")
end

--- The command that the head of a program of scripts/embed gives, as it stands.
local function check_embed()
  for _, path in ipairs(shell.glob("scripts/embed/*.c")) do
    local command = shell.read(path):match("\n %*  +(cc [^\n]*)\n")
    tap.ok(command ~= nil, path .. " says how it is built")
    if command then
      check(path .. " is built by that", CLEAN .. INSTALLED .. ("sh -ec '%s'"):format(
        command:gsub("%-o (%S+)", "-Wall -Wextra -Werror -o {work}/%1")))
    end
  end
end

--- The C program of the README, by the command in its first line.
local function check_readme()
  local text = shell.read("README.md"):match("\n```c\n(// cc .-)\n```")
  if not tap.ok(text ~= nil, "README.md has a C program that says how it is built") then
    return
  end
  local file = assert(io.open(work .. "/answer.c", "w"))
  file:write(text, "\n")
  file:close()
  check("it is built by that and prints what it says", "cd {work} && " .. CLEAN .. INSTALLED
    .. ("sh -ec '%s; ./answer'"):format(text:match("^// ([^\n]*)")),
    text:match("// expect: ([^\n]*)$") .. "\n")
end

check_install()
check_cmake()
check_pkg_config()
check_lua()
check_embed()
check_readme()
os.execute("rm -rf " .. quoted.work)
tap.finish()
