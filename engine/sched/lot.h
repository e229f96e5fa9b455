/* SPDX-License-Identifier: MIT */
/*
 * lot.h - where threads sleep until something they name has happened (a task has settled, the
 * scheduler is idle).
 *
 * A waiter lies on the waiting thread's stack and is taken out by whoever comes first, so a wait that
 * ends early leaves nothing behind: no edge in the task, no memory.
 *
 * Layer: sched. Locks: lot.mu, a leaf.
 * Invariant: a waiter in the list may be touched by others only under lot.mu; its thread leaves only
 * after it has had the lock itself. The system call that wakes uses an address only.
 */
#ifndef TUTTI_SCHED_LOT_H
#define TUTTI_SCHED_LOT_H

#include <stdbool.h>

#include "base/futex.h"
#include "base/thread.h"

struct tutti__waiter {
    const void *key;              /* [const] what it waits for */
    struct tutti__parker *parker; /* [const] */
    struct tutti__waiter *next;   /* [lot.mu] */
    struct tutti__waiter *prev;   /* [lot.mu] */
    bool listed;                  /* [lot.mu] */
};

struct tutti__lot {
    struct tutti__mutex mu;
    struct tutti__waiter *waiters; /* [mu] */
};

/* Blocks: lock, all of them. */
void tutti__lot_add(struct tutti__lot *lot, struct tutti__waiter *waiter);
void tutti__lot_remove(struct tutti__lot *lot, struct tutti__waiter *waiter);

/* Wake all who wait for `key`. Thread: any. */
void tutti__lot_wake(struct tutti__lot *lot, const void *key);

#endif
