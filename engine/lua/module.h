/* SPDX-License-Identifier: MIT */
/*
 * module.h - the module's parts that other files of this room need.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_MODULE_H
#define TUTTI_LUA_MODULE_H

#include "lua/duration.h"
#include "lua/state.h"

/* Put the compiled-in Lua half and the C half into package.preload. */
void tutti__preload(lua_State *L);

/* print for the states that the engine makes: a line is one write. */
int tutti__print(lua_State *L);

/* Make the metatables of the state's handles. */
void tutti__module_metatables(lua_State *L, struct tutti__lua *lua);

/* Push a list of the tasks that failed at the root with nobody awaiting, and forget them. */
void tutti__root_take_failures(lua_State *L, struct tutti__lua *lua);

#endif
