/* SPDX-License-Identifier: MIT */
/*
 * place.h - lines of the script, as texts, for what keeps them in Lua.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_PLACE_H
#define TUTTI_LUA_PLACE_H

#include "lua/state.h"

extern const luaL_Reg tutti__place_functions[];

#endif
