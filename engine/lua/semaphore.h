/* SPDX-License-Identifier: MIT */
/*
 * semaphore.h - so many permits, handed out first come, first served, to tasks of any states.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_SEMAPHORE_H
#define TUTTI_LUA_SEMAPHORE_H

#include "lua/handle.h"

extern const struct tutti__handle_type tutti__semaphore_type;
extern const luaL_Reg tutti__semaphore_functions[];
extern const luaL_Reg tutti__semaphore_methods[];
extern const luaL_Reg tutti__permit_methods[];

#endif
