/* SPDX-License-Identifier: MIT */
/*
 * priority.c - the queues of high and low tasks. See priority.h.
 *
 * Layer: sched. Locks: levels.mu, a leaf.
 */
#include "sched/priority.h"

static uint32_t queue_of(uint32_t flags)
{
    uint32_t low = (flags & TUTTI__RECORD_LOW) != 0 ? 2 : 0;
    return low + ((flags & TUTTI_NO_HELP) != 0 ? 1 : 0);
}

/* Set or clear a bit; others read the line at each look for work, so write it only if it changes. */
static void mark_locked(TUTTI_ATOMIC(uint32_t) *raised, uint32_t bit, bool on)
{
    uint32_t old = TUTTI_LOAD(raised, relaxed); /* written under the lock only */
    uint32_t now = on ? old | bit : old & ~bit;
    if (now != old) {
        /* relaxed: the pusher's fence before it looks for sleepers orders it (idle.h). */
        TUTTI_STORE(raised, now, relaxed);
    }
}

void tutti__level_push(struct tutti__levels *levels, TUTTI_ATOMIC(uint32_t) *raised, tutti_task *task)
{
    uint32_t i = queue_of(tutti__record_flags(task));
    tutti__mutex_lock(&levels->mu);
    tutti__fifo_push(&levels->queues[i], task);
    mark_locked(raised, 1u << i, true);
    tutti__mutex_unlock(&levels->mu);
}

tutti_task *tutti__level_take(struct tutti__levels *levels, TUTTI_ATOMIC(uint32_t) *raised,
                              uint32_t which)
{
    tutti_task *task = NULL;
    tutti__mutex_lock(&levels->mu);
    uint32_t at = levels->turn++; /* so that of two queues neither starves */
    for (uint32_t n = 0; n < TUTTI__LEVEL_QUEUES && task == NULL; n++, at++) {
        uint32_t i = at % TUTTI__LEVEL_QUEUES;
        if ((which & (1u << i)) != 0 && (task = tutti__fifo_take(&levels->queues[i])) != NULL) {
            mark_locked(raised, 1u << i, levels->queues[i].first != NULL);
        }
    }
    tutti__mutex_unlock(&levels->mu);
    return task;
}
