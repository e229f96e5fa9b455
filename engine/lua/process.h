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

/* Whether the function that took its output has failed, for which the process was then stopped:
 * such an end is settled by the above, not as cancelled. The record's userdata is at `index`. */
bool tutti__process_has_failed(lua_State *L, const struct tutti__record *record, int index);

extern const luaL_Reg tutti__process_functions[];

#endif
