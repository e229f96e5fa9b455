-- SPDX-License-Identifier: MIT
--- Resident bytes of this process (Linux). Plain Lua: rivals use it too.
---@module "tests.bench.lua.rss"
return function()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("VmRSS:%s*(%d+) kB")) * 1024
end
