/* SPDX-License-Identifier: MIT */
/*
 * coroutine.h - the coroutines of scripts inside tasks.
 *
 *     task's coroutine --resumes--> A --resumes--> B        lua_getextraspace: B -> A -> the task's
 *
 * An await in B yields to A, whose resume (ours) sees that the task waits, and yields on, level by
 * level, to the scheduler; it comes back the same way. Scripts see nothing of it.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: the extra space of a script's coroutine names who resumed it, NULL while nobody does; that
 * of a task's coroutine names the task's record.
 */
#ifndef TUTTI_LUA_COROUTINE_H
#define TUTTI_LUA_COROUTINE_H

#include "lua/state.h"

/* Who resumed the script's coroutine `co` by our resume, or NULL. */
static inline lua_State *tutti__coroutine_resumer(lua_State *co)
{
    return *(lua_State **)lua_getextraspace(co);
}

/* Has the task begun a wait that goes on when its coroutine yields? */
static inline bool tutti__task_waits(const struct tutti__record *task)
{
    return task->waits_for != WAITS_FOR_NOTHING || (task->flags & RECORD_IN_READY) != 0;
}

/* Put create, wrap, resume ... into the table on top. */
void tutti__coroutine_functions(lua_State *L);

/* Is the value at `index` the C function that runs the body of a script's coroutine? */
bool tutti__coroutine_is_body(lua_State *L, int index);

/* ---- protect.c ---------------------------------------------------------------------------- */

/* Raise the error on top again if it is the current task's live cancellation. */
void tutti__protect_pass(lua_State *L);

/* Does a message handler of xpcall run in `of`? */
bool tutti__protect_is_handling(lua_State *of);

/* The message handler of a script's coroutine: keeps the text of where it dies for debug.traceback. */
int tutti__protect_death(lua_State *L);

/* Put { pcall, xpcall, rawpcall, coroutine } into the table on top, as `protected`: deep enough that a
 * traceback does not find them there, but as the globals they are in states of the engine's own. */
void tutti__protect_functions(lua_State *L, struct tutti__lua *lua);

/* Have the globals of a state that the engine made let a cancellation through as well. */
void tutti__protect_globals(lua_State *L, struct tutti__lua *lua);

#endif
