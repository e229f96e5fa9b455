-- SPDX-License-Identifier: MIT
-- Reads the annotations of tutti.lua beside it, and writes REFERENCE.md of them:
--   lua5.4 lua/meta/reference.lua > lua/meta/REFERENCE.md
-- tests/check/meta.lua uses the reader, and looks that the page is fresh.
--
-- Invariant: an entry is a comment block of "---" lines with the line of code after it.

local reference = {}

-- ---- reading -------------------------------------------------------------------------------

-- One "---" line into the entry that is being read.
local function read_tag(entry, line)
  local tag, rest = line:match("^%-%-%-@(%a+)%s*(.*)$")
  if not tag then
    entry.text[#entry.text + 1] = line:match("^%-%-%-%s?(.*)$")
  elseif tag == "async" or tag == "nodiscard" then
    entry[tag] = true
  elseif tag == "param" or tag == "field" then
    local name, kind = rest:match("^(%[%a+%]%??)%s+(.*)$")
    if not name then
      name, kind = rest:match("^(%S+)%s+(.*)$")
    end
    local text = kind:match("%s#%s(.*)$")
    table.insert(entry[tag .. "s"], { name = name, kind = kind:gsub("%s#%s.*$", ""), text = text })
  elseif tag == "return" then
    table.insert(entry.returns, rest)
  elseif tag == "class" then
    entry.class = rest
  end
end

local function new_entry()
  return { text = {}, params = {}, fields = {}, returns = {} }
end

--- The entries of the annotated text, in order: functions (`name`, `words`), classes, aliases, sections.
function reference.read(text)
  local list, entry, classes = {}, nil, {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local section = line:match("^%-%- ==== (.-) ====$")
    local name, words = line:match("^function ([%w_.:]+)%((.-)%) end$")
    if section then
      list[#list + 1] = { section = section }
    elseif line:find("^%-%-%-@alias") then
      list[#list + 1] = { alias = line:match("^%-%-%-@alias%s+(.*)$") }
    elseif line:find("^%-%-%-") and not line:find("^%-%-%-@meta") then
      entry = entry or new_entry()
      read_tag(entry, line)
    elseif entry then
      entry.name, entry.words = name, words
      local variable = line:match("^local ([%w_]+) = {}$")
      if variable and entry.class then
        classes[variable] = entry.class:match("^[%w_.]+")
      end
      if name or entry.class then
        list[#list + 1] = entry
      end
      entry = nil
    elseif name then
      entry = nil
      local bare = new_entry()
      bare.name, bare.words = name, words
      list[#list + 1] = bare
    end
  end
  return list, classes
end

-- ---- writing -------------------------------------------------------------------------------

local function write_names(out, names)
  for _, item in ipairs(names) do
    local text = item.text and ": " .. item.text or ""
    out[#out + 1] = ("* `%s` `%s`%s"):format(item.name, item.kind, text)
  end
  if #names > 0 then
    out[#out + 1] = ""
  end
end

local function write_text(out, entry)
  if #entry.text > 0 then
    out[#out + 1] = table.concat(entry.text, "\n")
    out[#out + 1] = ""
  end
end

local function write_function(out, entry, variables)
  local owner, separator, method = entry.name:match("^([%w_]+)([.:])([%w_]+)$")
  local shown = separator == ":" and owner:lower() .. ":" .. method
    or (variables[owner] or owner) .. "." .. method
  local marks = entry.async and " (suspends)" or ""
  out[#out + 1] = ("### `%s(%s)`%s"):format(shown, entry.words, marks)
  out[#out + 1] = ""
  write_text(out, entry)
  write_names(out, entry.params)
  for _, result in ipairs(entry.returns) do
    local kind, text = result:match("^(.-)%s#%s(.*)$")
    out[#out + 1] = ("→ `%s`%s"):format(kind or result, text and " " .. text or "")
    out[#out + 1] = ""
  end
end

local function write_type(out, entry)
  if entry.class == "tutti" then
    return
  elseif entry.alias then
    local name, kind, text = entry.alias:match("^(%S+)%s+(.-)%s#%s(.*)$")
    if not name then
      name, kind = entry.alias:match("^(%S+)%s+(.*)$")
    end
    out[#out + 1] = ("* `%s` = `%s`%s"):format(name, kind, text and ": " .. text or "")
    return
  end
  out[#out + 1] = ""
  out[#out + 1] = ("### %s"):format(entry.class)
  out[#out + 1] = ""
  write_text(out, entry)
  write_names(out, entry.fields)
end

--- The page for an annotated text.
function reference.page(text)
  local list, variables = reference.read(text)
  local out = { "<!-- Made by lua/meta/reference.lua from tutti.lua: change that. -->", "# Reference", "",
    "`local tutti = require \"tutti\"`. What suspends is a checkpoint (`../README.md`), and raises the",
    "task's own cancellation. Misuse raises kind `usage` at the caller's line; other errors are said where",
    "they can come.", "",
    "## Types in short", "" }
  for _, entry in ipairs(list) do
    if entry.section then
      out[#out + 1] = ""
      out[#out + 1] = ("## %s"):format(entry.section)
      out[#out + 1] = ""
    elseif entry.name then
      write_function(out, entry, variables)
    else
      write_type(out, entry)
    end
  end
  return (table.concat(out, "\n"):gsub("\n\n\n+", "\n\n")) .. "\n"
end

--- The text of the annotations in `folder`.
function reference.source(folder)
  local file = assert(io.open(folder .. "/tutti.lua"))
  local text = file:read("a")
  file:close()
  return text
end

if arg and arg[0] and arg[0]:find("reference%.lua$") then
  io.write(reference.page(reference.source(arg[0]:match("^(.*)/[^/]*$") or ".")))
end

return reference
