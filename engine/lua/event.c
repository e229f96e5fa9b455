/* SPDX-License-Identifier: MIT */
/*
 * event.c - see event.h.
 *
 * Layer: lua. Thread: any home.
 * Locks: event.mu (handle.mu), a leaf lock.
 * Invariant: tasks wait only while it is not set; once set it stays so.
 */
#include "lua/event.h"

#include "lua/waitlist.h"

struct event {
    struct tutti__handle handle;
    bool is_set;                    /* [mu] */
    struct tutti__waitlist waiting; /* [mu] */
};

const struct tutti__handle_type tutti__event_type = {
    .meta = "tutti.event", .noun = "an event", .call = "ev:wait()", .destroy = NULL,
    .at = TUTTI__HANDLE_EVENT,
};

static struct event *check(lua_State *L, struct tutti__lua *lua)
{
    return (struct event *)(void *)tutti__handle_check(L, lua, &tutti__event_type);
}

/* tutti.event() -> event   [-0, +1, m] */
static int l_event(lua_State *L)
{
    (void)tutti__handle_new(L, tutti__lua_of(L), &tutti__event_type, sizeof(struct event));
    return 1;
}

/* event:set()   [-1, +0, v] */
static int l_set(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct event *event = check(L, lua);
    pthread_mutex_lock(&event->handle.mu);
    event->is_set = true;
    struct tutti__blocked *waiting = tutti__waitlist_take_all(&event->waiting, BLOCKED_SERVED);
    pthread_mutex_unlock(&event->handle.mu);
    tutti__blocked_tell(lua, waiting);
    return 0;
}

/* event:is_set() -> boolean   [-1, +1, v] */
static int l_is_set(lua_State *L)
{
    struct event *event = check(L, tutti__lua_of(L));
    pthread_mutex_lock(&event->handle.mu);
    bool is_set = event->is_set;
    pthread_mutex_unlock(&event->handle.mu);
    lua_pushboolean(L, is_set);
    return 1;
}

/* ---- wait ---------------------------------------------------------------------------------- */

static struct tutti__waitlist *waiting_of(struct tutti__handle *handle)
{
    return &((struct event *)(void *)handle)->waiting;
}

static void wait_taken_back(struct tutti__lua *lua, struct tutti__blocked *blocked, bool was_served)
{
    (void)lua;
    (void)blocked;
    (void)was_served; /* a wait takes nothing from anybody */
}

static int wait_finish(lua_State *L, struct tutti__blocked *blocked)
{
    struct tutti__lua *lua = blocked->lua;
    tutti__blocked_free(lua, blocked);
    tutti__checkpoint(L, lua);
    return 0;
}

static const struct tutti__blocked_kind wait_kind = { "event:wait", waiting_of, wait_taken_back,
                                                      wait_finish };

/* event:wait()   [-1, +0, y] */
static int l_wait(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct event *event = check(L, lua);
    struct tutti__record *me = tutti__wait_check(L, lua, "event:wait");
    struct tutti__blocked *blocked = tutti__blocked_new(L, lua, &event->handle, me, &wait_kind);
    pthread_mutex_lock(&event->handle.mu);
    bool is_set = event->is_set;
    if (!is_set)
        tutti__waitlist_append(&event->waiting, blocked);
    pthread_mutex_unlock(&event->handle.mu);
    if (!is_set)
        return tutti__blocked_wait(L, lua, blocked);
    tutti__blocked_free(lua, blocked);
    return 0;
}

const luaL_Reg tutti__event_functions[] = {
    { "event", l_event },
    { NULL, NULL },
};

const luaL_Reg tutti__event_methods[] = {
    { "set", l_set }, { "wait", l_wait }, { "is_set", l_is_set }, { NULL, NULL },
};
