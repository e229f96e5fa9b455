-- SPDX-License-Identifier: MIT
--- Stamps of files and the lists that compilers leave (depfiles). Runs on the pool, where a look at a file
--- costs a few microseconds and holds up nobody.
---
--- Invariant: two stamps of a path are equal only if nobody has written to it in between, as far as its time
--- and size tell.
---@module "build.files"
local tutti = require("tutti")

local files = {}

files.MISSING = "-"

local function join(dir, path)
  return path:sub(1, 1) == "/" and path or dir .. "/" .. path
end
files.join = join

local function stamp(path)
  local ok, found = pcall(tutti.fs.stat, path)
  if not ok then
    return files.MISSING, 0, 0
  end
  return ("%.17g:%d"):format(found.mtime, found.size), found.mtime, found.size
end

--- The stamps of paths of the folder `dir`, and the sizes and times of the files.
---@return table<string, string> stamps
---@return table<string, integer> sizes
---@return table<string, number> times
function files.stamps(dir, paths)
  local stamps, sizes, times = {}, {}, {}
  for _, path in ipairs(paths) do
    if not stamps[path] then
      stamps[path], times[path], sizes[path] = stamp(join(dir, path))
    end
  end
  return stamps, sizes, times
end

--- What a depfile says its target, always "made", is made from: "made: a.c b.h \<newline> c\ d.h".
---@param text string
---@return string[]
function files.parse_depfile(text)
  -- Escapes become bytes that no path has in a depfile, then the words are taken apart.
  text = text:gsub("\\\r?\n", " "):gsub("\\([ #])", { [" "] = "\1", ["#"] = "\2" }):gsub("%$%$", "\3")
  local paths = {}
  for word in text:match("^made:(.*)$"):gmatch("%S+") do
    paths[#paths + 1] = word:gsub("[\1-\3]", { ["\1"] = " ", ["\2"] = "#", ["\3"] = "$" })
  end
  return paths
end

--- After a compiler has ended: what the object was made from, and the object's own stamp.
---@return string[] paths
---@return string stamp
function files.learn(dir, object)
  local paths = files.parse_depfile(tutti.fs.read(join(dir, object .. ".d")))
  return paths, (stamp(join(dir, object)))
end

return files
