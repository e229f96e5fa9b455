/* SPDX-License-Identifier: MIT */
/*
 * channel.h - queues of values between tasks of any states of one engine.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_CHANNEL_H
#define TUTTI_LUA_CHANNEL_H

#include "lua/state.h"

struct tutti__channel;

/* Take / drop a reference. Thread: any. */
void tutti__channel_ref(struct tutti__channel *channel);
void tutti__channel_unref(struct tutti__channel *channel);

/* The channel at `index`, or NULL. */
struct tutti__channel *tutti__channel_test(lua_State *L, struct tutti__lua *lua, int index);

/* Push the handle of `channel`: the same one for the same channel while it lives in this state. */
void tutti__channel_push(lua_State *L, struct tutti__lua *lua, struct tutti__channel *channel);

extern const luaL_Reg tutti__channel_functions[];
extern const luaL_Reg tutti__channel_methods[];

#endif
