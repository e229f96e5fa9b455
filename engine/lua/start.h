/* SPDX-License-Identifier: MIT */
/*
 * start.h - what tasks of this state and tasks of the pool have in common when they are made.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_START_H
#define TUTTI_LUA_START_H

#include "lua/options.h"
#include "lua/state.h"

/* Hold the record (userdata at `index`) and give it to its owner: the current task, or the root. */
void tutti__start_own(lua_State *L, struct tutti__record *record, int index, bool detach);

/* Pop the values from `first` to the top: they are the arguments of the record at `index`. */
void tutti__start_arguments(lua_State *L, struct tutti__record *record, int index, int first);

/* If its owner has been cancelled already: cancel it and return true. */
bool tutti__start_is_late(lua_State *L, struct tutti__record *record);

/**
 * As tutti_submit, for `after` that belongs to the argument: a task that is skipped at once drops its
 * argument while the list is still being read, so the call goes by a copy.
 */
int tutti__start_submit(tutti_engine *engine, const tutti_task_desc *desc, tutti_task *const *after,
                        size_t count, tutti_task **out);

/* Keep the tasks of the list at `list` (the record's deps_count) as what the LOCAL record at `index`
 * comes after. A list that is longer than TUTTI__AFTER_FEW is kept itself. */
void tutti__start_keep_after(lua_State *L, struct tutti__record *record, int index, int list);

/* Push the i-th (from 1) of them. The record keeps them until _drop_after, or until it starts. */
void tutti__start_push_after(lua_State *L, const struct tutti__record *record, int index, uint32_t i);
void tutti__start_drop_after(lua_State *L, struct tutti__record *record, int index);

/* Read what core.start and core.parallel have in common, but `after`, from the table at `options`. */
void tutti__start_options(lua_State *L, struct tutti__record *record, int index, int options);

/* Length of options.after. */
uint32_t tutti__start_after_count(lua_State *L, int options);

/**
 * Stack: options, function, arguments. Read them if that needs no Lua.
 * Returns: true - as tutti__options_read leaves it, the function in its slot, then the arguments; it is no
 *          table for tutti.task · false - it takes Lua; the stack is as it was.
 */
bool tutti__start_read_call(lua_State *L, struct tutti__lua *lua, struct tutti__options *options);

extern const luaL_Reg tutti__start_functions[];

#endif
