-- SPDX-License-Identifier: MIT
-- Compiles what has changed of a C project and links it.
--
--   ./tutti run scripts/build.lua [options] [DIR]       all options: --help
--   ./tutti plan scripts/build.lua [options] [DIR]      what would be compiled, and why
--
-- Sources are found by glob, the headers of each are those that the compiler names when it compiles it. What
-- has changed in time or size, was made by another command or another compiler, or was not finished, is made
-- again; what is gone is dropped. Flags stand on the command line, or in DIR/tutti-build.lua:
--
--   return { flags = "-O2 -Iinclude", libs = "-lm", exclude = { "tests/**" }, out = "hello" }
--
-- args: --help
-- expect: usage: build.lua [options] [DIR]
-- expect: ...
local tutti = require("tutti")
local maker = require("build.maker")
local project = require("build.project")
local settings = require("build.settings")

local function refuse(message)
  io.stderr:write("build: ", message, "\n")
  os.exit(2)
end

local function check(ok, result)
  if ok then
    return result
  elseif type(result) == "table" and result.build then
    refuse(result.build)
  end
  error(result, 0)
end

local chosen = check(pcall(settings.read, { ... }))
if not chosen then
  io.write(settings.USAGE)
  os.exit(0)
end
local found = check(pcall(project.look, chosen))
local make = maker.new(found)

local g = tutti.graph("build " .. chosen.dir)
local names = {}
for i, object in ipairs(found.stale) do
  names[i] = object.source
  g:task(object.source, { description = "compile: " .. object.reason, tags = { "compile" } }, function()
    make:object(object)
  end)
end
if found.program.reason then
  g:task(found.program.path, { needs = names, description = "link: " .. found.program.reason,
    tags = { "link" } },
    function() make:program() end)
end

local result = g:run({ jobs = chosen.jobs or tutti.stats().workers,
  on_failure = chosen.keep_going and "skip" or "stop" }):await()
print(make:finish(result))
os.exit(result:ok() and 0 or 1)
