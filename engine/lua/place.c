/* SPDX-License-Identifier: MIT */
/*
 * place.c - see place.h.
 *
 * A graph notes two lines for each of its tasks, of which there may be a million: hence in C.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/place.h"

#include <string.h>

/* Push "file:line" of the first frame of the script from `level` on, or nil; returns the level after it.
 * Frames of C and of the Lua half stand for their callers. */
static int push_place(lua_State *L, int level)
{
    lua_Debug ar;
    while (lua_getstack(L, level++, &ar) && lua_getinfo(L, "Sl", &ar)) {
        if (ar.currentline <= 0 || strncmp(ar.source, "@tutti/", strlen("@tutti/")) == 0)
            continue;
        lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
        return level;
    }
    lua_pushnil(L);
    return level;
}

/* core.places() -> the line of the script that called the Lua half, the line that called the function
   which that line is in; each "file:line" or nil   [-0, +2, m] */
static int l_places(lua_State *L)
{
    int level = push_place(L, 1);
    (void)push_place(L, level);
    return 2;
}

const luaL_Reg tutti__place_functions[] = {
    { "places", l_places },
    { NULL, NULL },
};
