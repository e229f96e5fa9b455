/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - see interrupt.h.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/interrupt.h"

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
}

void tutti__interrupt_arm(struct tutti__lua *lua, lua_State *co)
{
    (void)lua;
    lua_sethook(co, on_count, LUA_MASKCOUNT, 1);
}

void tutti__interrupt_deadline(struct tutti__lua *lua, uint64_t deadline_ns)
{
    /* relaxed: this thread's own; the watchdog's look is a hint. */
    uint64_t nearest_ns = TUTTI_LOAD(&lua->watched.deadline_ns, relaxed);
    if (nearest_ns == 0 || deadline_ns < nearest_ns)
        TUTTI_STORE(&lua->watched.deadline_ns, deadline_ns, relaxed);
}
