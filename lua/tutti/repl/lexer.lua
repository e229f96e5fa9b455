-- SPDX-License-Identifier: MIT
--- What must be known of a chunk besides that it compiles: its tokens, the locals that it declares at top
--- level, where its top-level return stands, which names occur in it.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: nothing here raises, whatever the text is; of a text that compiles all answers are right.
---@module "tutti.repl.lexer"
local lpeg = require("tutti.grammar.peg").lpeg

local lexer = {}

local P, S, R, C, Cc, Cp = lpeg.P, lpeg.S, lpeg.R, lpeg.C, lpeg.Cc, lpeg.Cp

-- ---- tokens --------------------------------------------------------------------------------

-- A long bracket that nobody closes goes to the end.
local long = lpeg.Cmt(P("[") * C(P("=") ^ 0) * P("["), function(text, position, level)
  local _, last = text:find("]" .. level .. "]", position, true)
  return (last or #text) + 1
end)

local space = S(" \t\r\n\f\v")
local comment = P("--") * (long + (1 - S("\r\n")) ^ 0)
local escape = P("\\z") * space ^ 0 + P("\\") * (P("\r\n") + P("\n\r") + 1)
local function short(quote)
  return P(quote) * (escape + (1 - S("\r\n\\" .. quote))) ^ 0 * P(quote) ^ -1
end

local digit, hex = R("09"), R("09", "af", "AF")
local number = P("0") * S("xX") * (S("pP") * S("+-") ^ -1 + hex + P(".")) ^ 0
  + #(P(".") ^ -1 * digit) * (S("eE") * S("+-") ^ -1 + digit + P(".")) ^ 1
local name = R("az", "AZ", "__") * R("az", "AZ", "09", "__") ^ 0

-- Of each token two captures: where it begins, and its text; literals are all alike.
local LITERAL = '"'
local token = Cp() * ((long + short("'") + short('"') + number) * Cc(LITERAL) + C(name)
  + C(P("::") + P("...") + P("..") + S("=~<>") * P("=") + 1))
local tokens = lpeg.Ct((space + comment + token) ^ 0)

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return
  then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

lexer.KEYWORDS = KEYWORDS

-- ---- declarations --------------------------------------------------------------------------

-- What opens a block and what closes one; `for` and `while` have their `do`.
local DEPTH = { ["function"] = 1, ["do"] = 1, ["if"] = 1, ["repeat"] = 1, ["end"] = -1, ["until"] = -1 }

-- The names behind a `local` whose token is at `i`: NAME [<attribute>] {, NAME [<attribute>]}
local function add_declared(list, all, i)
  if all[i + 2] == "function" then
    list[#list + 1] = { name = all[i + 4] }
    return
  end
  repeat
    i = i + 2
    local declared = { name = all[i] }
    if all[i + 2] == "<" then
      declared.attribute = all[i + 4]
      i = i + 6
    end
    list[#list + 1] = declared
    i = i + 2
  until all[i] ~= ","
end

-- Of several declarations of one name the last one is visible at the end.
local function last_of_each(list)
  local seen, kept = {}, {}
  for i = #list, 1, -1 do
    local declared = list[i]
    if declared.name and not seen[declared.name] then
      seen[declared.name] = true
      table.insert(kept, 1, declared)
    end
  end
  return kept
end

---@class tutti.repl.read
---@field names table<string, true>     # each name that occurs, whatever it is there
---@field declared { name: string, attribute: string? }[]   # the locals of the top level, in order
---@field return_at integer?            # where the return of the top level begins
---@field first string?                 # the first token and the last, and where the last begins
---@field last string?
---@field last_at integer?

--- Look at a chunk.
---@return tutti.repl.read
function lexer.read(text)
  local flat = tokens:match(text)
  local read = { names = {}, first = flat[2], last = flat[#flat], last_at = flat[#flat - 1] }
  local declared, depth = {}, 0
  for i = 2, #flat, 2 do
    local word = flat[i]
    if word == "local" and depth == 0 then
      add_declared(declared, flat, i)
    elseif word == "return" and depth == 0 then
      read.return_at = flat[i - 1]
    end
    depth = depth + (DEPTH[word] or 0)
    if word:find("^[%a_]") and not KEYWORDS[word] then
      read.names[word] = true
    end
  end
  read.declared = last_of_each(declared)
  return read
end

return lexer
