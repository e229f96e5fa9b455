/* SPDX-License-Identifier: MIT */
/*
 * pool.h - Lua functions as tasks of the pool.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_POOL_H
#define TUTTI_LUA_POOL_H

#include "lua/options.h"
#include "lua/state.h"

/**
 * Put the outcome of a settled record (userdata at `index`) into a value in the byte form.
 * Returns: the status to settle an engine task with. A result that may not cross makes it
 *          TUTTI_EFAILED with an error of kind `transfer`. May raise: memory.
 */
int tutti__pool_encode_outcome(lua_State *L, struct tutti__record *record, int index,
                               tutti_value *value);

/* Let a cancellation of record->task, by whomever, cancel the record at its home. */
void tutti__pool_listen(struct tutti__record *record);

/* The settled record's task is about to be settled: no cancellation is listened for any more. */
void tutti__pool_unlisten(struct tutti__record *record);

/* The name of a started record as text that Lua keeps, or NULL: note it / ask. Asked for also in a signal
 * handler of the home. */
void tutti__pool_set_label(struct tutti__record *record, const char *label);
const char *tutti__pool_label(const struct tutti__record *record);

/* In the coroutine of a pool task's body, [1] record, [2] handler: push the function, the results of what
 * it comes after and the arguments, and return how many follow the function. May raise. */
int tutti__pool_push_call(lua_State *L, struct tutti__record *record);

/* Push the _ENV of the pool task that `record` is or descends from, or nil. */
void tutti__pool_push_env(lua_State *L, struct tutti__record *record);

/* tutti.task{ on = "pool" } with options in slots, see options.h. */
int tutti__pool_start_read(lua_State *L, struct tutti__lua *lua, const struct tutti__options *options);

/* Raise kind `transfer` at the line of `level` if the call (the function at `first`, and what stands above
 * it) cannot be sent to another state. */
void tutti__pool_check_call(lua_State *L, struct tutti__lua *lua, int first, int level);

/* The state is being closed: let go of what is kept for its next task. */
void tutti__pool_close(struct tutti__lua *lua);

extern const luaL_Reg tutti__pool_functions[];

#endif
