-- SPDX-License-Identifier: MIT
-- What tool.c hashes: the files of a tree whose names end as asked, in the order of their names.
-- Usage: tool scripts/embed/tool.lua FOLDER [SUFFIX]
local tutti = require("tutti")

local folder, suffix = ...
suffix = suffix or ""
if not folder then
  io.stderr:write("usage: tool scripts/embed/tool.lua FOLDER [SUFFIX]\n")
  os.exit(2)
end

local paths, sums = {}, {}
for path, kind in tutti.fs.walk(folder) do
  if kind == "file" and (suffix == "" or path:sub(-#suffix) == suffix) then
    paths[#paths + 1] = path
    sums[path] = tutti.native("hash", path) -- runs while the walk goes on
  end
end
table.sort(paths)

local failed = 0
for _, path in ipairs(paths) do
  local ok, sum = sums[path]:pawait()
  if ok then
    print(sum .. " " .. path)
  else
    io.stderr:write(sum.message, "\n")
    failed = failed + 1
  end
end
os.exit(failed == 0 and 0 or 1)
