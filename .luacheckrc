-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 110
exclude_files = { "build", "build.luarocks", ".git" }
files["tests/spec"] = { std = "lua54+busted" }
files["lua/meta"] = { ignore = { "211", "212", "241" } }
