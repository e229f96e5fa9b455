/* SPDX-License-Identifier: MIT */
/*
 * door.c - see door.h.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/door.h"

bool tutti__door(struct tutti__lua *lua, lua_CFunction fn, void *user)
{
    lua_State *L = lua->service;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, user);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return true;
    const char *text = luaL_tolstring(L, -1, NULL);
    lua_writestringerror("tutti: inside the engine: %s\n", text);
    lua_pop(L, 2);
    return false;
}
