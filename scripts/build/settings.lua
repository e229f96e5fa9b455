-- SPDX-License-Identifier: MIT
--- What to build and how: the words of the command line, over the project's build file, over defaults.
---
--- Invariant: paths in the result are relative to `dir` (where the compiler runs) or absolute, but for `dir`
--- itself, which is as it was typed.
---@module "build.settings"
local append = require("build.lists").append
local tutti = require("tutti")

local settings = {}

settings.BUILD_FILE = "tutti-build.lua"

settings.USAGE = [[
usage: build.lua [options] [DIR]
Compiles what has changed of the C project in DIR (default: here) and links it.

  -o OUT             the program; OUT.a and OUT.so are libraries    (default DIR/.build/NAME of DIR)
  -j N, -k           compilers at once; go on after a source that does not compile
  --sources GLOB     what to compile, again and again; relative to DIR        (default **/*.c)
  --exclude GLOB     what of it not to
  --file FILE        a build file in place of DIR/tutti-build.lua
  --build-dir FOLDER for objects, relative to DIR                             (default .build)
  --cc CC            the compiler                                             (default $CC or cc)
  -v                 show the commands
All other words that begin with "-" are for the compiler, or (-l, -L, -Wl,) for the linker;
their paths are relative to DIR.
]]

---@class build.settings
---@field dir string
---@field out string
---@field kind "program"|"archive"|"shared"
---@field cc string
---@field flags string[]
---@field libs string[]
---@field sources string[]      # globs
---@field exclude string[]      # globs
---@field build_dir string
---@field jobs integer?
---@field keep_going boolean
---@field verbose boolean

local function refuse(format, ...)
  error({ build = format:format(...) }, 0)
end

local function split(text)
  local list = {}
  for word in (text or ""):gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

-- ---- words ---------------------------------------------------------------------------------

-- Flags that take the next word when nothing stands behind their letter.
local PAIRED = { ["-I"] = true, ["-D"] = true, ["-U"] = true, ["-L"] = true, ["-l"] = true,
  ["-include"] = true, ["-isystem"] = true, ["-iquote"] = true, ["-x"] = true }
local OURS = { ["-o"] = "out", ["--sources"] = "sources", ["--exclude"] = "exclude", ["--file"] = "file",
  ["--build-dir"] = "build_dir", ["--cc"] = "cc", ["-j"] = "jobs" }
local SWITCHES = { ["-k"] = "keep_going", ["-v"] = "verbose", ["-h"] = "help", ["--help"] = "help" }
local LISTS = { sources = true, exclude = true }

local function is_for_linker(word)
  return word:find("^%-[lL]") or word:find("^%-Wl,")
end

local function take_option(found, name, value)
  if LISTS[name] then
    found[name] = found[name] or {}
    table.insert(found[name], value)
  else
    found[name] = value
  end
end

-- What the words say; lists keep their order.
local function read_words(words)
  local found = { flags = {}, libs = {} }
  local at = 1
  local function value_of(word)
    at = at + 1
    return words[at] or refuse("%s wants a value", word)
  end
  while words[at] do
    local word = words[at]
    local name, value = word:match("^(%-%-[%w-]+)=(.*)$")
    if word:find("^%-j%d+$") then
      found.jobs = word:sub(3)
    elseif SWITCHES[word] then
      found[SWITCHES[word]] = true
    elseif OURS[name or word] then
      take_option(found, OURS[name or word], value or value_of(word))
    elseif word:find("^%-%-") then
      refuse("there is no option %s", word)
    elseif word:find("^%-.") then
      local list = is_for_linker(word) and found.libs or found.flags
      list[#list + 1] = word
      if PAIRED[word] then
        list[#list + 1] = value_of(word)
      end
    elseif found.dir then
      refuse("one folder is built at a time: \"%s\" or \"%s\"?", found.dir, word)
    else
      found.dir = word
    end
    at = at + 1
  end
  return found
end

-- ---- the build file ------------------------------------------------------------------------

local IN_FILE = { out = "string", cc = "string", flags = "list", libs = "list", sources = "list",
  exclude = "list" }

local function check_entry(path, key, value)
  local wanted = IN_FILE[key]
  if not wanted then
    refuse("%s: there is no field \"%s\" (known: cc, exclude, flags, libs, out, sources)", path,
      tostring(key))
  elseif wanted == "list" and type(value) == "string" then
    return split(value)
  elseif type(value) ~= (wanted == "list" and "table" or wanted) then
    refuse("%s: %s must be a %s, not a %s", path, key, wanted, type(value))
  end
  return value
end

-- The fields of the build file, a Lua file that returns a table; none if there is no such file.
local function read_file(path, is_asked_for)
  local ok, text = pcall(tutti.fs.read, path)
  if not ok then
    if is_asked_for or text.code ~= "ENOENT" then
      refuse("%s", text.message:gsub("^fs%.read", "cannot read"))
    end
    return {}
  end
  local chunk, problem = load(text, "@" .. path, "t")
  if not chunk then
    refuse("%s", problem)
  end
  local returned = chunk()
  if type(returned) ~= "table" then
    refuse("%s: it must return a table, not a %s", path, type(returned))
  end
  local entries = {}
  for key, value in pairs(returned) do
    entries[key] = check_entry(path, key, value)
  end
  return entries
end

-- ---- all of it -----------------------------------------------------------------------------

local function here()
  return os.getenv("PWD") or tutti.uv.cwd()
end

-- A path that was typed: from here, not from the project's folder.
local function absolute(path)
  return path:sub(1, 1) == "/" and path or here() .. "/" .. path
end

local function check_dir(dir)
  local ok, found = pcall(tutti.fs.stat, dir)
  if not ok then
    refuse("there is no folder \"%s\" to build (%s)", dir, found.code)
  elseif found.type ~= "directory" then
    refuse("\"%s\" is a %s, and a project is a folder", dir, found.type)
  end
end

local function base_name(dir)
  local path = absolute(dir):gsub("/%.$", ""):gsub("/+$", "")
  local name = path:match("[^/]+$")
  return (not name or name == "..") and "program" or name
end

--- Read the words. Raises { build = message } for what the user has to change.
---@param words string[]
---@return build.settings|nil # nil: help was asked for
function settings.read(words)
  local asked = read_words(words)
  if asked.help then
    return nil
  end
  local dir = (asked.dir or "."):gsub("(.)/+$", "%1")
  check_dir(dir)
  local file = read_file(asked.file or dir .. "/" .. settings.BUILD_FILE, asked.file ~= nil)
  local jobs = asked.jobs and math.tointeger(tonumber(asked.jobs))
  if asked.jobs and (not jobs or jobs < 1) then
    refuse("-j wants a number of compilers, not \"%s\"", asked.jobs)
  end
  local build_dir = (asked.build_dir or ".build"):gsub("(.)/+$", "%1")
  local out = asked.out and absolute(asked.out) or file.out or build_dir .. "/" .. base_name(dir)
  return {
    dir = dir, out = out, build_dir = build_dir, jobs = jobs, keep_going = asked.keep_going or false,
    kind = out:find("%.a$") and "archive" or out:find("%.so[%d.]*$") and "shared" or "program",
    cc = asked.cc or file.cc or os.getenv("CC") or "cc",
    flags = append(file.flags or {}, split(os.getenv("CFLAGS")), asked.flags),
    libs = append(split(os.getenv("LDFLAGS")), asked.libs, file.libs or {}),
    sources = asked.sources or file.sources or { "**/*.c" },
    exclude = append(file.exclude or {}, asked.exclude or {}),
    verbose = asked.verbose or false,
  }
end

return settings
