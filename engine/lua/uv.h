/* SPDX-License-Identifier: MIT */
/*
 * uv.h - tutti.uv: luv on the engine's own loop.
 *
 * Layer: lua. Thread: the loop state's home.
 */
#ifndef TUTTI_LUA_UV_H
#define TUTTI_LUA_UV_H

#include "lua/state.h"

extern const luaL_Reg tutti__uv_functions[];

#endif
