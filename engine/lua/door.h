/* SPDX-License-Identifier: MIT */
/*
 * door.h - the one protected way from C callbacks (posts, timers, notices) into a Lua state.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_DOOR_H
#define TUTTI_LUA_DOOR_H

#include "lua/state.h"

/* Call `fn` with `user` as light userdata on the service thread of the state. An error of `fn` is an
 * engine's or memory's, never a script's; it is said on stderr. Returns false then. */
bool tutti__door(struct tutti__lua *lua, lua_CFunction fn, void *user);

#endif
