/* SPDX-License-Identifier: MIT */
/*
 * idle_post.c - telling a home, rather than a sleeping thread, that the scheduler has become idle.
 *
 * Layer: sched. Locks: none.
 * Invariant: as in wait.c: who waits counts itself in idle_waiters, stores the post, then looks;
 * who ends the last task does so, then looks for waiters; all seq_cst. Whoever takes the post out
 * sends or keeps it.
 */
#include "sched/core.h"

bool tutti__sched_notify_idle(struct tutti__sched *sched, struct tutti__post *post,
                              struct tutti__home *home)
{
    TUTTI_ASSERT(TUTTI_LOAD(&sched->idle_post, relaxed) == NULL);
    TUTTI_SET(sched->idle_home, home);
    /* release: with the acquire of whoever takes the post, the home goes with it. */
    TUTTI_STORE(&sched->idle_post, post, release);
    TUTTI_FETCH_ADD(&sched->idle_waiters, 1, seq_cst);
    TUTTI_FENCE(seq_cst);
    if (!tutti__sched_is_idle(sched)) {
        return true;
    }
    /* Idle now: take it back, unless somebody is sending it this moment. relaxed: it is our own. */
    if (TUTTI_EXCHANGE(&sched->idle_post, NULL, relaxed) == NULL) {
        return true;
    }
    TUTTI_FETCH_SUB(&sched->idle_waiters, 1, relaxed);
    return false;
}

void tutti__idle_tell(struct tutti__sched *sched)
{
    /* relaxed: a guess, behind the fence of tutti__idle_check; the exchange decides. */
    if (TUTTI_LOAD(&sched->idle_post, relaxed) == NULL) {
        return;
    }
    struct tutti__post *post = TUTTI_EXCHANGE(&sched->idle_post, NULL, acquire);
    if (post != NULL) {
        struct tutti__home *home = TUTTI_GET(sched->idle_home);
        TUTTI_FETCH_SUB(&sched->idle_waiters, 1, relaxed);
        tutti__home_post(home, post);
    }
}
