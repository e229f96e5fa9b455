/* SPDX-License-Identifier: MIT */
/*
 * combine.h - what lua/tutti/combine.lua and attempts.lua ask of the C half.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_COMBINE_H
#define TUTTI_LUA_COMBINE_H

#include "lua/state.h"

extern const luaL_Reg tutti__combine_functions[];

#endif
