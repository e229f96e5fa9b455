-- SPDX-License-Identifier: MIT
--- Makes a C project for tests and benchmarks: sources that include some of a number of headers, and a
--- Makefile that builds it as any project of this kind does, with depfiles.
---
--- Source i includes two of the headers, which all include common.h, and has a function that returns i; the
--- program prints the sum of them all.
---@module "tests.support.c_project"
local c_project = {}

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end
c_project.write = write

local LOOP = [[
    for (int k = 0; k < %d; k++)
        pad[k %% 16] ^= (pad[(k + %d) %% 16] << %d) + %d;]]

-- Loops that the compiler cannot leave out, so that it has something to do; they add nothing.
local function padding(i, count)
  local lines = {}
  for line = 1, count do
    lines[line] = LOOP:format(line % 7 + i % 5, line, line % 9 + 1, line * i)
  end
  return table.concat(lines, "\n")
end

local SOURCE = [[
#include "part%d.h"
#include "part%d.h"
#include <stdio.h>
#include <stdlib.h>

unsigned pad_%d(unsigned *pad)
{
%s
    return pad[3];
}

int value_%d(void)
{
    return %d + BASE_%d - BASE_%d;
}
]]

local function source_text(i, options)
  local first, second = (i * 7 + 1) % options.headers, (i * 3 + 2) % options.headers
  return SOURCE:format(first, second, i, padding(i, options.lines), i, i, first, second)
end

local HEADER = [[
#ifndef PART_%d
#define PART_%d
#include "common.h"
#define BASE_%d COMMON
#endif
]]

local function header_text(h)
  return HEADER:format(h, h, h)
end

local MAIN = [[
#include <stdio.h>
%s

int main(void)
{
    int sum = 0;
%s
    printf("%%d\n", sum);
    return 0;
}
]]

local function main_text(count)
  local calls, names = {}, {}
  for i = 1, count - 1 do
    names[i] = ("int value_%d(void);"):format(i)
    calls[i] = ("    sum += value_%d();"):format(i)
  end
  return MAIN:format(table.concat(names, "\n"), table.concat(calls, "\n"))
end

local MAKEFILE = [[
CC = cc
CFLAGS = %s
.RECIPEPREFIX = >
SOURCES = $(wildcard src/*.c)
OBJECTS = $(SOURCES:%%.c=made/%%.o)

made/program: $(OBJECTS)
>$(CC) $(CFLAGS) -o $@ $(OBJECTS)

made/%%.o: %%.c
>@mkdir -p $(@D)
>$(CC) $(CFLAGS) -MMD -MF $(@:.o=.d) -c $< -o $@

-include $(OBJECTS:.o=.d)
]]

local BUILD_FILE = 'return { cc = %q, flags = %q, sources = { "src/*.c" }, out = "program" }\n'

--- Which headers source `i` includes, by number; all include common.h.
function c_project.headers_of(i, options)
  return { (i * 7 + 1) % options.headers, (i * 3 + 2) % options.headers }
end

--- Make it in `dir`, which is there and empty.
---@param options { sources: integer, headers: integer, lines: integer, flags: string, cc?: string }
---@return integer sum # what the program prints
function c_project.make(dir, options)
  assert(os.execute(("mkdir -p '%s/src' '%s/include'"):format(dir, dir)))
  for i = 1, options.sources - 1 do
    write(("%s/src/part_%d.c"):format(dir, i), source_text(i, options))
  end
  write(dir .. "/src/main.c", main_text(options.sources))
  for h = 0, options.headers - 1 do
    write(("%s/include/part%d.h"):format(dir, h), header_text(h))
  end
  write(dir .. "/include/common.h", "#ifndef COMMON\n#define COMMON 4\n#endif\n")
  write(dir .. "/Makefile", MAKEFILE:format(options.flags))
  write(dir .. "/tutti-build.lua", BUILD_FILE:format(options.cc or "cc", options.flags))
  return options.sources * (options.sources - 1) // 2
end

return c_project
