-- SPDX-License-Identifier: MIT
--- Which language a file is in: by its name, by the parts after its dots (longest first), and at last
--- by its `#!` line. Says why when it is in none.
--
-- `classify.name` needs no text, so that most files in no known language are never opened.
local languages = require("census.languages")

local classify = {}

-- Names that say the file is no source in any of our languages, whatever it begins with. Without
-- them a man page or a template that begins with "#!" would count as a script.
local OTHER = [[
  1 2 3 4 5 6 7 8 9 n in man a o so la gz bz2 xz zip tgz jar class pyc png jpg gif ico svg pdf ps eps
  doc csv tsv desktop bak patch diff txt md rst html htm css xml json yaml yml toml ini conf pl pm pod t
  rb js mjs ts tsx php tcl tk awk sed m4 ac el vim vi sql tex r R f f90 pas adb ads hs ml erl ex fish
  csh ps1 bat gitignore mo po pot dic afm bdf xbm xpm ttf otf woff mp3 wav au fig sgml sgm Tag
]]
local OTHER_FILES = [[
  AUTHORS BUGS COPYING Changelog ChangeLog CHANGES Changes DESCRIPTION Entries FAQ INSTALL MAINTAINERS
  MD5SUMS NAMESPACE NEWS README Readme Repository Root todo readme
]]

local PRIVATE = { [".bzr"] = true, [".cvs"] = true, [".git"] = true, [".hg"] = true, [".svn"] = true }

local by_file, by_extension, by_interpreter = {}, {}, {}
local known = {} -- the languages that are in these tables already

local function put(words, into, value)
  for word in (words or ""):gmatch("%S+") do
    into[word] = value
  end
end

put(OTHER, by_extension, false)
put(OTHER_FILES, by_file, false)

-- A script may add languages at any time before it counts.
local function learn()
  for name, language in pairs(languages) do
    if not known[language] then
      known[language] = true
      put(language.files, by_file, name)
      put(language.extensions, by_extension, name)
      put(language.interpreters, by_interpreter, name)
    end
  end
end

--- Whether a census goes into a directory of this name: what version control keeps is no source.
---@param name string # without the path to it
---@return boolean
function classify.enters(name)
  return not PRIVATE[name]
end

--- The language that a path alone shows.
---@param path string
---@return string|false|nil language # false: no source file; nil: the text has to say
---@return string? reason            # with false
function classify.name(path)
  learn()
  local base = path:match("[^/]*$")
  local found = by_file[base]
  if found == nil and not base:find(".", 1, true) then
    found = by_file[base:lower()]
  end
  if base:sub(-1) == "~" then
    found = false
  end
  -- "a.b.c.d": the parts after the last three dots, then after the last two, then the last one
  local from = {}
  for at in base:gmatch("()%.") do
    from[#from + 1] = at + 1
  end
  for i = math.max(#from - 2, 1), #from do
    if found ~= nil then
      break
    end
    found = by_extension[base:sub(from[i])]
  end
  if found == false then
    return false, "no source file by its name"
  end
  return found
end

--- The interpreter that a `#!` line names, without its path and version.
local function interpreter(text)
  local words = {}
  for word in (text:match("^#!%s*([^\n]*)") or ""):gmatch("%S+") do
    words[#words + 1] = word
  end
  local at = 1
  if words[1] and words[1]:match("[^/]*$") == "env" then
    repeat
      at = at + 1
    until not words[at] or not (words[at]:find("^%-") or words[at]:find("=", 1, true))
  end
  return words[at] and words[at]:match("[^/]*$"):gsub("[%d.]+$", "")
end

--- The language of a file, from its path and its first bytes.
---@param path string
---@param head string   # the first few thousand bytes, or all there are
---@return string? language
---@return string? reason      # when there is none: "binary", "empty", ...
---@return boolean? is_ordinary # the reason is one that nobody has to be told for each file
function classify.file(path, head)
  local found, why = classify.name(path)
  if found == false then
    return nil, why, true
  end
  if head == "" then
    return nil, "empty", true
  end
  if head:find("\0", 1, true) then
    return nil, "binary", false
  end
  found = found or by_interpreter[interpreter(head) or ""]
  if not found then
    return nil, "no language that is known", true
  end
  return found
end

return classify
