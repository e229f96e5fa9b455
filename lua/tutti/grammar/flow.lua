-- SPDX-License-Identifier: MIT
--- Flow expressions: `(server, assets) >> tests >> report`.
---
---     flow    = { chain (";" | new line) }            -- blank lines and `-- comments` count for nothing
---     chain   = part { ">>" part }                    -- a line may end with ">>", or begin with it
---     part    = name | "(" chain { "," chain } [","] ")"
---     name    = letters, digits, _ - . / : @ % = # ~ $ and all beyond ASCII; any other name in quotes
---
--- An edge goes from every last task of what stands left of a ">>" to every first task of what stands
--- right.
---
--- Layer: lua. Thread: any state.
--- Invariant: reading is linear in the text, and a tree is at most peg.DEPTH_MAX groups deep.
---@module "tutti.grammar.flow"
local peg = require("tutti.grammar.peg")

local flow = {}

local lpeg, expect = peg.lpeg, peg.expect
local P, S, V, C, Ct, Cg, Cc = lpeg.P, lpeg.S, lpeg.V, lpeg.C, lpeg.Ct, lpeg.Cg, lpeg.Cc

local comment = (P("--") - P("-->")) * (1 - P("\n")) ^ 0
local blank = (S(" \t\r") + comment) ^ 0
local space = (S(" \t\r\n") + comment) ^ 0
local skipped = (S(" \t\r\n;") + comment) ^ 0
local plain = (peg.letter + (P("-") - P("--") - P("->"))) ^ 1
local PART = "a task or \"(\""

local grammar = P({
  "flow",
  flow = Ct(skipped * (V("chain") * V("chain_end") * skipped) ^ 0 * expect(-P(1), PART)),
  chain = Ct(V("part") * (space * ">>" * space * expect(V("part"), PART)) ^ 0),
  chain_end = blank * expect(S("\n;") + -P(1), "\">>\", \";\" or a new line"),
  part = peg.node(Cg(C(plain) + peg.quoted, "name")) + V("group"),
  group = Ct(peg.open("(") * Cg(Cc(true), "group") * space * expect(V("chain"), PART)
    * (space * "," * space * (V("chain") + expect(#P(")"), "a task, \"(\" or \")\""))) ^ 0
    * space * expect(peg.close(")"), "\">>\", \",\" or \")\"")),
})

local function hint(text, position)
  local at = text:sub(position, position + 2)
  if at:find("^%-+>") or at:find("^=>") or at:find("^>[^>]") or at == ">" or at:find("^|") then
    return "edges are written \">>\""
  elseif at:find("^<") then
    return "what comes first stands on the left: \"a >> b\""
  elseif at:find("^[*?%[{]") then
    return "a flow names each task; patterns are for selectors"
  elseif at:find("^[+&!\\^]") then
    return "put a name with such characters into quotes"
  end
end

--- Read a flow.
---
--- The tree is a list of chains; a chain a list of parts; a part either { name =, position = } or
--- { group = true, chain, chain, ... }.
---@param text string
---@return table? tree
---@return { position: integer, message: string }? err
function flow.parse(text)
  return peg.parse(grammar, text, hint)
end

-- ---- edges ---------------------------------------------------------------------------------

local ends_of -- below: it and `chain_edges` need each other

-- Add the edges of `chain`; returns its first and its last tasks (lists of names without duplicates).
local function chain_edges(chain, edges)
  local first, last
  for i, part in ipairs(chain) do
    local heads, tails = ends_of(part, edges)
    if i > 1 then
      for _, from in ipairs(last) do
        for _, to in ipairs(heads) do
          edges[#edges + 1] = { from, to }
        end
      end
    end
    first, last = first or heads, tails
  end
  return first, last
end

local function append(list, seen, names)
  for _, name in ipairs(names) do
    if not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
end

function ends_of(part, edges)
  if part.name then
    local only = { part.name }
    return only, only
  end
  local heads, tails, heads_seen, tails_seen = {}, {}, {}, {}
  for _, chain in ipairs(part) do
    local first, last = chain_edges(chain, edges)
    append(heads, heads_seen, first)
    append(tails, tails_seen, last)
  end
  return heads, tails
end

--- The edges of a tree, as a list of { from, to }, in the order in which the text gives them.
function flow.edges(tree)
  local edges = {}
  for _, chain in ipairs(tree) do
    chain_edges(chain, edges)
  end
  return edges
end

local function collect_names(chain, list, seen)
  for _, part in ipairs(chain) do
    if part.group then
      for _, inner in ipairs(part) do
        collect_names(inner, list, seen)
      end
    elseif not seen[part.name] then
      seen[part.name] = true
      list[#list + 1] = part
    end
  end
end

--- Each task that a tree names, once, in order: a list of { name =, position = }.
function flow.names(tree)
  local list, seen = {}, {}
  for _, chain in ipairs(tree) do
    collect_names(chain, list, seen)
  end
  return list
end

-- ---- text ----------------------------------------------------------------------------------

local function chain_text(chain)
  local parts = {}
  for i, part in ipairs(chain) do
    if part.group then
      local inner = {}
      for k, member in ipairs(part) do
        inner[k] = chain_text(member)
      end
      parts[i] = "(" .. table.concat(inner, ", ") .. ")"
    else
      parts[i] = peg.quote(plain, part.name)
    end
  end
  return table.concat(parts, " >> ")
end

--- The text of a tree; `parse` reads it back.
function flow.format(tree)
  local lines = {}
  for i, chain in ipairs(tree) do
    lines[i] = chain_text(chain)
  end
  return table.concat(lines, "\n")
end

return flow
