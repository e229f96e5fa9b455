-- SPDX-License-Identifier: MIT
--- What counts as a language: a table entry and a grammar of a few lines.
--
-- `files` are names, `extensions` what follows a dot in a name, `interpreters` what a `#!` line names
-- (without its version). `comments` and `strings` are lists of forms (`forms.lua`), tried in order.
-- Two fields more, for the few languages whose comments depend on the code around them: `head`, a
-- pattern tried where the first code of a line begins (what follows it must be on another line, or
-- count as one more), and `top`, tried where the text begins.
-- Names and extensions are those of cloc, so that the two can be compared.
--
-- To add a language, put a table here or, from a script:
--   require("census.languages").Ada = { extensions = "adb ads", comments = { forms.line("--") },
--     strings = { forms.quoted('"', { escape = "" }) } }
local lpeg = require("lpeg")
local forms = require("census.forms")

local B, P, R, S = lpeg.B, lpeg.P, lpeg.R, lpeg.S
local line, block, nested, quoted = forms.line, forms.block, forms.nested, forms.quoted
local long_bracket, found = forms.long_bracket, forms.found

local letter = R("az", "AZ", "09") + "_"

-- A quote between digits only parts them (1'000'000), and none follows a letter but as u8'x' or L'x'.
local char = quoted("'", { where = -B(letter) + B(S("uUL")) + B("u8") })
local slashes = { line("//", { continues = true }), block("/*", "*/") }

--- R"x( anything )x"
local cxx_raw = found('"', B("R") * P('"') * lpeg.C((1 - S(' ()\\\t\n"')) ^ 0) * "(",
  function(text, from, name)
    local _, last = text:find(")" .. name .. '"', from, true)
    return last and last + 1 or #text + 1
  end, true)

--- r"anything", r#"anything"#
local rust_raw = found("r", (-B(letter) + B("b")) * P("r") * lpeg.C(P("#") ^ 0) * '"',
  function(text, from, hashes)
    local _, last = text:find('"' .. hashes, from, true)
    return last and last + 1 or #text + 1
  end, true)

-- 'x' and '\n' but not the lifetime 'x
local rust_char = {
  first = "'",
  full = P("'") * (P("\\") * (1 - S("'\n")) * (1 - S("'\n")) ^ 0 + P("\\'")
    + (1 - S("'\\\n")) * R("\128\191") ^ 0) * "'",
}

-- Outside strings, what follows a backslash begins nothing.
local escaped = { first = "\\", full = P("\\") * (1 - P("\n")) }

local languages = {}

languages["C"] = {
  extensions = "c cats ec idc pgc",
  comments = slashes,
  strings = { quoted('"'), char },
}

languages["C++"] = {
  extensions = "C c++ cc CPP cpp cxx h++ inl ipp pcc tcc tpp",
  comments = slashes,
  strings = { cxx_raw, quoted('"'), char },
}

languages["C/C++ Header"] = {
  extensions = "H h hh hpp hxx",
  comments = slashes,
  strings = { cxx_raw, quoted('"'), char },
}

languages["CUDA"] = {
  extensions = "cu cuh",
  comments = slashes,
  strings = { cxx_raw, quoted('"'), char },
}

languages["TableGen"] = {
  extensions = "td",
  comments = { line("//"), block("/*", "*/") },
  strings = { quoted('"') },
}

languages["Java"] = {
  extensions = "java",
  comments = { line("//"), block("/*", "*/") },
  strings = { quoted('"""', { multiline = true }), quoted('"'), quoted("'") },
}

languages["Go"] = {
  extensions = "go",
  comments = { line("//"), block("/*", "*/") },
  strings = { quoted('"'), quoted("'"), quoted("`", { multiline = true, escape = "" }) },
}

languages["Rust"] = {
  extensions = "rs rs.in",
  comments = { line("//"), nested("/*", "*/") },
  strings = { rust_raw, quoted('"', { multiline = true }), rust_char },
}

languages["Lua"] = {
  extensions = "lua nse p8 pd_lua rbxs wlua",
  interpreters = "lua",
  comments = { long_bracket("--"), line("--") },
  strings = { quoted('"'), quoted("'"), long_bracket("") },
}

languages["CMake"] = {
  extensions = "cmake cmake.in CMakeLists.txt",
  files = "CMakeLists.txt cmakelists.txt",
  comments = { long_bracket("#"), line("#") },
  strings = { escaped, quoted('"', { multiline = true }), long_bracket("") },
}

languages["make"] = {
  extensions = "Gnumakefile Makefile am gnumakefile makefile mk",
  files = "Gnumakefile Makefile gnumakefile makefile",
  interpreters = "make",
  -- In a recipe a backslash is the shell's, and there it takes nothing into a comment.
  comments = { line("#", { continues = true, where = -B(forms.any - forms.newline) }), line("#") },
  strings = {},
}

languages["Python"] = require("census.python")

local shell = require("census.shell")
languages["Bourne Shell"] = shell("sh", "sh")
languages["Bourne Again Shell"] = shell("bash", "bash")
languages["Korn Shell"] = shell("ksh", "ksh")
languages["zsh"] = shell("zsh", "zsh")

return languages
