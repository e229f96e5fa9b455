-- SPDX-License-Identifier: MIT
--- Shapes that comments and strings have, for the grammars in `languages.lua`.
--
-- A comment form is `{ first, full, inline }`: the characters it can begin with, the pattern of the
-- whole comment, and the pattern of those comments that stay on their line. A string form is
-- `{ first, full }`, and its captures are numbers: how many further lines of code it reaches.
-- That is the one invariant: every captured number is a count of lines that nothing else counts.
-- Blank lines are never among them; the counter counts those without looking at the language.
local lpeg = require("lpeg")

local P, S, C, Cc, Cmt = lpeg.P, lpeg.S, lpeg.C, lpeg.Cc, lpeg.Cmt

local forms = {}

local any = P(1)
local newline = P("\n")
local end_of_line = P("\r") ^ -1 * newline
local space = S(" \t\r\n\f\v")

-- Shell and CMake nest quotes in brackets in quotes; LPeg's own limit of 400 is reached by real files.
lpeg.setmaxstack(10000)

forms.any = any
forms.newline = newline
forms.end_of_line = end_of_line
forms.space = space
forms.blank = S(" \t\r\f\v")

--- Inside code: goes to the next line that is not blank and counts it.
forms.next_line = newline * space ^ 0 * (#any * Cc(1)) ^ -1

--- Counts the lines that begin in `text[from .. to-1]` and are not blank.
---@param text string
---@param from integer
---@param to   integer # exclusive
---@return integer
function forms.lines_between(text, from, to)
  local count = 0
  local at = text:find("\n", from, true)
  while at do
    at = text:find("%S", at + 1)
    if not at or at >= to then
      break
    end
    count = count + 1
    at = text:find("\n", at, true)
  end
  return count
end

--- A comment from `open` to the end of the line.
---@param open  string
---@param opts? { continues?: boolean, where?: userdata } # `continues`: a backslash at the end takes
---  the next line in; `where`: a pattern, of no length, that must hold where the comment begins
function forms.line(open, opts)
  local where = opts and opts.where or P(true)
  local start = where * P(open)
  if not (opts and opts.continues) then
    local whole = start * (any - newline) ^ 0
    return { first = open:sub(1, 1), full = whole, inline = whole }
  end
  local text = (any - S("\\\n")) ^ 1 + (P("\\") - P("\\") * end_of_line)
  return {
    first = open:sub(1, 1),
    full = start * (text + P("\\") * end_of_line) ^ 0,
    inline = start * text ^ 0 * #(newline + -any),
  }
end

--- A comment from `open` to the first `close`, or to the end of the text.
function forms.block(open, close)
  local stop = close:sub(1, 1)
  local lone = P(stop) - P(close)
  return {
    first = open:sub(1, 1),
    full = P(open) * ((any - P(stop)) ^ 1 + lone) ^ 0 * P(close) ^ -1,
    inline = P(open) * ((any - S(stop .. "\n")) ^ 1 + lone) ^ 0 * P(close),
  }
end

--- Any form whose end Lua finds: `find_end(text, from, ...)` gets the position after `open`, then what
--- `open` captured, and returns the position after the end. For ends that depend on the beginning.
---@param first    string   # the characters that `open` can begin with
---@param open     userdata # must not cross a line
---@param find_end fun(text: string, from: integer, ...: any): integer
---@param is_code? boolean
function forms.found(first, open, find_end, is_code)
  if is_code then
    return {
      first = first,
      full = Cmt(open, function(text, from, ...)
        local to = find_end(text, from, ...)
        return to, forms.lines_between(text, from, to)
      end),
    }
  end
  return {
    first = first,
    full = Cmt(open, find_end),
    inline = Cmt(open, function(text, from, ...)
      local to = find_end(text, from, ...)
      local line_end = text:find("\n", from, true)
      return (not line_end or line_end >= to) and to
    end),
  }
end

--- A comment whose `open` and `close` nest.
function forms.nested(open, close)
  local step = (any - P(open) - P(close)) ^ 0
    * (P(open) * Cc(1) + P(close) * Cc(-1)) * lpeg.Cp()
  return forms.found(open:sub(1, 1), P(open), function(text, from)
    local depth = 1
    while depth > 0 do
      local change, to = step:match(text, from)
      if not change then
        return #text + 1
      end
      depth, from = depth + change, to
    end
    return from
  end)
end

local function after(text, from, close)
  local _, last = text:find(close, from, true)
  return last and last + 1 or #text + 1
end

--- `[[ ]]`, `[=[ ]=]` and so on, as Lua and CMake have them: a comment if it has a prefix, else a string.
function forms.long_bracket(prefix)
  local is_code = prefix == ""
  local open = P(prefix) * P("[") * C(P("=") ^ 0) * P("[")
  return forms.found(is_code and "[" or prefix:sub(1, 1), open, function(text, from, level)
    return after(text, from, "]" .. level .. "]")
  end, is_code)
end

--- Text between two equal delimiters, on one line unless a backslash (or `multiline`) says otherwise.
---@param delimiter string
---@param opts?     { multiline?: boolean, escape?: string, where?: userdata } # escape "" = none
function forms.quoted(delimiter, opts)
  local escape = opts and opts.escape or "\\"
  local stop = delimiter:sub(1, 1)
  local item = (any - S(stop .. escape .. "\n")) ^ 1
  if escape ~= "" then
    item = item + P(escape) * (P("\r") ^ -1 * forms.next_line + any)
  end
  if opts and opts.multiline then
    item = item + forms.next_line
  end
  if #delimiter > 1 then
    item = item + (P(stop) - P(delimiter))
  end
  local where = opts and opts.where or P(true)
  return { first = stop, full = where * P(delimiter) * item ^ 0 * P(delimiter) ^ -1 }
end

--- The choice of a list of forms, in order.
function forms.choice(list)
  local pattern = P(false)
  for _, form in ipairs(list) do
    pattern = pattern + form.full
  end
  return pattern
end

--- The choice of those comments that stay on their line. What the first form takes for its own the
--- others do not get, or they would take a long comment's first line for a short comment.
function forms.inline_choice(list)
  local pattern, before = P(false), P(false)
  for _, form in ipairs(list) do
    pattern = pattern + (form.inline - before)
    before = before + form.full
  end
  return pattern
end

return forms
