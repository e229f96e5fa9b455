-- SPDX-License-Identifier: MIT
-- A build file for scripts/build.lua: the C half of tutti's own engine as a library, from the project's root:
--
--   ./tutti run scripts/build.lua --file scripts/build/engine.lua .
return {
  sources = { "engine/base/*.c", "engine/sched/*.c", "engine/io/*.c", "engine/api/*.c" },
  flags = { "-std=c11", "-O2", "-D_GNU_SOURCE", "-Iengine", "-Iengine/include", "-fvisibility=hidden",
    "-fPIC",
    "-pthread", "-Wall", "-Wextra", "-Wshadow" },
  out = ".build/libtutti.a",
}
