/* SPDX-License-Identifier: MIT */
/*
 * cycle.h - finds awaits that can never end because those who wait go round in a circle.
 *
 * Nothing is walked when a wait begins. A wait that could close a circle is one of a task that somebody
 * waits for already; such tasks are noted as suspects, and a tenth of a second later what they wait for is
 * looked at once (see circle.h). What is part of no circle, whatever others do, is forgotten again.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_CYCLE_H
#define TUTTI_LUA_CYCLE_H

#include "lua/graph.h"
#include "lua/state.h"

/* Note a suspect; `waits_now`: a wait of it has just begun. */
void tutti__cycle_suspect(struct tutti__lua *lua, struct tutti__record *record, bool waits_now);

/* A wait of `record`, for other tasks, begins. */
static inline void tutti__cycle_wait(lua_State *L, struct tutti__record *record)
{
    const struct tutti__record *parent = record->parent;
    if (record->lua->graph_watch_count != 0)
        tutti__graph_wait_begins(L, record);
    if ((record->flags & RECORD_JOINING) == 0) /* else its place is taken by what it has returned */
        record->wait = 0;
    if (record->waiters_first != NULL || record->task != NULL
        || (parent != NULL && (parent->flags & RECORD_JOINING) != 0))
        tutti__cycle_suspect(record->lua, record, true);
}

/* A wait has been taken back before what it was for came. */
static inline void tutti__cycle_taken_back(struct tutti__lua *lua)
{
    /* release: pairs with the acquire of who looks at published waits (circle.c). One thread writes. */
    uint64_t count = TUTTI_LOAD(&lua->cycle.taken_back, relaxed);
    TUTTI_STORE(&lua->cycle.taken_back, count + 1, release);
}

/* Something has run: look at the suspects again, in a while. Cheap when there are none. */
void tutti__cycle_watch(struct tutti__lua *lua);

/* Did the wait of the current task end because it closes a circle? Then its error is pushed, once. */
bool tutti__cycle_take_error(lua_State *L, struct tutti__lua *lua);

/* End the await of `record` (userdata at `index`) with the error on top, which is popped. */
void tutti__cycle_end_await(lua_State *L, struct tutti__record *record, int index);

/* The state ends. */
void tutti__cycle_forget(struct tutti__lua *lua);

#endif
