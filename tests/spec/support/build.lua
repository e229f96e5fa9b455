-- SPDX-License-Identifier: MIT
--- Which build the specs run on: under a sanitizer those that do a thing very often do it less often.
---@module "tests.spec.support.build"
local folder = os.getenv("TUTTI_BUILD_DIR") or "release"

return {
  is_release = folder:find("release", 1, true) ~= nil,
  --- ThreadSanitizer does not see that Lua's errors and yields leave frames, and gives up after some 60,000
  --- of them in one process.
  is_tsan = folder:find("tsan", 1, true) ~= nil,
}
