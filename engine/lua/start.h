/* SPDX-License-Identifier: MIT */
/*
 * start.h - what tasks of this state and tasks of the pool have in common when they are made.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_START_H
#define TUTTI_LUA_START_H

#include "lua/state.h"

/* Hold the record (userdata at `index`) and give it to its owner: the current task, or the root. */
void tutti__start_own(lua_State *L, struct tutti__record *record, int index, bool detach);

/* Store the values from `first` to the top as the arguments of the record at `index`. */
void tutti__start_arguments(lua_State *L, struct tutti__record *record, int index, int first);

/* If its owner has been cancelled already: cancel it and return true. */
bool tutti__start_is_late(lua_State *L, struct tutti__record *record);

/**
 * As tutti_submit, for `after` that belongs to the argument: a task that is skipped at once drops its
 * argument while the list is still being read, so the call goes by a copy.
 */
int tutti__start_submit(tutti_engine *engine, const tutti_task_desc *desc, tutti_task *const *after,
                        size_t count, tutti_task **out);

/* Read what core.start and core.parallel have in common from the table at `options`. */
void tutti__start_options(lua_State *L, struct tutti__record *record, int index, int options);

/* Length of options.after. */
uint32_t tutti__start_after_count(lua_State *L, int options);

extern const luaL_Reg tutti__start_functions[];

#endif
