-- SPDX-License-Identifier: MIT
--- What there is to make of a project: each object with its command, the program, and why what is stale.
---
--- Only looks: nothing is written here, so `tutti plan` may do it as well.
---@module "build.project"
local tutti = require("tutti")
local append = require("build.lists").append
local files = require("build.files")
local records = require("build.records")

local project = {}

---@class build.target
---@field path string        # what is made
---@field source string?     # of an object
---@field fresh string?      # of the program: what the linker writes
---@field libraries string[]? # of the program: files among its inputs that are no objects of ours
---@field argv string[]
---@field command string     # argv as a line of shell
---@field reason string?     # why it has to be made; nil: it is up to date

local function refuse(format, ...)
  error({ build = format:format(...) }, 0)
end

-- ---- sources -------------------------------------------------------------------------------

-- The files of the folder that match the globs; the folder's own name is no pattern.
local function expand(dir, globs)
  local prefix = dir == "." and "" or dir .. "/"
  local found, seen = {}, {}
  for _, glob in ipairs(globs) do
    for _, path in ipairs(tutti.fs.glob(prefix:gsub("[%*%?%[%]{}\\]", "\\%0") .. glob)) do
      path = path:sub(#prefix + 1)
      if not seen[path] then
        seen[path] = true
        found[#found + 1] = path
      end
    end
  end
  return found, seen
end

local function find_sources(settings)
  local _, excluded = expand(settings.dir, settings.exclude)
  local sources = {}
  for _, path in ipairs((expand(settings.dir, settings.sources))) do
    if not excluded[path] and path:find("%.%w+$") then
      sources[#sources + 1] = path
    end
  end
  if #sources == 0 then
    refuse("nothing in \"%s\" matches %s", settings.dir, table.concat(settings.sources, " or "))
  end
  table.sort(sources)
  return sources
end

-- Where a program of the shell's PATH is; a path stays as it is.
local function find_program(name)
  if name:find("/", 1, true) then
    return name
  end
  for folder in (os.getenv("PATH") or "/usr/bin:/bin"):gmatch("[^:]+") do
    local path = folder .. "/" .. name
    local ok, found = pcall(tutti.fs.stat, path)
    if ok and found.type == "file" and found.mode & 73 ~= 0 then -- 0111: somebody may run it
      return path
    end
  end
  refuse("there is no compiler \"%s\": install one (apt-get install gcc), or name one with --cc or CC", name)
end

-- ---- commands ------------------------------------------------------------------------------

local function quote(word)
  if word:find("^[%w%+%-%./:=_,@]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function new_target(fields, argv)
  local quoted = {}
  for i, word in ipairs(argv) do
    quoted[i] = quote(word)
  end
  fields.argv, fields.command = argv, table.concat(quoted, " ")
  return fields
end

local function object_of(settings, source)
  return settings.build_dir .. "/obj/" .. source:gsub("^/", ""):gsub("%.%./", "__/") .. ".o"
end

local function compile(settings, cc, source)
  local object = object_of(settings, source)
  local word = source:find("^%-") and "./" .. source or source -- no option
  return new_target({ path = object, source = source }, append(cc, settings.kind == "shared"
    and { "-fPIC" } or {},
    settings.flags, { "-MMD", "-MT", "made", "-MF", object .. ".d", "-c", word, "-o", object }))
end

local function link(settings, cc, objects)
  local fresh = settings.out .. ".new" -- takes the place of the old one when it is whole
  local fields = { path = settings.out, fresh = fresh, libraries = {} }
  if settings.kind == "archive" then
    return new_target(fields, append({ "ar", "rcs", fresh }, objects))
  end
  for _, word in ipairs(settings.libs) do
    fields.libraries[#fields.libraries + 1] = not word:find("^%-") and word or nil -- one of its inputs
  end
  return new_target(fields, append(cc, settings.kind == "shared" and { "-shared" } or {}, settings.flags,
    { "-o", fresh }, objects, settings.libs))
end

-- ---- what is stale -------------------------------------------------------------------------

local function read_records(path)
  local ok, text = pcall(tutti.fs.read, path)
  return ok and records.parse(text) or {}
end

-- All files whose stamps decide.
local function paths_of(found)
  local paths = { found.cc_path, found.program.path, table.unpack(found.program.libraries) }
  for _, object in ipairs(found.objects) do
    paths[#paths + 1] = object.source
    paths[#paths + 1] = object.path
  end
  local seen = {}
  for _, record in pairs(found.known) do
    for _, input in ipairs(record.inputs) do
      if not seen[input] then
        seen[input] = true
        paths[#paths + 1] = input
      end
    end
  end
  return paths
end

local function judge(found)
  local stale, stamps = {}, found.stamps
  for _, object in ipairs(found.objects) do
    object.reason = records.stale(found.known[object.path], object.path, object.command, stamps)
    stale[#stale + 1] = object.reason and object or nil
  end
  local program = found.program
  program.reason = #stale > 0 and ("%d of %d objects %s new"):format(#stale, #found.objects, #stale == 1
    and "is" or "are") or records.stale(found.known[program.path], program.path, program.command, stamps)
  -- The longest compilations first, as far as the size of the text tells: none of them is then left over.
  table.sort(stale, function(a, b)
    local x, y = found.sizes[a.source], found.sizes[b.source]
    return x > y or x == y and a.path < b.path
  end)
  found.stale = stale
end

--- Look at a project. Raises { build = message } for what the user has to change.
---@param settings build.settings
function project.look(settings)
  local cc = {}
  for word in settings.cc:gmatch("%S+") do -- "ccache cc"
    cc[#cc + 1] = word
  end
  local found = { settings = settings, objects = {}, cc_path = find_program(cc[1]) }
  local paths = {}
  for i, source in ipairs(find_sources(settings)) do
    found.objects[i] = compile(settings, cc, source)
    paths[i] = found.objects[i].path
  end
  found.program = link(settings, cc, paths)
  found.records_path = files.join(settings.dir, settings.build_dir .. "/records")
  found.known = read_records(found.records_path)
  found.stamps, found.sizes = {}, {}
  for _, path in ipairs(paths_of(found)) do
    local _
    found.stamps[path], _, found.sizes[path] = files.stamp(settings.dir, path)
  end
  judge(found)
  return found
end

return project
