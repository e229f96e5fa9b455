/* SPDX-License-Identifier: MIT */
/*
 * channel.h - queues of values between tasks of any states of one engine.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_CHANNEL_H
#define TUTTI_LUA_CHANNEL_H

#include "lua/handle.h"

extern const struct tutti__handle_type tutti__channel_type;
extern const luaL_Reg tutti__channel_functions[];
extern const luaL_Reg tutti__channel_methods[];

#endif
