/* SPDX-License-Identifier: MIT */
/*
 * idle.h - who looks for work, who sleeps, and whom to wake.
 *
 * A thread that has run out of work first searches, then sleeps. Who makes work wakes a sleeper only
 * when nobody searches, and at most one; a searcher that finds work and was the last one wakes the
 * next if there is more. So a burst wakes threads one by one, as far as there is work for them.
 *
 * Two store-buffer pairs keep a wake from being lost:
 *   - push; fence; look at the counts   against   count oneself asleep; fence; look at all queues.
 *   - a pusher that saw a searcher did nothing; so the last searcher, after it has counted itself out,
 *     looks at all queues again (before it sleeps, or when it has found something and others sleep),
 *     also for work that it could not take itself.
 * Pushes are as many as tasks, so theirs is the light side of both pairs (base/fence.h).
 *
 * Layer: sched. Locks: idle.mu (no other is taken under it).
 * Invariant: word = searching << 16 | sleeping; sleeping is the length of `sleepers`.
 */
#ifndef TUTTI_SCHED_IDLE_H
#define TUTTI_SCHED_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/fence.h"
#include "base/futex.h"
#include "base/limits.h"
#include "base/thread.h"
#include "sched/home.h"

struct tutti__sleeper {
    struct tutti__sleeper *next;   /* [idle.mu] */
    struct tutti__sleeper *prev;   /* [idle.mu] */
    bool listed;                   /* [idle.mu] */
    bool helps;                    /* [const] cannot take every task: the others are woken first */
    struct tutti__parker *parker;  /* [const] */
    /* [own thread, while not listed] not NULL: it sleeps elsewhere and is woken by a post */
    struct tutti__post *post;
    struct tutti__home *home;      /* where to */
};

struct tutti__idle {
    /* [any] On a line of its own: every push looks at it. */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint32_t) word;
    _Alignas(TUTTI_CACHE_LINE) struct tutti__mutex mu;
    /* [mu] Who fell asleep last comes first: its caches are warm. Helpers stand at the end. */
    struct tutti__sleeper *sleepers;
    uint32_t awake;                  /* [mu] threads that have entered and are not in sleepers */
    uint64_t wakes;                  /* [mu] */
    bool frozen;                     /* [mu] nobody may leave the list */
    struct tutti__cond changed;      /* awake became 0, or frozen ended */
};

#define TUTTI__IDLE_SEARCHING 0x10000u

void tutti__idle_init(struct tutti__idle *idle);
void tutti__idle_deinit(struct tutti__idle *idle);

/* A thread that will sleep here starts / stops taking part. Blocks: lock, and while frozen. */
void tutti__idle_enter(struct tutti__idle *idle);
void tutti__idle_leave(struct tutti__idle *idle);

/* Wake one sleeper, if there is one and nobody searches: a helper only if nobody else sleeps. */
void tutti__idle_wake_one(struct tutti__idle *idle);

/* The same, but never a helper: for work that helpers cannot take. */
void tutti__idle_wake_worker(struct tutti__idle *idle);

/* Call after work was made visible: wakes one thread if that is needed. Thread: any. */
static inline void tutti__idle_notify(struct tutti__idle *idle)
{
    TUTTI_FENCE_LIGHT(); /* the push before, the look after: both pairs above */
    uint32_t word = TUTTI_LOAD(&idle->word, relaxed);
    if (TUTTI_UNLIKELY(word - 1 < TUTTI__IDLE_SEARCHING - 1)) { /* sleepers, and no searcher */
        tutti__idle_wake_one(idle);
    }
}

/* Begin to search. Thread: one that takes part and does not search. */
static inline void tutti__idle_search_begin(struct tutti__idle *idle)
{
    TUTTI_FETCH_ADD(&idle->word, TUTTI__IDLE_SEARCHING, seq_cst);
}

/**
 * Stop searching because something was found.
 * Returns: true if that was the last searcher and others sleep: then look, after a heavy fence, whether
 *          there is more, and wake one for it.
 */
static inline bool tutti__idle_search_end(struct tutti__idle *idle)
{
    /* seq_cst: second pair above. */
    uint32_t old = TUTTI_FETCH_SUB(&idle->word, TUTTI__IDLE_SEARCHING, seq_cst);
    uint32_t sleeping = old & (TUTTI__IDLE_SEARCHING - 1);
    return old < 2 * TUTTI__IDLE_SEARCHING && sleeping != 0;
}

/**
 * Stop searching and be counted asleep. Then the caller must look at all queues once more, and sleep
 * on its parker only if all are empty. Order: a heavy fence is included.
 */
void tutti__idle_sleep_begin(struct tutti__idle *idle, struct tutti__sleeper *sleeper);

/* The sleep is over, for whatever reason: afterwards the caller searches. Blocks: while frozen.
 * Returns: whether it was still listed; if not it was woken for work. */
bool tutti__idle_sleep_end(struct tutti__idle *idle, struct tutti__sleeper *sleeper);

/* Wake all sleepers; they look around and sleep again. */
void tutti__idle_wake_all(struct tutti__idle *idle);

/**
 * Wait until everybody who takes part sleeps, then keep them so: even woken, they do not go on before
 * tutti__idle_thaw. Blocks: yes, until those that run something have ended it.
 * Returns: false: the deadline has passed; nobody is held.
 */
bool tutti__idle_freeze(struct tutti__idle *idle, uint64_t deadline_ns);

/* Let them go on, and wake all of them. */
void tutti__idle_thaw(struct tutti__idle *idle);

uint64_t tutti__idle_wakes(struct tutti__idle *idle);

#endif
