/* SPDX-License-Identifier: MIT */
/*
 * parker.c - a word that one thread sleeps on. See futex.h.
 *
 * Layer: base. Locks: none.
 * Invariant: SLEEPS is stored by the parker's own thread only, and only in place of EMPTY.
 */
#include "base/clock.h"
#include "base/futex.h"

enum parker_state { PARKER_EMPTY = 0, PARKER_SET = 1, PARKER_SLEEPS = 2 };

bool tutti__parker_wait(struct tutti__parker *parker, uint64_t deadline_ns)
{
    for (;;) {
        /* acquire pairs with the release in tutti__parker_set. */
        uint32_t old = PARKER_SET;
        if (TUTTI_CAS_STRONG(&parker->word, &old, PARKER_EMPTY, acquire, acquire)) {
            return true;
        }
        if (deadline_ns != UINT64_MAX && tutti__clock_now_ns() >= deadline_ns) {
            /* A setter may have seen SLEEPS from an earlier round; leave EMPTY unless it was first. */
            return TUTTI_EXCHANGE(&parker->word, PARKER_EMPTY, acquire) == PARKER_SET;
        }
        if (old == PARKER_EMPTY &&
            !TUTTI_CAS_STRONG(&parker->word, &old, PARKER_SLEEPS, relaxed, relaxed)) {
            continue; /* set in between */
        }
        tutti__futex_wait(&parker->word, PARKER_SLEEPS, deadline_ns);
    }
}

void tutti__parker_clear(struct tutti__parker *parker)
{
    TUTTI_EXCHANGE(&parker->word, PARKER_EMPTY, acquire);
}

bool tutti__parker_set(struct tutti__parker *parker)
{
    /* release: what was written before is seen by the thread that takes the wake. */
    return TUTTI_EXCHANGE(&parker->word, PARKER_SET, release) == PARKER_SLEEPS;
}

void tutti__parker_wake(struct tutti__parker *parker)
{
    if (tutti__parker_set(parker)) {
        tutti__futex_wake(&parker->word, 1);
    }
}
