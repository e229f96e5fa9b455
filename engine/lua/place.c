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

/* The text of a place: one line adds many tasks, and making it costs more than all else of g:task. */
static void push_text(lua_State *L, struct tutti__lua *lua, const lua_Debug *ar)
{
    int slot = ar->currentline % TUTTI__PLACES;
    struct tutti__place *place = &lua->places[slot];
    if (lua->ref_places == 0) {
        lua_createtable(L, TUTTI__PLACES, 0);
        lua->ref_places = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_places);
    if (place->line == ar->currentline && strcmp(place->source, ar->short_src) == 0) {
        lua_rawgeti(L, -1, slot + 1);
    } else {
        lua_pushfstring(L, "%s:%d", ar->short_src, ar->currentline);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, slot + 1);
        place->line = ar->currentline;
        memcpy(place->source, ar->short_src, sizeof place->source);
    }
    lua_remove(L, -2);
}

int tutti__place_push(lua_State *L, struct tutti__lua *lua, int level)
{
    lua_Debug ar;
    while (lua_getstack(L, level++, &ar) && lua_getinfo(L, "Sl", &ar)) {
        if (ar.currentline <= 0 || strncmp(ar.source, "@tutti/", strlen("@tutti/")) == 0)
            continue;
        push_text(L, lua, &ar);
        return level;
    }
    lua_pushnil(L);
    return level;
}

/* core.places() -> the line of the script that called the Lua half, the line that called the function
   which that line is in; each "file:line" or nil   [-0, +2, m] */
static int l_places(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int level = tutti__place_push(L, lua, 1);
    (void)tutti__place_push(L, lua, level);
    return 2;
}

const luaL_Reg tutti__place_functions[] = {
    { "places", l_places },
    { NULL, NULL },
};
