/* SPDX-License-Identifier: MIT */
/*
 * queue.c - the strict queue. See queue.h.
 *
 * Layer: sched. Locks: strict.mu, a leaf.
 */
#include "sched/queue.h"

void tutti__strict_push(struct tutti__strict *strict, tutti_task *task)
{
    tutti__mutex_lock(&strict->mu);
    tutti__fifo_push(&strict->fifo, task);
    /* relaxed: the pusher's fence before it looks for sleepers orders it (idle.h). */
    TUTTI_STORE(&strict->length, TUTTI_LOAD(&strict->length, relaxed) + 1, relaxed);
    tutti__mutex_unlock(&strict->mu);
}

tutti_task *tutti__strict_take(struct tutti__strict *strict, uint32_t place)
{
    if (tutti__strict_is_empty(strict)) {
        return NULL;
    }
    tutti__mutex_lock(&strict->mu);
    tutti_task *task = tutti__fifo_take_at(&strict->fifo, place);
    if (task != NULL) {
        TUTTI_STORE(&strict->length, TUTTI_LOAD(&strict->length, relaxed) - 1, relaxed);
    }
    tutti__mutex_unlock(&strict->mu);
    return task;
}
