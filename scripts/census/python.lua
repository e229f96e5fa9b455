-- SPDX-License-Identifier: MIT
--- Python's entry in `languages.lua`.
--
-- A docstring is a comment, as `ast` has it: a string that is the whole first statement of a module,
-- a class or a function. Every other string is code, on as many lines as it has.
local lpeg = require("lpeg")
local forms = require("census.forms")

local P, R, S, V, Cc = lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.Cc
local any, newline, space, blank = forms.any, forms.newline, forms.space, forms.blank

local strings = {
  forms.quoted('"""', { multiline = true }),
  forms.quoted("'''", { multiline = true }),
  forms.quoted('"'),
  forms.quoted("'"),
}
local comment = forms.line("#")

local text = forms.choice(strings)
local gap = (space + comment.full) ^ 0
local joined = P("\\") * forms.end_of_line

-- Bytes and f-strings document nothing, hence only these prefixes. `/ 0` drops the count of lines.
local piece = S("rRuU") ^ -1 * text / 0
local docstring = piece * ((blank + joined) ^ 0 * piece) ^ 0 * blank ^ 0
local ends = #(S(";#\n") + -any)
local ends_line = #(S("#\n") + -any)

local next_line = newline * gap * (#any * Cc(1)) ^ -1
local joined_line = P("\\") * P("\r") ^ -1 * next_line

-- From `def` or `class` to the colon; inside brackets the lines go on.
local header = P({
  ((any - S("()[]{}\"'#:\\\n")) ^ 1 + text + joined_line + V("brackets")) ^ 1 * ":",
  brackets = S("([{")
    * ((any - S("()[]{}\"'#\n")) ^ 1 + text + comment.full + next_line + V("brackets")) ^ 0
    * S(")]}"),
})
local name = R("az", "AZ", "\128\255") + "_"
local define = (P("async") * blank ^ 1) ^ -1 * (P("def") + "class") * blank ^ 1 * #name

return {
  extensions = "buck build.bazel gclient gyp gypi lmi py py3 pyde pyi pyp pyt pyw sconscript "
    .. "sconstruct snakefile tac workspace wscript wsgi xpy",
  interpreters = "python",
  shebang = "comment", -- which is what Python's own tokenizer takes it for
  comments = { comment },
  strings = strings,
  top = gap * docstring * ends,
  head = define * header * (blank ^ 0 * docstring * ends_line
    + blank ^ 0 * comment.full ^ -1 * newline * gap * docstring * ends),
}
