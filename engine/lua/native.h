/* SPDX-License-Identifier: MIT */
/*
 * native.h - tutti.native: C functions of the host as tasks.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_NATIVE_H
#define TUTTI_LUA_NATIVE_H

#include "lua/state.h"

extern const luaL_Reg tutti__native_functions[];

#endif
