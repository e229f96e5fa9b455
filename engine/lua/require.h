/* SPDX-License-Identifier: MIT */
/*
 * require.h - require for the states that the engine makes: a module may await while it is loaded.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_REQUIRE_H
#define TUTTI_LUA_REQUIRE_H

#include "lua/state.h"

/* Replace the global `require`. */
void tutti__require_global(lua_State *L, struct tutti__lua *lua);

#endif
