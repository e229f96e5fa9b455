/* SPDX-License-Identifier: MIT */
/*
 * ready.c - the queue of records that can go on: first in, first out within a priority.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/cycle.h"
#include "lua/door.h"
#include "lua/interrupt.h"

/* One slice of the pump: then timers, sockets and the inbox get their turn. */
enum { SLICE_RECORDS = 256, CLOCK_EVERY = 16 };
static const uint64_t slice_ns = 500u * 1000u;

void tutti__ready_push(struct tutti__lua *lua, struct tutti__record *record)
{
    if ((record->flags & RECORD_IN_READY) != 0)
        return;
    struct tutti__ready *queue = &lua->ready[record->priority];
    record->flags |= RECORD_IN_READY;
    record->ready_next = NULL;
    record->ready_prev = queue->last;
    if (queue->last != NULL)
        queue->last->ready_next = record;
    else
        queue->first = record;
    queue->last = record;
    if (lua->watched.is_sliced)
        tutti__interrupt_others(lua);
}

void tutti__ready_remove(struct tutti__lua *lua, struct tutti__record *record)
{
    struct tutti__ready *queue = &lua->ready[record->priority];
    if (record->ready_prev != NULL)
        record->ready_prev->ready_next = record->ready_next;
    else
        queue->first = record->ready_next;
    if (record->ready_next != NULL)
        record->ready_next->ready_prev = record->ready_prev;
    else
        queue->last = record->ready_prev;
    record->flags &= ~(uint32_t)RECORD_IN_READY;
}

static struct tutti__record *ready_pop(struct tutti__lua *lua)
{
    for (int priority = 0; priority < TUTTI__PRIORITIES; priority++) {
        struct tutti__record *record = lua->ready[priority].first;
        if (record == NULL)
            continue;
        tutti__ready_remove(lua, record);
        return record;
    }
    return NULL;
}

bool tutti__ready_is_empty(const struct tutti__lua *lua)
{
    for (int priority = 0; priority < TUTTI__PRIORITIES; priority++) {
        if (lua->ready[priority].first != NULL)
            return false;
    }
    return true;
}

/* Runs under a protected call: an error here is of the engine or of memory, never of a body. */
static int pump_slice(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, 1);
    uint64_t until_ns = 0;
    luaL_checkstack(L, TUTTI__RUN_STACK, "to run tasks");
    lua->has_given_turn = false;
    lua->tick_ns = tutti__bridge_now_ns(lua->engine);
    uint64_t limit_ns = lua->home->until_ns == TUTTI_FOREVER ? 0 : lua->home->until_ns;
    for (int i = 0; i < SLICE_RECORDS && !lua->has_given_turn; i++) {
        struct tutti__record *record = ready_pop(lua);
        if (record == NULL)
            break;
        tutti__run_record(L, record);
        if (lua_gettop(L) > 1)
            lua_settop(L, 1);
        if (i % CLOCK_EVERY != CLOCK_EVERY - 1 && limit_ns == 0)
            continue;
        uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
        lua->tick_ns = now_ns;
        if (limit_ns != 0 && now_ns >= limit_ns)
            break;
        if (until_ns == 0)
            until_ns = now_ns + slice_ns;
        else if (now_ns >= until_ns)
            break;
    }
    tutti__cycle_watch(lua);
    return 0;
}

bool tutti__ready_has_work(void *user)
{
    return !tutti__ready_is_empty((struct tutti__lua *)user);
}

bool tutti__ready_pump(void *user)
{
    struct tutti__lua *lua = (struct tutti__lua *)user;
    if (!tutti__ready_is_empty(lua))
        (void)tutti__door(lua, pump_slice, lua);
    return !tutti__ready_is_empty(lua);
}
