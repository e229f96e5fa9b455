/* SPDX-License-Identifier: MIT */
/*
 * proxy.h - REMOTE records, for those who make them (pool.c, native.c, process.c, export.c).
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_PROXY_H
#define TUTTI_LUA_PROXY_H

#include "lua/state.h"

/* tutti_value.tag of values in the byte form: as.pointer is a struct tutti__buffer. */
#define TUTTI__TAG_LUA 0x6c756161u

/* Push a new proxy without a task. */
struct tutti__record *tutti__proxy_new(lua_State *L, struct tutti__lua *lua);

/* Tie the proxy at `index` to `task`, taking the caller's reference. */
void tutti__proxy_bind(lua_State *L, struct tutti__record *record, int index, tutti_task *task);

/* Push what a tutti_value holds; returns how many Lua values. May raise. */
int tutti__proxy_push_value(lua_State *L, const tutti_value *value);

/* The __gc of handles that hold a reference into the engine. */
int tutti__proxy_collect(lua_State *L);

#endif
