/* SPDX-License-Identifier: MIT */
/*
 * sources.h - the Lua half (lua/tutti), compiled into the library as source text.
 *
 * The array is made at build time by embed.cmake, so that workers and hosts need no path on disk.
 *
 * Layer: lua.
 * Locks: none; constant data.
 * Invariant: names are unique and sorted; a name is the chunk name for luaL_loadbufferx: module
 * "tutti.graph" is "@tutti/graph.lua", module "tutti" is "@tutti/init.lua".
 */
#ifndef TUTTI_LUA_SOURCES_H
#define TUTTI_LUA_SOURCES_H

#include <stddef.h>

struct tutti__lua_source {
    const char *name; /* "@tutti/NAME.lua"; NULL ends the array */
    const char *text; /* text[length] is 0, which length does not count */
    size_t length;
};

extern const struct tutti__lua_source tutti__lua_sources[];

/* lua/meta/tutti.lua, which is read and never run: what the prompt's :doc shows. */
extern const struct tutti__lua_source tutti__lua_annotations;

#endif /* TUTTI_LUA_SOURCES_H */
