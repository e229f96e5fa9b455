/* SPDX-License-Identifier: MIT */
/*
 * queue.c - the strict queue. See queue.h.
 *
 * Layer: sched. Locks: strict.mu, a leaf.
 */
#include "sched/queue.h"

void tutti__strict_push(struct tutti__strict *strict, tutti_task *task)
{
    TUTTI_STORE(&task->link, NULL, relaxed);
    tutti__mutex_lock(&strict->mu);
    if (strict->last != NULL) {
        TUTTI_STORE(&strict->last->link, task, relaxed);
    } else {
        strict->first = task;
    }
    strict->last = task;
    /* relaxed: the pusher's fence before it looks for sleepers orders it (idle.h). */
    TUTTI_STORE(&strict->length, TUTTI_LOAD(&strict->length, relaxed) + 1, relaxed);
    tutti__mutex_unlock(&strict->mu);
}

tutti_task *tutti__strict_take(struct tutti__strict *strict)
{
    if (tutti__strict_is_empty(strict)) {
        return NULL;
    }
    tutti__mutex_lock(&strict->mu);
    tutti_task *task = strict->first;
    if (task != NULL) {
        strict->first = TUTTI_LOAD(&task->link, relaxed);
        if (strict->first == NULL) {
            strict->last = NULL;
        }
        TUTTI_STORE(&strict->length, TUTTI_LOAD(&strict->length, relaxed) - 1, relaxed);
    }
    tutti__mutex_unlock(&strict->mu);
    return task;
}
