-- SPDX-License-Identifier: MIT
--- The entries of the shells in `languages.lua`: quotes that nest through `$( )`, and here-documents.
local lpeg = require("lpeg")
local forms = require("census.forms")

local B, C, P, S, V, Cc, Cmt = lpeg.B, lpeg.C, lpeg.P, lpeg.S, lpeg.V, lpeg.Cc, lpeg.Cmt
local any, next_line = forms.any, forms.next_line

-- Elsewhere a # is part of a word, as in $#, ${#x} and a#b.
local comment = forms.line("#", { where = -B(any - S(" \t\r\n\f\v;&|()`")) })

local plain_word = (any - S(" \t\r\n;&|<>()$`'\"\\")) ^ 1
local here_open = P("<<") * C(P("-") ^ -1) * S(" \t") ^ 0
  * (P("'") * C((any - S("'\n")) ^ 1) * "'" + P('"') * C((any - S('"\n')) ^ 1) * '"'
    + P("\\") ^ -1 * C(plain_word))
local here_next = (any - P("<<") - "\n") ^ 0 * here_open * lpeg.Cp()

--- The end of the here-document whose body begins at `from`: after the word, before its newline.
local function body_end(text, from, dash, word)
  local at = from
  while at <= #text do
    local stop = text:find("\n", at, true) or #text + 1
    local first = dash == "-" and text:match("^\t*()", at) or at
    if stop - first == #word and text:sub(first, stop - 1) == word then
      return stop
    end
    at = stop + 1
  end
  return #text + 1
end

--- Passes over the bodies of all here-documents that are opened on this line.
local function here_bodies(text, from, dash, word)
  local stop = text:find("\n", from, true)
  local to, opened = stop or #text + 1, from
  while stop and dash do
    to = body_end(text, to + 1, dash, word)
    dash, word, opened = here_next:match(text, opened)
    if not dash or opened > stop then
      break
    end
  end
  return to, forms.lines_between(text, from, to)
end

-- Inside $( ) the lines of code go on, but those that only hold a comment do not count.
local inside_line = forms.newline * (forms.space + comment.full) ^ 0 * (#any * Cc(1)) ^ -1

-- `inside` is what may stand in $( ): all that may stand in a script, up to its own bracket.
local grammar = {
  V("quoting") + V("shift"),
  quoting = V("escape") + V("double") + V("single") + V("ansi") + V("dollar") + V("here"),
  escape = P("\\") * (any - forms.newline),
  single = P("'") * ((any - S("'\n")) ^ 1 + next_line) ^ 0 * P("'") ^ -1,
  ansi = P("$'") * ((any - S("'\\\n")) ^ 1 + V("escape") + "\\" + next_line) ^ 0 * P("'") ^ -1,
  double = P('"')
    * ((any - S('"\\\n$')) ^ 1 + V("escape") + V("quoted_dollar") + next_line + S("$\\")) ^ 0
    * P('"') ^ -1,
  dollar = P("$") * (V("arithmetic") + V("command") + V("parameter")),
  arithmetic = P("((") * ((any - S("()\n")) ^ 1 + V("brackets") + next_line) ^ 0 * P("))"),
  brackets = P("(") * ((any - S("()\n")) ^ 1 + V("brackets") + next_line) ^ 0 * P(")"),
  command = P("(") * V("inside") ^ 0 * P(")") ^ -1,
  parameter = P("{") * (V("in_parameter") + V("dollar") + V("single") + S("{'$\\")) ^ 0 * P("}") ^ -1,
  -- In double quotes a single one is only a character: "${1:-don't}".
  quoted_dollar = P("$") * (V("arithmetic") + V("command") + V("quoted_parameter")),
  quoted_parameter = P("{") * (V("in_parameter") + V("quoted_dollar") + S("{'$\\")) ^ 0 * P("}") ^ -1,
  in_parameter = (any - S("{}\"'\\\n$")) ^ 1 + V("escape") + V("double") + next_line,
  inside = V("quoting") + V("shift") + comment.full + (any - S("()\"'\\\n$<#")) ^ 1 + inside_line
    + P("(") * V("inside") ^ 0 * P(")") ^ -1 + S("$<#\\"),
  shift = P("((") * (any - S("()\n")) ^ 1 * P("))"), -- where << is no here-document
  here = -B("<") * Cmt(here_open, here_bodies),
}

--- An entry for a shell with these extensions and interpreters.
return function(extensions, interpreters)
  return {
    extensions = extensions,
    interpreters = interpreters,
    comments = { comment },
    strings = { { first = "\\\"'$<(", full = P(grammar) } },
  }
end
