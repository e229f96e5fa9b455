-- SPDX-License-Identifier: MIT
rockspec_format = "3.0"
package = "tutti"
version = "scm-1"
source = {
  url = "git+file://.", -- no public home yet: `luarocks make` in a checkout
}
description = {
  summary = "Graphs of tasks on a C engine, scripted in Lua",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.4, < 5.5",
  "luv",
  "lpeg",
}
external_dependencies = {
  LIBUV = { header = "uv.h" },
}
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    TUTTI_LTO = "ON",
    TUTTI_LIBRARY = "OFF", -- the module and the program; C hosts install with cmake
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    TUTTI_LUA_MODULE_DIR = "$(LIBDIR)",
  },
}
test_dependencies = { "busted" }
test = { type = "command", command = "./tutti test" }
