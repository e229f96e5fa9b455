-- SPDX-License-Identifier: MIT
--- Glob patterns, of task names and of paths.
---
---     glob    = { text | "*" | "**" | "?" | set | "{" glob { "," glob } "}" }
---     set     = "[" ["!"|"^"] member { member } "]"      -- a first "]" stands for itself
---     member  = char | char "-" char | "[:" class ":]"
---     text    = characters, "\" before one that would mean something
---
--- `*`, `?` and sets match within a name: no "/". `**` matches anything; as a whole part of a path
--- (`a/**/b`) any number of parts, also none. A character is one of UTF-8, or a byte where there is
--- none.
---
--- Alternatives are multiplied out. What is left is matched without trying again: a `*` takes as little
--- as what comes after it allows, which is never wrong, since the next `*` can take the rest. The same
--- goes for `**`, with all up to the next `**` for what comes after it. So a match is at most quadratic
--- in the name.
---
--- Layer: lua. Thread: any state.
--- Invariant: a pattern has at most LENGTH_MAX bytes, and multiplied out ITEMS_MAX items.
---@module "tutti.grammar.glob"
local caret = require("tutti.grammar.caret")
local peg = require("tutti.grammar.peg")

local glob = { LENGTH_MAX = 4096, ITEMS_MAX = 10000 }

local lpeg, expect = peg.lpeg, peg.expect
local P, S, R, V = lpeg.P, lpeg.S, lpeg.R, lpeg.V
local C, Cc, Cs, Cg, Ct = lpeg.C, lpeg.Cc, lpeg.Cs, lpeg.Cg, lpeg.Ct

-- ---- reading -------------------------------------------------------------------------------

-- A tree is a list of items: a text, one of these, a set, or { choice = true, tree, tree, ... }.
local STAR, DEEP, ONE = { kind = "*" }, { kind = "**" }, { kind = "?" }

local more = R("\128\191")
local wide = R("\194\223") * more + R("\224\239") * more * more + R("\240\244") * more * more * more
local char = R("\0\127") + wide + 1
local escaped = P("\\") / "" * expect(char, "a character after \\")

local classes = lpeg.locale()
local class_name = P(false)
for class in pairs(classes) do
  class_name = class_name + class
end

local function set()
  local class = P("[:") * peg.node(Cg(C(expect(class_name, "a class such as digit or alpha")), "class"))
    * expect(P(":]"), "\":]\"")
  local quoted = P("\\") / "" * expect(char - "/", "a character other than / after \\")
  local high = expect(quoted + (char - S("/\\")), "a character")
  local function member(one)
    local low = quoted + (one - "\\" - "[:")
    return class + peg.node(Cs(low) * (P("-") * -P("]") * Cs(high)) ^ -1)
  end
  local body = member(char - "/") * member(char - S("/]")) ^ 0
  return P("[") * Ct(Cg(Cc("set"), "kind") * Cg(S("!^") * Cc(true) + Cc(false), "negated")
    * expect(body, "a character") * expect(P("]"), "a closing ]"))
end

--- An LPeg pattern that captures the tree of a glob.
---@param letter any # the characters that may stand for themselves outside of braces
function glob.grammar(letter)
  local wild = P("**") * P("*") ^ 0 * Cc(DEEP) + P("*") * Cc(STAR) + P("?") * Cc(ONE)
  local special = S("*?[{\\")
  local function items(plain)
    return (Cs((escaped + (plain - special)) ^ 1) + wild + set() + V("choice")) ^ 0
  end
  return P({
    "glob",
    glob = Ct(items(letter)),
    inner = Ct(items(char - S(",}"))),
    choice = Ct(Cg(Cc(true), "choice") * peg.open("{") * V("inner") * (P(",") * V("inner")) ^ 0
      * expect(peg.close("}"), "\",\" or a closing }")),
  })
end

local whole = glob.grammar(char) * -P(1)

-- ---- multiplying out -----------------------------------------------------------------------

-- A number for a character: characters in their order, then the bytes that are none.
local function code(one)
  if utf8.len(one) == 1 then
    return utf8.codepoint(one)
  end
  return 0x110000 + string.unpack(">I" .. #one, one)
end

-- Does `last` match all that `last` and `item` do?
local function is_swallowed(last, item)
  return item == STAR and (last == STAR or last == DEEP) or item == DEEP and last == DEEP
end

-- `list` has flat lists of items; add `item` to each of them.
local function append(list, item)
  for _, flat in ipairs(list) do
    local last = flat[#flat]
    if type(last) == "string" and type(item) == "string" then
      flat[#flat] = last .. item
    elseif not is_swallowed(last, item) then
      flat[#flat + 1] = item
    end
  end
end

local function product(list, alternatives, budget)
  local result = {}
  for _, flat in ipairs(list) do
    for _, alternative in ipairs(alternatives) do
      local both = table.move(flat, 1, #flat, 1, {})
      budget.items = budget.items - #flat - #alternative - 1
      if budget.items < 0 then
        return result
      end
      local one = { both }
      for _, item in ipairs(alternative) do
        append(one, item)
      end
      result[#result + 1] = both
    end
  end
  return result
end

-- The flat lists of items that a tree stands for. `budget.items` falls below 0 when there are too many.
local function expand(tree, budget)
  local list = { {} }
  for _, item in ipairs(tree) do
    if item.choice then
      local alternatives = {}
      for _, inner in ipairs(item) do
        local expanded = expand(inner, budget)
        table.move(expanded, 1, #expanded, #alternatives + 1, alternatives)
      end
      list = product(list, alternatives, budget)
    else
      budget.items = budget.items - #list
      append(list, item)
    end
    if budget.items < 0 then
      break
    end
  end
  return list
end

-- A range that goes down: its position.
local function falling_range(tree)
  for _, item in ipairs(tree) do
    for _, inner in ipairs(item.choice and item or {}) do
      local position = falling_range(inner)
      if position then
        return position
      end
    end
    for _, member in ipairs(item.kind == "set" and item or {}) do
      if member[2] and code(member[1]) > code(member[2]) then
        return member.position
      end
    end
  end
end

--- The flat lists that a tree stands for; the matchers below take one of them.
---@param text string # in which the tree was read
---@param position integer # where the glob begins in it
---@return table[]? flats
---@return { position: integer, message: string }? err
function glob.flats(tree, text, position)
  local falling = falling_range(tree)
  local problem = falling and "a range goes from the lower character to the higher one"
  local flats
  if not problem then
    local budget = { items = glob.ITEMS_MAX }
    flats = expand(tree, budget)
    problem = budget.items < 0 and "this pattern is too long, with each of its alternatives written out"
  end
  if problem then
    position = falling or position
    return nil, { position = position, message = caret.message(text, position, problem) }
  end
  return flats
end

--- Read a pattern.
---@return table? tree
---@return { position: integer, message: string }? err
function glob.parse(text)
  if #text > glob.LENGTH_MAX then
    local position = glob.LENGTH_MAX + 1
    local problem = ("a pattern has at most %d bytes"):format(glob.LENGTH_MAX)
    return nil, { position = position, message = caret.message(text, position, problem) }
  end
  return peg.parse(whole, text)
end

-- ---- matching ------------------------------------------------------------------------------

local within = R("\0.", "0\127") + wide + R("\128\255") -- all but "/"

-- The patterns in list[first..last] one after the other. Halves keep LPeg, which copies, from n^2.
local function sequence(list, first, last)
  if first > last then
    return P(true)
  elseif first == last then
    return list[first]
  end
  local middle = (first + last) // 2
  return sequence(list, first, middle) * sequence(list, middle + 1, last)
end

local function member_pattern(member)
  if member.class then
    return classes[member.class]
  end
  local low, high = code(member[1]), code(member[2] or member[1])
  if high < 0x80 then
    return R(member[1] .. (member[2] or member[1]))
  end
  return lpeg.Cmt(C(char), function(_, _, one)
    local number = code(one)
    return low <= number and number <= high
  end)
end

local function item_pattern(item)
  if type(item) == "string" then
    return P(item)
  elseif item == ONE then
    return within
  end
  local members = P(false)
  for _, member in ipairs(item) do
    members = members + member_pattern(member)
  end
  return item.negated and within - members or #within * members
end

-- `pattern` at the first place to which `step` leads.
local function search(step, pattern)
  return (step - pattern) ^ 0 * pattern
end

-- A matcher is built piece by piece: `items` up to the next `*`, `pieces` (each with its search) up to
-- the next `**`, `stretches` up to the end.
local function end_piece(build, ending)
  local piece = sequence(build.items, 1, #build.items) * ending
  build.pieces[#build.pieces + 1] = build.is_after_star and search(within, piece) or piece
  build.items, build.is_after_star = {}, false
end

local function end_stretch(build, ending)
  end_piece(build, ending)
  local stretch = sequence(build.pieces, 1, #build.pieces)
  if build.step then
    stretch = search(build.step, stretch)
  end
  build.stretches[#build.stretches + 1] = stretch
  build.pieces, build.step = {}, nil
end

local folder = within ^ 0 * "/"

-- Is item `i`, a `**`, the whole of a part that others follow? Then its "/" is a part of it.
local function is_folders(flat, i)
  local before, after = flat[i - 1], flat[i + 1]
  return (i == 1 or type(before) == "string" and before:sub(-1) == "/")
    and type(after) == "string" and after:sub(1, 1) == "/"
end

--- An LPeg pattern that matches the whole of what a flat list of items means.
function glob.pattern(flat)
  local build = { items = {}, pieces = {}, stretches = {} }
  local is_slash_taken = false
  for i, item in ipairs(flat) do
    if item == DEEP then
      end_stretch(build, P(true))
      is_slash_taken = is_folders(flat, i)
      build.step = is_slash_taken and folder or P(1)
    elseif item == STAR then
      end_piece(build, P(true))
      build.is_after_star = true
    else
      local text = is_slash_taken and item:sub(2) or item
      build.items[#build.items + 1] = item_pattern(text)
      is_slash_taken = false
    end
  end
  end_stretch(build, -P(1))
  return sequence(build.stretches, 1, #build.stretches)
end

--- The text that a flat list stands for when it has no pattern in it, else nil.
function glob.literal(flat)
  return #flat == 0 and "" or #flat == 1 and type(flat[1]) == "string" and flat[1] or nil
end

--- A function that says whether a name matches one of the flat lists.
---@param flats table[]
---@return fun(name: string): boolean
function glob.matcher(flats)
  local names, patterns = {}, {}
  for _, flat in ipairs(flats) do
    local name = glob.literal(flat)
    if name then
      names[name] = true
    else
      patterns[#patterns + 1] = glob.pattern(flat)
    end
  end
  return function(name)
    if names[name] then
      return true
    end
    for _, pattern in ipairs(patterns) do
      if pattern:match(name) then
        return true
      end
    end
    return false
  end
end

--- A function that says whether a name matches, or nil and an error.
---@return (fun(name: string): boolean)? matches
---@return { position: integer, message: string }? err
function glob.compile(text)
  local tree, err = glob.parse(text)
  local flats
  if tree then
    flats, err = glob.flats(tree, text, 1)
  end
  return flats and glob.matcher(flats), err
end

-- ---- paths ---------------------------------------------------------------------------------

-- Does a part that is matched refuse a leading dot? Only a dot that is written matches one.
local function hides_dot(flat)
  return type(flat[1]) ~= "string"
end

-- One part of a path: { name = }, { deep = true } or { matches = function }.
local function part_of(flat)
  local name = glob.literal(flat)
  if name then
    return { name = name }
  elseif #flat == 1 and flat[1] == DEEP then
    return { deep = true }
  end
  local pattern, hidden = glob.pattern(flat), hides_dot(flat)
  return { matches = function(entry)
    return not (hidden and entry:byte() == 46) and pattern:match(entry) ~= nil
  end }
end

local function parts_of(flat)
  local parts, current = {}, {}
  local function finish()
    if #current > 0 then
      local part = part_of(current)
      if not (part.deep and parts[#parts] and parts[#parts].deep) then
        parts[#parts + 1] = part
      end
      current = {}
    end
  end
  for _, item in ipairs(flat) do
    if type(item) == "string" then
      for slash, name in item:gmatch("(/*)([^/]*)") do
        if slash ~= "" then
          finish()
        end
        if name ~= "" then
          current[#current + 1] = name
        end
      end
    else
      current[#current + 1] = item
    end
  end
  finish()
  parts.is_absolute = type(flat[1]) == "string" and flat[1]:sub(1, 1) == "/"
  return parts
end

--- A pattern of paths, as a list of its alternatives; each is a list of parts, with `is_absolute`.
---@return table[]? alternatives
---@return { position: integer, message: string }? err
function glob.paths(text)
  local tree, err = glob.parse(text)
  local flats
  if tree then
    flats, err = glob.flats(tree, text, 1)
  end
  if not flats then
    return nil, err
  end
  local list = {}
  for i, flat in ipairs(flats) do
    list[i] = parts_of(flat)
  end
  return list
end

-- ---- text ----------------------------------------------------------------------------------

local function set_text(item)
  local members = {}
  for i, member in ipairs(item) do
    if member.class then
      members[i] = "[:" .. member.class .. ":]"
    else
      local low, high = member[1]:gsub("[%[%]\\!^-]", "\\%0"), member[2]
      members[i] = high and low .. "-" .. high:gsub("[%[%]\\!^-]", "\\%0") or low
    end
  end
  return "[" .. (item.negated and "!" or "") .. table.concat(members) .. "]"
end

--- The text of a tree; `parse` reads it back.
---@param escape? string # a Lua pattern: what stands behind a backslash in texts
function glob.format(tree, escape)
  local texts = {}
  for i, item in ipairs(tree) do
    if type(item) == "string" then
      texts[i] = item:gsub(escape or "[*?%[{},\\]", "\\%0")
    elseif item.choice then
      local inner = {}
      for k, member in ipairs(item) do
        inner[k] = glob.format(member, escape)
      end
      texts[i] = "{" .. table.concat(inner, ",") .. "}"
    else
      texts[i] = item.kind == "set" and set_text(item) or item.kind
    end
  end
  return table.concat(texts)
end

return glob
