/* SPDX-License-Identifier: MIT */
/*
 * pinned.h - ready tasks that only the loop thread runs (TUTTI_PIN_LOOP).
 *
 *   any thread: push --> queues (by priority) --> one post to the loop's home --> the loop runs a few
 *
 * The post is sent when the queues become non-empty and stays under way until they are empty: after a
 * few tasks, or some time, it posts itself again, so that the rest of the round has its turn, however
 * many pinned tasks make pinned tasks.
 *
 * Layer: sched. Locks: pinned.mu, a leaf.
 * Invariant: while a queue holds something the post is under way; it is in at most one place.
 */
#ifndef TUTTI_SCHED_PINNED_H
#define TUTTI_SCHED_PINNED_H

#include "sched/home.h"
#include "sched/queue.h"

struct tutti__sched;

struct tutti__pinned {
    struct tutti__home *home;     /* [const once a thread has adopted the loop] NULL: no loop */
    struct tutti__post post;      /* [mu] the home's while is_posted */
    struct tutti__mutex mu;
    struct tutti__fifo queues[3]; /* [mu] high, normal, low */
    uint32_t taken;               /* [mu] for fairness */
    bool is_posted;               /* [mu] */
};

void tutti__pinned_init(struct tutti__pinned *pinned);
void tutti__pinned_deinit(struct tutti__pinned *pinned);

/* Thread: any. Args: task - ready; there is a home. */
void tutti__pinned_push(struct tutti__pinned *pinned, tutti_task *task);

/* Thread: any. Returns: NULL when there is none. */
tutti_task *tutti__pinned_take(struct tutti__pinned *pinned);

#endif
