-- SPDX-License-Identifier: MIT
--- Selectors: `tests, +report`, `test_* & !tag:slow`, `deploy+`.
---
---     selector = both { "," both }                 -- either
---     both     = member { "&" member }
---     member   = { "!" } ["+"] leaf ["+"]          -- not; with all it needs; with all that need it
---     leaf     = name | "tag:" name | "(" selector ")"
---     name     = letters, digits, _ - . / : @ % = # ~ $ and all beyond ASCII, with glob patterns in
---                between (grammar/glob.lua); any other name in quotes, where nothing is a pattern
---
--- Layer: lua. Thread: any state.
--- Invariant: reading is linear in the text, and a tree is at most peg.DEPTH_MAX groups deep.
---@module "tutti.grammar.selector"
local glob = require("tutti.grammar.glob")
local peg = require("tutti.grammar.peg")

local selector = {}

local lpeg, expect = peg.lpeg, peg.expect
local P, S, V, C, Cg, Cc = lpeg.P, lpeg.S, lpeg.V, lpeg.C, lpeg.Cg, lpeg.Cc

local letter = peg.letter + "-"
local plain_tag = letter ^ 1
local plain_name = -P("tag:") * plain_tag
local LEAF = "a task, \"tag:\" or \"(\""

local space = S(" \t\r\n") ^ 0
local before = Cg(P("+") * Cc(true), "needs")
local after = Cg(P("+") * Cc(true), "dependents") ^ -1
local text = Cg(peg.quoted, "name") + #(letter + S("*?[{\\")) * Cg(glob.grammar(letter), "glob")

local function kind(name)
  return Cg(Cc(name), "kind")
end

local function list(member, separator)
  return member * (space * separator * space * expect(member, LEAF)) ^ 0
end

local grammar = P({
  "whole",
  whole = space * expect(V("any"), LEAF) * space * expect(-P(1), "\"&\", \",\" or the end"),
  any = peg.node(kind("any") * list(V("all"), ",")),
  all = peg.node(kind("all") * list(V("member"), "&")),
  member = V("inverse") + V("reach"),
  inverse = peg.node(kind("not") * P("!") * Cg(C((space * "!") ^ 0), "marks") * space
    * expect(V("reach"), LEAF)),
  reach = peg.node((before * expect(V("leaf"), LEAF) + V("leaf")) * after),
  leaf = P("tag:") * kind("tag") * expect(text, "a tag") + V("group") + -P("tag:") * kind("name") * text,
  group = kind("group") * peg.open("(") * space * expect(V("any"), LEAF) * space
    * expect(peg.close(")"), "\"&\", \",\" or \")\""),
})

local function hint(given, position)
  local at = given:sub(position, position + 1)
  if at:find("^|") then
    return "either of two is written \"a, b\""
  elseif given:sub(position - 1, position) == "&&" then
    return "both of two is written \"a & b\""
  elseif at:find("^%+") then
    return "a \"+\" stands directly before or behind a name"
  elseif at:find("^>") or at:find("^%^") or at:find("^;") then
    return "put a name with such characters into quotes"
  end
end

-- ---- from what was captured to a tree ------------------------------------------------------

local finish

local function finish_leaf(node, given)
  local flats, err
  if node.glob then
    flats, err = glob.flats(node.glob, given, node.position + (node.kind == "tag" and 4 or 0))
    if not flats then
      return nil, err
    end
    local name = #flats == 1 and glob.literal(flats[1])
    node.name = name ~= "" and name or nil
    node.matches = not node.name and glob.matcher(flats) or nil
    node.glob = node.matches and node.glob or nil
  end
  return node
end

-- Two of them are none. `marks` are those after the first.
local function finish_not(node)
  local inner = node[1]
  local is_even = #node.marks:gsub("[^!]", "") % 2 == 1
  node.marks = nil
  if inner.kind == "not" then
    inner, is_even = inner[1], not is_even
  end
  if is_even then
    return inner
  end
  node[1] = inner
  return node
end

-- A list of one is that one; a group is what is in it, unless it has a "+".
local function finish_list(node, given)
  for i, member in ipairs(node) do
    local done, err = finish(member, given)
    if not done then
      return nil, err
    end
    node[i] = done
  end
  if node.kind == "not" then
    return finish_not(node)
  end
  return (#node > 1 or node.needs or node.dependents) and node or node[1]
end

function finish(node, given)
  if node.kind == "name" or node.kind == "tag" then
    return finish_leaf(node, given)
  end
  return finish_list(node, given)
end

--- Read a selector.
---
--- A node is one of
---     { kind = "name" | "tag", name = }                          one name
---     { kind = "name" | "tag", glob =, matches = f(name) }       a pattern
---     { kind = "any" | "all", node, node, ... }
---     { kind = "not", node }
---     { kind = "group", node }                                   only with `needs` or `dependents`
--- each with its `position`; a name, tag or group may have `needs` or `dependents` = true: with all
--- that it needs, with all that need it.
---@param given string
---@return table? tree
---@return { position: integer, message: string }? err
function selector.parse(given)
  local tree, err = peg.parse(grammar, given, hint)
  if tree then
    tree, err = finish(tree, given)
  end
  return tree, err
end

-- ---- text ----------------------------------------------------------------------------------

local NEEDS_ESCAPE = "[^%w_./:@%%=#~$\128-\255-]"

local function leaf_text(node)
  local prefix = node.kind == "tag" and "tag:" or ""
  if not node.glob and not node.name:find("%c") then
    return prefix .. peg.quote(prefix == "" and plain_name or plain_tag, node.name)
  end
  local shown = glob.format(node.glob or { node.name }, NEEDS_ESCAPE) -- quotes hold no control characters
  if prefix == "" then
    shown = shown:gsub("^tag:", "tag\\:")
  end
  return prefix .. shown
end

-- How tightly a node binds: 1 for lists with ",", 2 for "&", 3 for the rest.
local BINDS = { any = 1, all = 2 }

local function node_text(node, least)
  local binds, shown = BINDS[node.kind] or 3, {}
  for i, member in ipairs(node) do
    local inner = node.kind == "group" and 1 or node.kind == "not" and 3 or binds + 1
    shown[i] = node_text(member, inner)
  end
  local whole
  if node.kind == "any" or node.kind == "all" then
    whole = table.concat(shown, node.kind == "any" and ", " or " & ")
  elseif node.kind == "not" then
    whole = "!" .. shown[1]
  elseif node.kind == "group" then
    whole = "(" .. shown[1] .. ")"
  else
    whole = leaf_text(node)
  end
  whole = (node.needs and "+" or "") .. whole .. (node.dependents and "+" or "")
  return binds < least and "(" .. whole .. ")" or whole
end

--- The text of a tree; `parse` reads it back.
function selector.format(tree)
  return node_text(tree, 1)
end

--- `name` as a selector that means just this task.
function selector.quote(name)
  return peg.quote(plain_name, name)
end

return selector
