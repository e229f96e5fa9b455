/* SPDX-License-Identifier: MIT */
/*
 * process.h - tutti.exec: child processes as REMOTE records.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_PROCESS_H
#define TUTTI_LUA_PROCESS_H

#include "lua/state.h"

/* Push the table { code, signal, stdout, stderr, elapsed, pid, truncated, leaked }; returns 1. */
int tutti__process_push_result(lua_State *L, const struct tutti__process_result *result);

/* The process of the proxy (userdata at `index`) has ended with `status`: settle the record. */
void tutti__process_outcome(lua_State *L, struct tutti__record *record, int index, int status,
                           const tutti_value *value);

extern const luaL_Reg tutti__process_functions[];

#endif
