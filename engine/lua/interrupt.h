/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - which coroutine runs, for those who may have to interrupt it.
 *
 * A turn is the time from the first lua_resume of ours to its return; resumes inside it (a user's
 * coroutine inside a task) are part of it.
 *
 * Layer: lua. Thread: the state's home; what it leaves is read by the watchdog and by the signal handler
 * of this very thread.
 * Invariant: lua->running is the coroutine that our innermost lua_resume runs, NULL while none does.
 */
#ifndef TUTTI_LUA_INTERRUPT_H
#define TUTTI_LUA_INTERRUPT_H

#include "lua/state.h"

/* Have the hook run in `co` at its next instruction. */
void tutti__interrupt_arm(struct tutti__lua *lua, lua_State *co);

static inline void tutti__interrupt_turn(struct tutti__lua *lua)
{
    /* relaxed: the watchdog compares it with what it read a while ago; it reads nothing by it. */
    uint32_t turn = TUTTI_LOAD(&lua->watched.turn, relaxed);
    TUTTI_STORE(&lua->watched.turn, turn + 1, relaxed);
}

/**
 * `co` is about to be resumed by lua_resume.
 * Returns: what tutti__interrupt_leave takes.
 */
static inline lua_State *tutti__interrupt_enter(struct tutti__lua *lua, lua_State *co)
{
    /* relaxed: shared with the signal handler of this thread only. */
    lua_State *previous = TUTTI_LOAD(&lua->running, relaxed);
    TUTTI_STORE(&lua->running, co, relaxed);
    if (previous == NULL)
        tutti__interrupt_turn(lua);
    /* relaxed: a bit that is set after this look comes with a signal. */
    if (TUTTI_LOAD(&lua->watched.asked, relaxed) != 0)
        tutti__interrupt_arm(lua, co);
    return previous;
}

/* lua_resume has returned. */
static inline void tutti__interrupt_leave(struct tutti__lua *lua, lua_State *previous)
{
    TUTTI_STORE(&lua->running, previous, relaxed); /* as in enter */
    if (previous == NULL)
        tutti__interrupt_turn(lua);
}

/**
 * The running task has, from now on in this turn, a scope with this deadline: called when one is opened,
 * and after enter for a task that goes on inside one. Cheap when a nearer one is known.
 */
void tutti__interrupt_deadline(struct tutti__lua *lua, uint64_t deadline_ns);

#endif
