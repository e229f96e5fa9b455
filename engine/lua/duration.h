/* SPDX-License-Identifier: MIT */
/*
 * duration.h - durations and sizes as scripts write them: 0.25, "250ms", "1m30s"; 4096, "64KiB".
 *
 * Layer: lua. Lua has seconds, C has nanoseconds; this is the only place where one becomes the other.
 * Numbers are read here; texts by the grammars of the Lua half (lua/tutti/grammar/).
 */
#ifndef TUTTI_LUA_DURATION_H
#define TUTTI_LUA_DURATION_H

#include <lua.h>
#include <stdint.h>

/**
 * The duration at `index` in ns, rounded up, so that nothing ends early by it.
 * Args:    what - the operation, for the message.
 * Returns: at most UINT64_MAX - 1; math.huge means that.
 * Raises:  usage: neither a number >= 0 nor a string in this form.
 */
uint64_t tutti__duration_check(lua_State *L, int index, const char *what);

/* The same; level - whose line the error names, as for luaL_where. */
uint64_t tutti__duration_check_at(lua_State *L, int index, const char *what, int level);

/* Seconds as ns, rounded up; at most UINT64_MAX - 1. */
uint64_t tutti__duration_ns(double seconds);

/* The size at `index` in bytes. Raises: usage; `level` as above. */
uint64_t tutti__size_check(lua_State *L, int index, const char *what, int level);

#endif
