-- SPDX-License-Identifier: MIT
--- Which build the specs run on: under a sanitizer those that do a thing very often do it less often.
---@module "tests.spec.support.build"
local folder = os.getenv("TUTTI_BUILD_DIR") or "release"
local is_tsan = folder:find("tsan", 1, true) ~= nil

return {
  is_release = folder:find("release", 1, true) ~= nil,
  --- ThreadSanitizer does not see that Lua's errors and yields leave frames, and gives up after some 60,000
  --- of them in one process.
  is_tsan = is_tsan,
  --- How often something is to be repeated that crosses no threads: `n` times, a tenth of it under
  --- ThreadSanitizer, where it shows nothing new and takes ten times as long.
  ---@param n integer
  ---@return integer
  times = function(n) return is_tsan and n // 10 or n end,
}
