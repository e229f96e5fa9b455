-- SPDX-License-Identifier: MIT
--- What a text that was typed is: nothing, a command, a chunk or an expression, unfinished, or wrong.
---
--- Layer: the Lua half. Thread: any; compiles and runs nothing.
--- Invariant: what is a chunk here compiles by itself, so that it may stand inside a function.
---@module "tutti.repl.source"
local lexer = require("tutti.repl.lexer")

local source = {}

---@class tutti.repl.source
---@field kind "empty"|"command"|"chunk"|"incomplete"|"error"
---@field text string             # without the `=` in front and the `&` behind
---@field read tutti.repl.read?   # of a chunk
---@field is_expression boolean?
---@field is_background boolean?
---@field message string?         # of an error

--- The first line of a file, or all of it, without what Lua leaves out there: the mark of UTF-8, and a line
--- that names an interpreter. A blank line in its place keeps the numbers.
function source.begin(text)
  return (text:gsub("^\xEF\xBB\xBF", ""):gsub("^#[^\n]*", ""))
end

--- As `load`; the message is a text with a place, whatever is wrong.
---@return function? f, string? message
function source.load(text, name)
  local _, f, message = pcall(load, text, "=" .. name, "t") -- else the task's handler would get the message
  if not f and not message:find("^[^\n]*:%d+: ") then
    message = ("%s:1: %s"):format(name, message) -- "C stack overflow": it nests too deep
  end
  return f, message
end

-- An error at the end of the text is no error yet. A newline there ends a string that nobody has closed; what
-- is found wrong only at the end (a break outside a loop) is in the last line of the text itself.
local function compiles(text, name)
  local f, message = source.load(text .. "\n", name)
  if f or message:find("<eof>$") then
    return f ~= nil, message, not f
  end
  local _, plain = source.load(text, name)
  return false, plain and not plain:find("<eof>$") and plain or message, false
end

-- What a statement can begin with besides a name.
local BEGINS = {}
for word in ("( ; :: break do for function goto if local repeat return while"):gmatch("%S+") do
  BEGINS[word] = true
end

local function begins_statement(first)
  return first == nil or BEGINS[first] or first:find("^[%a_]") and not lexer.KEYWORDS[first]
end

-- `return f();` is well formed, and the semicolon would be in the way.
local function without_semicolon(text, read)
  return read.last == ";" and text:sub(1, read.last_at - 1) or text
end

local function chunk(text, read, is_expression)
  text = is_expression and without_semicolon(text, read) or text
  return { kind = "chunk", text = text, read = read, is_expression = is_expression }
end

local function read_plain(text, name, read)
  local asked = text:match("^%s*=()")
  if asked then
    text = (" "):rep(asked - 1) .. text:sub(asked) -- lines and columns stay
  end
  local is_whole, expression_message, is_expression_open = compiles("return " .. text, name)
  if is_whole then
    return chunk(text, read, true)
  end
  local is_statement, message, is_open = compiles(text, name)
  if is_statement and not asked then
    return chunk(text, read, false)
  elseif is_open and not asked or is_expression_open then
    return { kind = "incomplete", text = text }
  end
  local is_wrong_expression = asked or not begins_statement(read.first)
  return { kind = "error", text = text, message = is_wrong_expression and expression_message or message }
end

--- Look at a text; `name` is what its chunk is called in messages.
---@return tutti.repl.source
function source.read(text, name)
  if text:find("^%s*:%a") then
    return { kind = "command", text = text:match("^%s*(.-)%s*$") }
  end
  local read = lexer.read(text)
  if read.first == nil and compiles(text, name) then
    return { kind = "empty", text = text }
  elseif read.last == "&" then
    local found = source.read(text:sub(1, read.last_at - 1), name)
    found.is_background = found.kind == "chunk"
    return found
  end
  return read_plain(text, name, read)
end

return source
