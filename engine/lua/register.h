/* SPDX-License-Identifier: MIT */
/*
 * register.h - names by which tables cross between states.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_REGISTER_H
#define TUTTI_LUA_REGISTER_H

#include "lua/state.h"

extern const luaL_Reg tutti__register_functions[];

#endif
