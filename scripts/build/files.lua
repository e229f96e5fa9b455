-- SPDX-License-Identifier: MIT
--- Stamps of files and the lists that compilers leave (depfiles).
---
--- A stamp is taken by a plain call, without a task of its own: that takes a few microseconds where a wait
--- for another thread takes fifty, and `tutti plan` may do it.
---
--- Invariant: two stamps of a path are equal only if nobody has written to it in between, as far as its time
--- and size tell.
---@module "build.files"
local uv = require("tutti").uv

local files = {}

files.MISSING = "-"

local function join(dir, path)
  return path:sub(1, 1) == "/" and path or dir .. "/" .. path
end
files.join = join

--- The stamp of a path of the folder `dir`, and the time and size of the file.
---@return string stamp
---@return integer time    # nanoseconds
---@return integer size
function files.stamp(dir, path)
  local found = uv.fs_stat(join(dir, path))
  if not found then
    return files.MISSING, 0, 0
  end
  local time = found.mtime.sec * 1000000000 + found.mtime.nsec
  return ("%d:%d"):format(time, found.size), time, found.size
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

return files
