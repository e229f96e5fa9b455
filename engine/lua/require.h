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

/* Does the suspended record wait for a module that another task loads? That task is its await.target. */
bool tutti__require_is_wait(const struct tutti__record *record);

#endif
