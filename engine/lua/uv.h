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

/* Does the suspended record wait for a callback of luv (tutti.await)? */
bool tutti__uv_is_wait(const struct tutti__record *record);

#endif
