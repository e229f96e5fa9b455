/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - how a coroutine that runs and runs is interrupted.
 *
 * A turn is the time from the first lua_resume of ours to its return; resumes inside it (a user's
 * coroutine inside a task) are part of it. What somebody wants of a state during a turn the watchdog
 * writes into `watched.asked` (sched/watchdog.h), and the signal handler of the state's thread, or the
 * next resume, sets a count hook in the coroutine that runs. The hook takes the urgent posts, cancels the
 * scopes whose deadline has passed, raises the task's live cancellation, or gives the turn to others.
 *
 * Layer: lua. Thread: the state's home; what it leaves is read by the watchdog and by the signal handler
 * of this very thread.
 * Invariant: lua->running is the coroutine that our innermost lua_resume runs, NULL while none does.
 */
#ifndef TUTTI_LUA_INTERRUPT_H
#define TUTTI_LUA_INTERRUPT_H

#include "lua/state.h"

/* Begin / cease to be interrupted, if the engine's `preempt` says so. */
void tutti__interrupt_open(struct tutti__lua *lua);
void tutti__interrupt_close(struct tutti__lua *lua);

/* From now on tasks that run and run give the turn to others, as pool tasks do. Not where nothing is
 * interrupted. In or outside a turn. */
void tutti__interrupt_share(struct tutti__lua *lua);

/* A turn of a watched state begins / ends with something to be done. */
void tutti__interrupt_begin(struct tutti__lua *lua);
void tutti__interrupt_end(struct tutti__lua *lua);

/* Others wait for the turn of a state whose turns are sliced. */
static inline void tutti__interrupt_others(struct tutti__lua *lua)
{
    /* relaxed: a hint for the dog, which this thread alone writes. */
    if (TUTTI_LOAD(&lua->watched.has_others, relaxed) != 0)
        return;
    TUTTI_STORE(&lua->watched.has_others, 1, relaxed);
    if (lua->watched.dog != NULL)
        tutti__watchdog_on_post(lua->watched.home);
}

/* Have the hook run in `co` at its next instruction. Also called in the signal handler. */
void tutti__interrupt_arm(struct tutti__lua *lua, lua_State *co);

/**
 * `co` is about to be resumed by lua_resume; lua->current is set.
 * Returns: what tutti__interrupt_leave takes.
 */
static inline lua_State *tutti__interrupt_enter(struct tutti__lua *lua, lua_State *co)
{
    /* relaxed: shared with the signal handler of this thread only. */
    lua_State *previous = TUTTI_LOAD(&lua->running, relaxed);
    TUTTI_STORE(&lua->running, co, relaxed);
    if (lua->watched.dog == NULL)
        return previous;
    if (previous == NULL)
        tutti__interrupt_begin(lua);
    /* relaxed: a bit that is set after this look comes with a signal. */
    if ((TUTTI_LOAD(&lua->watched.asked, relaxed) & TUTTI__ASK_WISHES) != 0)
        tutti__interrupt_arm(lua, co);
    return previous;
}

/* lua_resume has returned. */
static inline void tutti__interrupt_leave(struct tutti__lua *lua, lua_State *previous)
{
    TUTTI_STORE(&lua->running, previous, relaxed); /* as in enter */
    if (previous == NULL && lua->watched.dog != NULL)
        tutti__interrupt_end(lua);
}

/* A coroutine of the engine's is made, or has ended and goes back to the pool: the hook that it has is
 * the one that this state's bodies begin with. */
void tutti__interrupt_prepare(struct tutti__lua *lua, lua_State *co);

/**
 * The running task has, from now on in this turn, a scope with this deadline: called when one is opened,
 * and after enter for a task that goes on inside one. Cheap when a nearer one is known.
 */
void tutti__interrupt_deadline(struct tutti__lua *lua, uint64_t deadline_ns);

/* The running task has a live cancellation from now on: unless it comes to a checkpoint soon, or if its
 * cleanup takes too long, the hook raises it. */
void tutti__interrupt_live(struct tutti__lua *lua);

/* The cancellation of `source` (tutti__cancel_source) is being raised in the running task: from now on its
 * cleanup runs, which may take a second before it is interrupted. */
void tutti__interrupt_raised(struct tutti__lua *lua, struct tutti__record *source);

/* A nudge has ended the wait of a C function of the running task: do what the hook would do, which runs in
 * Lua code only. Raises the task's live cancellation.   [-0, +0, e] */
void tutti__interrupt_look(lua_State *L, struct tutti__lua *lua);

/* A state of the engine's own, or of a program: debug.sethook does not disarm.   [-0, +0, m] */
void tutti__interrupt_replace_sethook(lua_State *L, struct tutti__lua *lua);

/* For core: share_turns. */
extern const luaL_Reg tutti__interrupt_functions[];

#endif
