/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - what can be seen from outside of a Lua state that runs.
 *
 * Layer: sched. Locks: none.
 * Invariant: only the thread of the state writes `turn` and `deadline_ns`.
 */
#ifndef TUTTI_SCHED_WATCHDOG_H
#define TUTTI_SCHED_WATCHDOG_H

#include <stdint.h>

#include "base/atomic.h"

/* Bits of struct tutti__watched.asked. */
enum {
    TUTTI__ASK_POSTS = 1u << 0,    /* urgent posts are there */
    TUTTI__ASK_DEADLINE = 1u << 1, /* the deadline of the turn has passed */
    TUTTI__ASK_SLICE = 1u << 2,    /* others wait for this thread */
};

/* One for each Lua state. */
struct tutti__watched {
    TUTTI_ATOMIC(uint32_t) turn;        /* [state writes, any reads] odd while Lua runs; counts up */
    TUTTI_ATOMIC(uint32_t) asked;       /* [any sets bits, state clears] */
    TUTTI_ATOMIC(uint64_t) deadline_ns; /* [state writes, any reads] of the turn; 0: none */
};

#endif
