/* SPDX-License-Identifier: MIT */
/*
 * trim.c - giving unused memory back after a peak.
 *
 * What a thread alone may touch (its slabs, its rings, its batch of frees) it gives back itself: each
 * sleeper is woken once for that, and a thread that is busy does it before it next sleeps. The slabs go
 * to the store, and whoever has given some there gives their pages to the system.
 *
 * Layer: sched. Locks: idle.mu, store.mu, one at a time.
 * Invariant: a thread that is listed as a sleeper and does not wake has done what was asked for: it looks
 * after it was listed, and the asker wakes who is listed after it has asked.
 */
#include "sched/core.h"

/* Thread: its own, or one that stands for it. */
static void give_own(struct tutti__thread *thread)
{
    thread->trims_done = TUTTI_LOAD(&thread->sched->trims, relaxed); /* what comes later comes again */
    tutti__batch_flush(&thread->batch);
    tutti__heap_collect(&thread->heap);
    tutti__heap_release(&thread->heap);
    if (tutti__thread_has_deque(thread)) {
        tutti__deque_trim(&thread->deque);
    }
    if (thread == thread->sched->creator) {
        tutti__feed_trim(&thread->sched->feed);
    }
}

void tutti__thread_trim(struct tutti__thread *thread)
{
    if (TUTTI_UNLIKELY(tutti__thread_must_trim(thread))) {
        give_own(thread);
        tutti__store_trim(&thread->sched->store);
    }
}

void tutti__sched_trim_here(struct tutti__sched *sched)
{
    struct tutti__thread *here = tutti__thread_here(sched);
    if (here != NULL) {
        give_own(here);
    }
    tutti__store_trim(&sched->store);
}

void tutti__sched_trim(struct tutti__sched *sched)
{
    TUTTI_FETCH_ADD(&sched->trims, 1, relaxed); /* ordered by idle.mu: see tutti__thread_must_trim */
    tutti__thread_each_idle(sched, give_own);
    tutti__sched_trim_here(sched);
    tutti__idle_wake_all(&sched->idle);
    tutti__spares_wake(sched); /* those that rest are not among the sleepers */
}
