/* SPDX-License-Identifier: MIT */
/*
 * trace.h - which task runs when on which thread, written to a file as Chrome trace events (Perfetto).
 *
 *     state of a thread --event--> its buffer --when it is full--> the file of the engine's trace
 *
 * Off it costs one load and a branch for each resume and each end of a task.
 *
 * Layer: lua. Thread: events: the state's home; on and off: any.
 */
#ifndef TUTTI_LUA_TRACE_H
#define TUTTI_LUA_TRACE_H

#include "lua/state.h"

struct tutti__trace {
    /* [any] relaxed: a hint. Whether an event is still taken is decided under the lock of its buffer. */
    TUTTI_ATOMIC(bool) is_on;
};

/* Make what an engine's states share of it / end a trace that is on, and free it. NULL: no memory. */
struct tutti__trace *tutti__trace_new(void);
void tutti__trace_free(struct tutti__trace *trace);

static inline bool tutti__trace_is_on(const struct tutti__lua *lua)
{
    /* relaxed: pairs with the store of on and off; see above. */
    return lua->trace != NULL && TUTTI_LOAD(&lua->trace->is_on, relaxed);
}

/* The record has begun / has run since `began_ns` and stands again / has settled (userdata at `index`). May
 * raise: no memory. Only while a trace is on. */
void tutti__trace_task_begins(lua_State *L, struct tutti__record *record);
void tutti__trace_ran(lua_State *L, struct tutti__record *record, uint64_t began_ns);
void tutti__trace_task_ends(lua_State *L, struct tutti__record *record, int index);

extern const luaL_Reg tutti__trace_functions[];

#endif
