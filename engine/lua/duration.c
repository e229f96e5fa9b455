/* SPDX-License-Identifier: MIT */
/*
 * duration.c - see duration.h.
 *
 * Layer: lua.
 */
#include "lua/duration.h"

#include <math.h>

#include "lua/state.h"

/* What is read, for read_quantity. */
struct quantity {
    const char *reader;   /* the helper that reads texts (lua/tutti/options.lua) */
    const char *expected; /* for messages */
};

static const struct quantity duration = {
    "read_duration",
    "a duration was expected (seconds >= 0, or a string such as \"250ms\" or \"1m30s\")",
};
static const struct quantity size = {
    "read_size",
    "a size was expected (bytes >= 0, or a string such as \"64KiB\")",
};

/* A text is for the grammars of the Lua half, which say where a wrong one stops making sense. */
static double read_text(lua_State *L, int index, const struct quantity *wanted, const char *what,
                        int level)
{
    index = lua_absindex(L, index);
    tutti__lua_helper(L, tutti__lua_find(L), wanted->reader);
    lua_pushvalue(L, index);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2))
        tutti__usage(L, level, "%s: %s: %s", what, wanted->expected, lua_tostring(L, -1));
    double number = lua_tonumber(L, -2);
    lua_pop(L, 2);
    return number;
}

/* The number >= 0 that the value at `index` is or means. */
static double read_quantity(lua_State *L, int index, const struct quantity *wanted, const char *what,
                            int level)
{
    int type = lua_type(L, index);
    if (type == LUA_TSTRING)
        return read_text(L, index, wanted, what, level);
    double number = type == LUA_TNUMBER ? lua_tonumber(L, index) : -1;
    if (!(number >= 0)) {
        const char *got = type == LUA_TNUMBER ? luaL_tolstring(L, index, NULL) : luaL_typename(L, index);
        tutti__usage(L, level, "%s: %s, got %s", what, wanted->expected, got);
    }
    return number;
}

uint64_t tutti__duration_ns(double seconds)
{
    /* Never early, but what is above a whole number by the rounding of the product alone is that number. */
    double ns = ceil(seconds * 1e9 - 1e-3);
    return ns >= 1.8e19 ? UINT64_MAX - 1 : (uint64_t)ns;
}

uint64_t tutti__duration_check(lua_State *L, int index, const char *what)
{
    return tutti__duration_check_at(L, index, what, 1);
}

uint64_t tutti__duration_check_at(lua_State *L, int index, const char *what, int level)
{
    return tutti__duration_ns(read_quantity(L, index, &duration, what, level));
}

uint64_t tutti__size_check(lua_State *L, int index, const char *what, int level)
{
    double bytes = read_quantity(L, index, &size, what, level);
    return bytes >= 1.8e19 ? UINT64_MAX : (uint64_t)bytes;
}
