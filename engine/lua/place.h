/* SPDX-License-Identifier: MIT */
/*
 * place.h - lines of the script, as texts, for what keeps them in Lua.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_PLACE_H
#define TUTTI_LUA_PLACE_H

#include "lua/state.h"

/* Push "file:line" of the first frame of the script from `level` on, or nil; returns the level after it.
 * Frames of C and of the Lua half stand for their callers. */
int tutti__place_push(lua_State *L, struct tutti__lua *lua, int level);

extern const luaL_Reg tutti__place_functions[];

#endif
