-- SPDX-License-Identifier: MIT
--- What stands before the cursor in a text that may be unfinished: for completion.
---
--- Layer: lua. Thread: any state; it only looks at text.
--- Invariant: never raises, whatever the text is, and takes time in proportion to its length.
---@module "tutti.repl.cursor"
local cursor = {}

--- The words that are no names.
cursor.KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return
  then true until while]]):gmatch("%a+") do
  cursor.KEYWORDS[word] = true
end
local KEYWORDS = cursor.KEYWORDS

-- ---- tokens --------------------------------------------------------------------------------

-- A token is { kind =, text =, from = }: kind "name" (words as well), "number", "string" (text is what is
-- between the quotes), "op"; of an unfinished one `open` is its opening: a quote, "[" or "--".

local function long_bracket(text, from, kind)
  local level = text:match("^%[(=*)%[", from)
  if not level then
    return nil
  end
  local start = from + #level + 2
  local stop, after = text:find("]" .. level .. "]", start, true)
  local token = { kind = kind, text = text:sub(start, stop and stop - 1), from = start }
  token.open = not stop and "[" or nil
  return token, after or #text
end

local function comment(text, from)
  local token, last = long_bracket(text, from + 2, "comment")
  if token then
    return token, last
  end
  local newline = text:find("\n", from, true)
  return { kind = "comment", text = "", from = from, open = not newline and "--" or nil }, newline or #text
end

local function quoted(text, from)
  local quote = text:sub(from, from)
  local at = from + 1
  while true do
    local stop = text:find("[\\\n" .. quote .. "]", at)
    local char = stop and text:sub(stop, stop)
    if char == "\\" then
      at = stop + (text:sub(stop + 1, stop + 1) == "z" and #text:match("^z%s*", stop + 1) + 1 or 2)
    else -- a line's end ends the string as well: Lua refuses it
      local token = { kind = "string", text = text:sub(from + 1, stop and stop - 1), from = from + 1 }
      token.open = not stop and quote or nil
      return token, stop or #text
    end
  end
end

local function number(text, from)
  local last = select(2, text:find("^[%w_%.]+", from))
  while text:find("^[eEpP][%+%-]%d", last) do -- an exponent's sign belongs to it
    last = select(2, text:find("^[%w_%.]+", last + 2))
  end
  return { kind = "number", text = text:sub(from, last), from = from }, last
end

local OPERATORS = { "^%.%.%.?", "^::", "^[=~<>]=", "^//", "^<<", "^>>" }

local function operator(text, from)
  for _, pattern in ipairs(OPERATORS) do
    local found = text:match(pattern, from)
    if found then
      return { kind = "op", text = found, from = from }, from + #found - 1
    end
  end
  return { kind = "op", text = text:sub(from, from), from = from }, from
end

local function read_token(text, from)
  if text:find("^[%a_]", from) then
    local word = text:match("^[%w_]+", from)
    return { kind = "name", text = word, from = from }, from + #word - 1
  elseif text:find("^%.?%d", from) then
    return number(text, from)
  elseif text:find("^%-%-", from) then
    return comment(text, from)
  elseif text:find("^[\"']", from) then
    return quoted(text, from)
  end
  local token, last = long_bracket(text, from, "string")
  if token then
    return token, last
  end
  return operator(text, from)
end

local function read_tokens(text)
  local tokens, at = {}, text:find("%S")
  while at do
    local token, last = read_token(text, at)
    if token.kind ~= "comment" or token.open then
      tokens[#tokens + 1] = token
    end
    at = text:find("%S", last + 1)
  end
  return tokens
end

-- ---- names that the text declares ----------------------------------------------------------

-- Names from token `i` on, with commas between them and attributes behind them; returns where they end.
local function take_names(tokens, i, into)
  while tokens[i] and tokens[i].kind == "name" and not KEYWORDS[tokens[i].text] do
    into[tokens[i].text] = true
    i = i + 1
    if tokens[i] and tokens[i].text == "<" and tokens[i].kind == "op" then
      i = i + 3
    end
    if not (tokens[i] and tokens[i].text == ",") then
      break
    end
    i = i + 1
  end
  return i
end

-- `function a.b:c(x, y)` from the token behind the word on: the parameters.
local function take_parameters(tokens, i, into)
  while tokens[i] and tokens[i].text ~= "(" do
    if tokens[i].text == ":" then
      into.self = true
    elseif tokens[i].kind ~= "name" and tokens[i].text ~= "." then
      return i
    end
    i = i + 1
  end
  return take_names(tokens, i + 1, into)
end

local function open_block(state, names)
  state.depth = state.depth + 1
  state.blocks[state.depth] = names
end

local function close_block(state)
  if state.depth > 1 then
    state.blocks[state.depth] = nil
    state.depth = state.depth - 1
  end
end

local DECLARES = {
  ["local"] = function(state, tokens, i)
    if tokens[i] and tokens[i].text == "function" then
      take_names(tokens, i + 1, state.blocks[state.depth])
      return i
    end
    return take_names(tokens, i, state.blocks[state.depth])
  end,
  ["function"] = function(state, tokens, i)
    local names = {}
    local after = take_parameters(tokens, i, names)
    open_block(state, names)
    return after
  end,
  ["for"] = function(state, tokens, i)
    state.pending = {}
    return take_names(tokens, i, state.pending)
  end,
  ["do"] = function(state)
    open_block(state, state.pending or {})
    state.pending = nil
  end,
  ["then"] = function(state) open_block(state, {}) end,
  ["repeat"] = function(state) open_block(state, {}) end,
  ["else"] = function(state)
    close_block(state)
    open_block(state, {})
  end,
  ["elseif"] = close_block,
  ["until"] = close_block,
  ["end"] = close_block,
}

-- The locals of the text that can be seen behind `tokens`: a set.
local function declared(tokens)
  local state = { blocks = { {} }, depth = 1, pending = nil }
  local i = 1
  while tokens[i] do
    local before, act = tokens[i - 1], tokens[i].kind == "name" and DECLARES[tokens[i].text]
    local is_field = before and (before.text == "." or before.text == ":") and before.kind == "op"
    i = act and not is_field and act(state, tokens, i + 1) or i + 1
  end
  local names = {}
  for _, block in ipairs(state.blocks) do
    for name in pairs(block) do
      names[name] = true
    end
  end
  return names
end

-- ---- the path before a point ---------------------------------------------------------------

local function is_op(token, text)
  return token ~= nil and token.kind == "op" and token.text == text
end

-- Does a value end here, so that a string behind it would be its argument?
local function ends_value(token)
  return token ~= nil and (token.kind == "string" or is_op(token, ")") or is_op(token, "]")
    or token.kind == "name" and not KEYWORDS[token.text])
end

-- The key in `[ ... ]` whose closing bracket is token i: a plain string or an integer, or nil.
local function constant_key(tokens, i)
  local key = tokens[i - 1]
  if not key or not is_op(tokens[i - 2], "[") then
    return nil
  elseif key.kind == "string" and not key.text:find("\\", 1, true) then
    return key.text
  end
  return key.kind == "number" and math.tointeger(tonumber(key.text)) or nil
end

-- `a.b[1]["c"]` that ends with token i: { name = "a", "b", 1, "c" }; `("x")`: { text = "x" }; else nil:
-- to know the value, code would have to run.
local function path_to(tokens, i)
  local keys = {}
  while tokens[i] do
    local token = tokens[i]
    local key = token.text
    if is_op(token, "]") then
      key = constant_key(tokens, i)
      i = i - 3
    elseif token.kind == "name" and is_op(tokens[i - 1], ".") then
      i = i - 2
    elseif token.kind == "name" and not KEYWORDS[key] and not is_op(tokens[i - 1], ":") then
      return table.move(keys, 1, #keys, 1, { name = key })
    elseif is_op(token, ")") and tokens[i - 1] and tokens[i - 1].kind == "string"
      and is_op(tokens[i - 2], "(") and not ends_value(tokens[i - 3]) then
      return table.move(keys, 1, #keys, 1, { text = tokens[i - 1].text })
    else
      return nil
    end
    if key == nil then
      return nil
    end
    table.insert(keys, 1, key)
  end
  return nil
end

-- ---- the answer ----------------------------------------------------------------------------

local function in_string(tokens, token)
  local before = #tokens - 1
  local path = is_op(tokens[before], "[") and path_to(tokens, before - 1) or nil
  return { kind = "string", quote = token.open, from = token.from, typed = token.text, path = path }
end

-- The word under the cursor has been taken off `tokens`.
local function in_code(tokens, typed, from)
  local before = tokens[#tokens]
  local kind = is_op(before, ".") and "field" or is_op(before, ":") and "method" or "name"
  local found = { kind = kind, typed = typed, from = from }
  if kind == "name" then
    found.after = before and before.kind == "name" and before.text or nil
  else
    found.path = path_to(tokens, #tokens - 1)
  end
  return found
end

---@class tutti.repl.Cursor
---@field kind "name"|"field"|"method"|"string"|"none"
---@field typed string # what of the name, or of the string, stands before the cursor
---@field from integer # where it begins
---@field path? table # of a field, a method, or a key in brackets: { name =, keys... } or { text = }
---@field after? string # the word before a name
---@field quote? string # of a string: how it was opened
---@field declared table<string, boolean> # locals of the text that can be seen at the cursor

--- What stands before the end of `text`.
---@param text string
---@return tutti.repl.Cursor
function cursor.at(text)
  local tokens = read_tokens(text)
  local last = tokens[#tokens]
  local touches = last and last.from + #last.text - 1 == #text
  local found
  local nothing = { kind = "none", typed = "", from = #text + 1 }
  if last and last.open then
    found = last.kind == "string" and in_string(tokens, last) or nothing
  elseif last and touches and last.kind == "name" then
    tokens[#tokens] = nil
    found = in_code(tokens, last.text, last.from)
  elseif last and touches and last.kind == "number" then
    found = nothing
  else
    found = in_code(tokens, "", #text + 1)
  end
  found.declared = declared(tokens)
  return found
end

return cursor
