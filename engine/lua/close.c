/* SPDX-License-Identifier: MIT */
/*
 * close.c - the end of a state: nothing of it may be reached by a late post.
 *
 * Layer: lua. Thread: the state's home.
 */
#include <stdlib.h>

#include "lua/cycle.h"
#include "lua/door.h"
#include "lua/graph.h"
#include "lua/interrupt.h"
#include "lua/pool.h"
#include "lua/signal.h"
#include "lua/stuck.h"
#include "lua/waitlist.h"
#include "lua/worker.h"

/* How long a state that is closed waits for what it has cancelled. */
static const uint64_t grace_ns = UINT64_C(10000000000);

struct ending {
    struct tutti__lua *lua;
    struct tutti__timer timer;
    bool late;
};

static void on_late(struct tutti__timer *timer)
{
    struct ending *ending =
        (struct ending *)(void *)((char *)timer - offsetof(struct ending, timer));
    ending->late = true;
}

/* Does anything still point into this state from outside? */
static bool is_free(const struct tutti__lua *lua)
{
    if (lua->root->child_first != NULL || !tutti__ready_is_empty(lua))
        return false;
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        const struct tutti__record *record = lua->slots[slot];
        if (record != NULL && (record->flags & RECORD_ARMED) != 0)
            return false;
    }
    return true;
}

static bool may_end(void *user)
{
    const struct ending *ending = (const struct ending *)user;
    return ending->late || is_free(ending->lua);
}

/* Say what is left and cancel it. Stack of a protected call: [1] the state's half. */
static int cancel_rest(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, 1);
    for (struct tutti__record *child = lua->root->child_first; child != NULL && !lua->is_worker;
         child = child->sibling_next) {
        if ((child->flags & RECORD_BACKGROUND) != 0)
            break; /* so are all behind it: nobody expects them to end */
        tutti__record_push(L, child);
        tutti__lua_helper(L, lua, "say_pending");
        tutti__record_push_name(L, child, -2);
        (void)lua_pcall(L, 1, 0, 0); /* out of memory: it goes unnamed, but ends like the others */
        lua_settop(L, 1);
    }
    tutti__cancel_children(L, lua->root, "the Lua state is being closed");
    lua->root->flags |= RECORD_CANCEL; /* what a finaliser starts now is cancelled at once */
    return 0;
}

/* The loop state runs the loop until all has ended; a worker's state, whose scheduler has cancelled its
 * tasks already, runs what is ready. */
static void wait_for_rest(struct tutti__lua *lua)
{
    struct ending ending = { .lua = lua, .late = false };
    if (is_free(lua))
        return;
    (void)tutti__door(lua, cancel_rest, lua);
    if (lua->is_worker) {
        while (tutti__ready_pump(lua))
            continue;
        return;
    }
    ending.timer.fn = on_late;
    (void)tutti__bridge_timer_start(lua->engine, &ending.timer,
                                    tutti__bridge_now_ns(lua->engine) + grace_ns);
    (void)tutti__bridge_run_until(lua->engine, may_end, &ending);
    tutti__bridge_timer_stop(lua->engine, &ending.timer);
    if (ending.late)
        lua_writestringerror("tutti: %s\n", "tasks did not end within 10 s of being cancelled");
}

/* What nobody has looked at, and never will. Stack of a protected call: [1] the state's half. */
static int say_unread(lua_State *L)
{
    (void)tutti__graph_say_unread(L, (struct tutti__lua *)lua_touserdata(L, 1));
    return 0;
}

void tutti__lua_forget(struct tutti__lua *lua)
{
    tutti__cycle_forget(lua);
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        struct tutti__record *record = lua->slots[slot];
        if (record == NULL)
            continue;
        tutti__proxy_forget(record);
        /* What did not end in time must not be told any more: it is taken back from whatever it waits for. */
        tutti__wait_withdraw(record);
        tutti__pool_unlisten(record);
    }
}

void tutti__lua_end(struct tutti__lua *lua)
{
    if (lua->closing)
        return;
    lua->closing = true;
    if (lua->root != NULL)
        wait_for_rest(lua);
    if (!lua->is_worker)
        (void)tutti__door(lua, say_unread, lua);
    tutti__interrupt_close(lua);
    tutti__lua_forget(lua);
    lua->has_ended = true;
    if (!lua->is_worker) {
        tutti__signals_close(tutti__shared_signals(lua->engine));
        tutti__shared_forget(lua);
    }
    if (lua->home != NULL) {
        lua->home->pump = NULL;
        lua->home->has_work = NULL;
        lua->home->pump_user = NULL;
    }
}

int tutti__lua_close(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, 1);
    tutti__lua_end(lua);
    /* os.exit(code, true) inside a task closes the state under the running loop: the process is about to
     * end, and so does what is still in use. */
    if (lua->own_engine && tutti_engine_free(lua->engine) != TUTTI_OK)
        return 0;
    tutti__blocked_forget(lua);
    tutti__stuck_forget(lua);
    tutti__pool_close(lua);
    tutti__spares_drop(&lua->edges);
    tutti__spares_drop(&lua->listeners);
    tutti__graph_forget(lua);
    free((void *)lua->slots);
    free(lua->slots_free);
    lua->slots = NULL;
    lua->slots_free = NULL;
    return 0;
}
