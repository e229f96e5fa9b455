-- SPDX-License-Identifier: MIT
--- :doc: what the annotations (lua/meta/tutti.lua) say of a function or a type.
---
--- They are read when first asked for: a block of lines that begin with `---` belongs to the line of code
--- behind it, `function tutti.exec(spec) end`, or to the @class in it.
---
--- Layer: the Lua half. Thread: the state's home.
---@module "tutti.repl.commands.doc"
local core = require("tutti.core")
local layout = require("tutti.report.layout")
local options = require("tutti.options")
local text = require("tutti.repl.text")

local doc = {}

---@class tutti.repl.doc
---@field name string          # "tutti.exec", "Task:await", "tutti.ExecOptions"
---@field head string          # "tutti.exec(spec)"
---@field lines string[]       # of the block, without the dashes

-- ---- reading -------------------------------------------------------------------------------

local function add_function(index, name, words, block)
  name = name:gsub("^fs%.", "tutti.fs.")
  index[name] = { name = name, head = ("%s(%s)"):format(name, words), lines = block }
end

local function add_class(index, rest, block)
  local name = rest:match("^[%w_.]+")
  index[name] = { name = name, head = rest, lines = block }
end

-- Name -> what is written of it.
local function read(source)
  local index, block, class = {}, {}, nil
  for line in source:gmatch("([^\n]*)\n") do
    local comment = line:match("^%-%-%-%s?(.*)$")
    local name, words = line:match("^function ([%w_.:]+)%((.-)%) end$")
    if comment then
      class = comment:match("^@class%s+(.*)$") or class
      block[#block + 1] = not comment:find("^@class") and comment or nil
    else
      if name then
        add_function(index, name, words, block)
      elseif class then
        add_class(index, class, block)
      end
      block, class = {}, nil
    end
  end
  return index
end

local known

local function index_of()
  known = known or read(core.annotations())
  return known
end

--- What can be asked for.
---@return string[]
function doc.names()
  local names = {}
  for name in pairs(index_of()) do
    names[#names + 1] = name
  end
  return names
end

-- ---- finding -------------------------------------------------------------------------------

-- "exec", "tutti.exec", "Task:await", "task.await", "await": exactly so, else without regard to case, `.`
-- and `:`; a name alone may stand for several.
local function matches(index, asked)
  if index[asked] or index["tutti." .. asked] then
    return { index[asked] or index["tutti." .. asked] }
  end
  local plain, found = asked:lower():gsub(":", "."):gsub("^tutti%.", ""), {}
  for name, entry in pairs(index) do
    local full = name:lower():gsub(":", "."):gsub("^tutti%.", "")
    if full == plain or full:match("%.([%w_]+)$") == plain then
      found[#found + 1] = entry
    end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

local function nearest(index, asked)
  local words, plain = {}, asked:gsub("^tutti%.", "")
  for name in pairs(index) do
    words[name:gsub("^tutti%.", "")] = name
    local last = name:match("[%w_]+$")
    words[last] = name:find("^tutti%.") and name or words[last] or name
  end
  local near = options.nearest(plain, words)
  return near and words[near]
end

-- ---- showing -------------------------------------------------------------------------------

-- "@param limit? T # text" -> "  limit? T: text".
local function line_text(line)
  local tag, rest = line:match("^@(%a+)%s*(.*)$")
  if not tag then
    return line
  end
  rest = rest:gsub("%s+#%s+", ": ", 1)
  if tag == "param" or tag == "field" then
    return "  " .. rest
  elseif tag == "return" then
    return "  -> " .. rest:gsub("^([^:#]-)%s+([%a_]+%??)$", "%2: %1")
  elseif tag == "overload" then
    return "  or " .. rest
  elseif tag == "async" then
    return "  may suspend the task"
  end
  return nil -- what is for editors only
end

-- Sentences are one paragraph, whatever lines they are written in; what is set off stays as it is.
local function entry_text(entry, width, color)
  local page, words = layout.new_page({ width = width }), {}
  local function end_paragraph()
    if #words > 0 then
      page.flow("", table.concat(words, " "), 0)
      words = {}
    end
  end
  page.add(text.paint(entry.head, "name", color))
  for _, line in ipairs(entry.lines) do
    local shown = line_text(line)
    if line:find("^[^%s@%-]") then
      words[#words + 1] = shown
    elseif shown then
      end_paragraph()
      if line:find("^@") then
        page.flow("  ", shown:sub(3), 4)
      else
        page.add(shown)
      end
    end
  end
  end_paragraph()
  return table.concat(page.lines, "\n")
end

--- :doc NAME
function doc.doc(prompt, argument)
  local index = index_of()
  local asked = argument:gsub("%(.*$", ""):gsub("%s+$", "")
  local found = matches(index, asked)
  if #found == 0 then
    local near = nearest(index, asked)
    return false, ("nothing is written of \"%s\"%s"):format(asked,
      near and (" (did you mean \"%s\"?)"):format(near) or "")
  end
  local texts = {}
  for i, entry in ipairs(found) do
    texts[i] = entry_text(entry, prompt.width(), prompt.color)
  end
  prompt.write(table.concat(texts, "\n\n") .. "\n", "value")
end

return doc
