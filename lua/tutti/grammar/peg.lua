-- SPDX-License-Identifier: MIT
--- What the grammars share: LPeg itself, the furthest place to which a text was understood, quoted names.
---
--- A grammar is written so that one character decides what comes next. Where something must come, it
--- says so with `expect`; the furthest such place is the error. So errors cost no backtracking.
---
--- Layer: lua. Thread: any state.
--- Invariant: `parse` never raises for a text, whatever is in it; groups nest at most DEPTH_MAX deep,
--- which keeps LPeg's stack (400 entries) and those who walk the tree out of danger.
---@module "tutti.grammar.peg"
local core = require("tutti.core")
local caret = require("tutti.grammar.caret")

local found, lpeg = pcall(require, "lpeg")
if not found then
  core.usage(("LPeg is needed for flows, selectors, patterns and times such as \"1m30s\", and could not "
    .. "be loaded: install the package lua-lpeg, or `luarocks install lpeg` (%s)")
    :format(tostring(lpeg):match("^[^\n]*")), 1)
end

local peg = { lpeg = lpeg, DEPTH_MAX = 24 }
local P, S, R, Cc, Cs = lpeg.P, lpeg.S, lpeg.R, lpeg.Cc, lpeg.Cs

-- ---- notes ---------------------------------------------------------------------------------

local function note(_, position, notes, wanted)
  if position > notes.position then
    notes.position, notes.wanted = position, wanted
  end
  return false
end

--- `pattern`, which must come here: otherwise note what was wanted, and fail.
---@param wanted string # "a task", or with "!" in front the whole problem
function peg.expect(pattern, wanted)
  return pattern + lpeg.Cmt(lpeg.Carg(1) * Cc(wanted), note)
end

local function open_group(_, position, notes)
  notes.depth = notes.depth + 1
  if notes.depth > peg.DEPTH_MAX then
    return note(nil, position - 1, notes, ("!groups nest more than %d deep"):format(peg.DEPTH_MAX))
  end
  return true
end

local function close_group(_, _, notes)
  notes.depth = notes.depth - 1
  return true
end

--- The two brackets of a group that may hold groups.
function peg.open(bracket)
  return P(bracket) * lpeg.Cmt(lpeg.Carg(1), open_group)
end

function peg.close(bracket)
  return P(bracket) * lpeg.Cmt(lpeg.Carg(1), close_group)
end

--- Read `text`: what the grammar captures, or nil and { position =, message = }.
---@param grammar any # an LPeg pattern that matches a whole text
---@param hint? fun(text: string, position: integer): string? # more to say about what stands at the place
function peg.parse(grammar, text, hint)
  local notes = { position = 0, wanted = nil, depth = 0 }
  local result = grammar:match(text, 1, notes)
  if result ~= nil then
    return result
  end
  local position, wanted = notes.position, notes.wanted
  local problem = wanted:match("^!(.*)")
    or ("%s was expected, got %s"):format(wanted, caret.found(text, position))
  local more = hint and hint(text, position)
  if more then
    problem = ("%s (%s)"):format(problem, more)
  end
  return nil, { position = position, message = caret.message(text, position, problem) }
end

-- ---- names ---------------------------------------------------------------------------------

local control = R("\0\31") + P("\127")

local function quoted(quote)
  local escape = P("\\") / "" * peg.expect(S("\\'\""), "!in quotes a \\ stands before \\, ' or \" only")
  local plain = 1 - S("\\" .. quote) - control
  local body = peg.expect(escape + plain, "a name between the quotes") * (escape + plain) ^ 0
  return P(quote) * Cs(body) * peg.expect(P(quote), "a closing " .. quote)
end

--- A name in quotes; captures it.
peg.quoted = quoted("'") + quoted('"')
--- What a name that needs no quotes is made of, apart from "-", which has other uses in some grammars.
peg.letter = R("az", "AZ", "09", "\128\255") + S("_./:@%=#~$")

--- `name` as `grammar` reads it back: plain when `plain` (a pattern) matches all of it, else in quotes.
function peg.quote(plain, name)
  if (plain * -P(1)):match(name) then
    return name
  end
  return '"' .. name:gsub('[\\"]', "\\%0") .. '"'
end

--- A table with `position` and what `pattern` captures, by name and in order.
function peg.node(pattern)
  return lpeg.Ct(lpeg.Cg(lpeg.Cp(), "position") * pattern)
end

return peg
