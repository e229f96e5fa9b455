-- SPDX-License-Identifier: MIT
-- What is written twice agrees: files that a README names exist, and there is one version number.

local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

--- Words in `code` and targets of links that look like paths of this project.
local function named_paths(text)
  local found = {}
  text = text:gsub("\n```.-\n```", "\n")
  for word in text:gmatch("`([%w_%-./]+)`") do
    if word:find("/", 1, true) and word:find("^[%w_.]") and not word:find("^%.%.?$") then
      found[#found + 1] = word
    end
  end
  for target in text:gmatch("%]%(([^)#%s]+)[^)]*%)") do
    if not target:find("^%a+:") then
      found[#found + 1] = target
    end
  end
  return found
end

local function exists(path)
  return os.execute("[ -e " .. shell.quote(path) .. " ]") == true
end

for _, path in ipairs(shell.lines("find . -name build -prune -o -name '*.md' -print | sort")) do
  local folder, bad = path:match("^(.*/)"), {}
  for _, name in ipairs(named_paths(shell.read(path))) do
    local plain = name:gsub("^%./", "")
    -- build/ is made by the build; the rest is looked for beside the page and from the top.
    local made = plain:find("^build/") or plain:find("^/")
    local found = made or exists(folder .. plain) or exists(plain) or exists("engine/" .. plain)
    if not found then
      bad[#bad + 1] = name
    end
  end
  tap.case(#bad == 0, path:sub(3) .. " names: " .. table.concat(bad, " "))
end

tap.rule("files that the pages name exist")

local cmake = shell.read("CMakeLists.txt"):match("project%(tutti VERSION ([%d.]+)")
local header = shell.read("engine/include/tutti.h")
local macro = header:match('#define TUTTI_VERSION "([%d.]+)"')
tap.ok(cmake == macro, "tutti.h has the version of CMakeLists.txt", ("%s, %s"):format(macro, cmake))
tap.finish()
