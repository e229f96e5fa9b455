/* SPDX-License-Identifier: MIT */
/*
 * priority.h - ready tasks above and below the ordinary.
 *
 * The ordinary ones are in deques, the feed, the injector and the strict queue, and know nothing of
 * this. For high and low there is one queue each, first in, first out, and beside it one for tasks that
 * only workers may run; all under one lock. A deque for each level and thread would have every idle
 * thread look at three times as many places; a task whose place in time matters to somebody can pay for
 * a lock (some 20 ns) while the others pay for one load of `raised`, which normally nobody writes.
 *
 * Layer: sched. Locks: levels.mu, a leaf.
 * Invariant: a bit of `raised` is set exactly while its queue holds something, as seen under the lock.
 */
#ifndef TUTTI_SCHED_PRIORITY_H
#define TUTTI_SCHED_PRIORITY_H

#include "sched/queue.h"

/* The queues, as bits. */
enum {
    TUTTI__LEVEL_HIGH = 1u << 0,
    TUTTI__LEVEL_HIGH_STRICT = 1u << 1,
    TUTTI__LEVEL_LOW = 1u << 2,
    TUTTI__LEVEL_LOW_STRICT = 1u << 3,

    TUTTI__LEVELS_HIGH = TUTTI__LEVEL_HIGH | TUTTI__LEVEL_HIGH_STRICT,
    TUTTI__LEVELS_LOW = TUTTI__LEVEL_LOW | TUTTI__LEVEL_LOW_STRICT,
    TUTTI__LEVELS_STRICT = TUTTI__LEVEL_HIGH_STRICT | TUTTI__LEVEL_LOW_STRICT,
    TUTTI__LEVELS_COMMON = TUTTI__LEVEL_HIGH | TUTTI__LEVEL_LOW,
    TUTTI__LEVELS_ALL = TUTTI__LEVELS_HIGH | TUTTI__LEVELS_LOW,
    TUTTI__LEVEL_QUEUES = 4,
};

struct tutti__levels {
    struct tutti__mutex mu;
    struct tutti__fifo queues[TUTTI__LEVEL_QUEUES]; /* [mu] */
    uint32_t turn;                                  /* [mu] which of two that may be taken from */
};

/* Rank of a task: a higher one goes first. */
static inline int tutti__rank(uint32_t flags)
{
    return ((flags & TUTTI__RECORD_HIGH) != 0 ? 1 : 0) - ((flags & TUTTI__RECORD_LOW) != 0 ? 1 : 0);
}

/* Thread: any. Args: raised - struct tutti__sched.raised; flags - of `task`, with HIGH or LOW. */
void tutti__level_push(struct tutti__levels *levels, TUTTI_ATOMIC(uint32_t) *raised, tutti_task *task);

/* Take the oldest of those queues. Thread: any. Blocks: lock. Returns: NULL when there is none. */
tutti_task *tutti__level_take(struct tutti__levels *levels, TUTTI_ATOMIC(uint32_t) *raised,
                              uint32_t which);

#endif
