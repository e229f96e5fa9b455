/* SPDX-License-Identifier: MIT */
/*
 * duration.c - see duration.h.
 *
 * Layer: lua.
 */
#include "lua/duration.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/state.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit time_units[] = {
    { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 },   { "s", 1 },
    { "m", 60 },    { "h", 3600 },  { "d", 86400.0 }, { NULL, 0 },
};

static const struct unit size_units[] = {
    { "B", 1 },          { "kB", 1e3 },          { "KB", 1e3 },          { "MB", 1e6 },
    { "GB", 1e9 },       { "KiB", 1024 },        { "MiB", 1024 * 1024 }, { "GiB", 1073741824.0 },
    { "TB", 1e12 },      { "TiB", 1099511627776.0 }, { NULL, 0 },
};

/* Read NUMBER UNIT pairs until the end; false when the text is not of that form. */
static bool parse(const char *text, const struct unit *units, double *total)
{
    *total = 0;
    if (*text == '\0')
        return false;
    while (*text != '\0') {
        char *end = NULL;
        if (!isdigit((unsigned char)*text) && *text != '.')
            return false;
        double number = strtod(text, &end);
        if (end == text)
            return false;
        size_t length = strspn(end, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        const struct unit *unit = units;
        while (unit->name != NULL
               && (strlen(unit->name) != length || strncmp(unit->name, end, length) != 0))
            unit++;
        if (unit->name == NULL)
            return false;
        *total += number * unit->factor;
        text = end + length;
    }
    return true;
}

/* How a wrong value is shown: a string in quotes, a number as it is, of others the type. */
static const char *push_shown(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING)
        return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    return lua_isnumber(L, index) ? luaL_tolstring(L, index, NULL) : luaL_typename(L, index);
}

uint64_t tutti__duration_ns(double seconds)
{
    double ns = ceil(seconds * 1e9);
    return ns >= 1.8e19 ? UINT64_MAX - 1 : (uint64_t)ns;
}

uint64_t tutti__duration_check(lua_State *L, int index, const char *what)
{
    return tutti__duration_check_at(L, index, what, 1);
}

uint64_t tutti__duration_check_at(lua_State *L, int index, const char *what, int level)
{
    double seconds = -1;
    if (lua_type(L, index) == LUA_TNUMBER)
        seconds = lua_tonumber(L, index);
    else if (lua_type(L, index) == LUA_TSTRING && !parse(lua_tostring(L, index), time_units, &seconds))
        seconds = -1;
    if (!(seconds >= 0)) {
        tutti__usage(L, level,
                     "%s: a duration was expected (seconds >= 0, or a string such as \"250ms\" or "
                     "\"1m30s\"), got %s",
                     what, push_shown(L, index));
    }
    return tutti__duration_ns(seconds);
}

uint64_t tutti__size_check(lua_State *L, int index, const char *what)
{
    double bytes = -1;
    if (lua_type(L, index) == LUA_TNUMBER)
        bytes = lua_tonumber(L, index);
    else if (lua_type(L, index) == LUA_TSTRING && !parse(lua_tostring(L, index), size_units, &bytes))
        bytes = -1;
    if (!(bytes >= 0)) {
        tutti__usage(L, 1, "%s: a size was expected (bytes >= 0, or a string such as \"64KiB\"), got %s",
                     what, push_shown(L, index));
    }
    return bytes >= 1.8e19 ? UINT64_MAX : (uint64_t)bytes;
}
