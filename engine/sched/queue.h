/* SPDX-License-Identifier: MIT */
/*
 * queue.h - ready tasks that are in nobody's deque. See also priority.h and pinned.h.
 *
 * The injector takes tasks from threads without a deque: a push-only stack that a worker or helper
 * takes whole and puts into its own deque, so that the oldest runs first. The strict queue takes tasks
 * that only workers may run: first in, first out under a lock, because such tasks (Lua) take
 * microseconds and their order is seen. Both link through task->link and need no memory.
 *
 * Layer: sched. Locks: strict.mu, a leaf.
 * Invariant: a task is in at most one queue.
 */
#ifndef TUTTI_SCHED_QUEUE_H
#define TUTTI_SCHED_QUEUE_H

#include "base/thread.h"
#include "sched/record.h"

struct tutti__injector {
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(tutti_task *) head; /* [any pushes, any takes all] */
};

static inline void tutti__injector_push(struct tutti__injector *injector, tutti_task *task)
{
    tutti_task *old = TUTTI_LOAD(&injector->head, relaxed); /* a guess: the exchange decides */
    do {
        TUTTI_STORE(&task->link, old, relaxed); /* published by the exchange */
        /* release pairs with the acquire in tutti__injector_take. */
    } while (!TUTTI_CAS_WEAK(&injector->head, &old, task, release, relaxed));
}

/* Take all. Thread: any. Returns: the newest, linked to the older ones; NULL when there is none. */
static inline tutti_task *tutti__injector_take(struct tutti__injector *injector)
{
    if (TUTTI_LOAD(&injector->head, relaxed) == NULL) {
        return NULL; /* a hint; before sleeping it is asked again after a fence */
    }
    return TUTTI_EXCHANGE(&injector->head, NULL, acquire);
}

/* First in, first out, linked through task->link. All zero is empty. Whoever has it has a lock. */
struct tutti__fifo {
    tutti_task *first;
    tutti_task *last;
};

static inline void tutti__fifo_push(struct tutti__fifo *fifo, tutti_task *task)
{
    TUTTI_STORE(&task->link, NULL, relaxed); /* ordered by the lock, here and below */
    if (fifo->last != NULL) {
        TUTTI_STORE(&fifo->last->link, task, relaxed);
    } else {
        fifo->first = task;
    }
    fifo->last = task;
}

/* Take the oldest. Returns: NULL when there is none. */
static inline tutti_task *tutti__fifo_take(struct tutti__fifo *fifo)
{
    tutti_task *task = fifo->first;
    if (task != NULL) {
        fifo->first = TUTTI_LOAD(&task->link, relaxed);
        if (fifo->first == NULL) {
            fifo->last = NULL;
        }
    }
    return task;
}

/* Take the one so many places behind the oldest, or else the newest. Returns: NULL when there is none. */
static inline tutti_task *tutti__fifo_take_at(struct tutti__fifo *fifo, uint32_t place)
{
    tutti_task *before = NULL;
    tutti_task *task = fifo->first;
    for (; task != fifo->last && place > 0; place--) {
        before = task;
        task = TUTTI_LOAD(&task->link, relaxed);
    }
    if (before == NULL) {
        return tutti__fifo_take(fifo);
    }
    TUTTI_STORE(&before->link, TUTTI_LOAD(&task->link, relaxed), relaxed);
    if (fifo->last == task) {
        fifo->last = before;
    }
    return task;
}

struct tutti__strict {
    struct tutti__mutex mu;
    struct tutti__fifo fifo;       /* [mu] */
    TUTTI_ATOMIC(uint32_t) length; /* [mu writes; any reads as a hint] */
};

/* Thread: any. Blocks: lock. */
void tutti__strict_push(struct tutti__strict *strict, tutti_task *task);

/* Take the oldest, or the one so many places behind it (the newest, if there are not so many).
 * Thread: any. Blocks: lock. Returns: NULL when there is none. */
tutti_task *tutti__strict_take(struct tutti__strict *strict, uint32_t place);

static inline bool tutti__strict_is_empty(const struct tutti__strict *strict)
{
    return TUTTI_LOAD(&strict->length, relaxed) == 0;
}

#endif
