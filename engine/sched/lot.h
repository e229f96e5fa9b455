/* SPDX-License-Identifier: MIT */
/*
 * lot.h - where threads sleep until something they name has happened (a task has settled, the
 * scheduler is idle), or until the body that they are in is cancelled.
 *
 * A waiter lies on the waiting thread's stack and is taken out by whoever comes first, so a wait that
 * ends early leaves nothing behind: no edge in the task, no memory. A loop thread, which sleeps in its
 * loop, is told by a post instead of a parker.
 *
 * Layer: sched. Locks: lot.mu, a leaf.
 * Invariant: a waiter in the list may be touched by others only under lot.mu; its thread leaves only
 * after it has had the lock itself. The system call that wakes uses an address only. A post that was
 * sent is the home's until it has run: its thread waits for that.
 */
#ifndef TUTTI_SCHED_LOT_H
#define TUTTI_SCHED_LOT_H

#include <stdbool.h>

#include "base/futex.h"
#include "base/thread.h"
#include "sched/home.h"
#include "tutti.h"

struct tutti__waiter {
    const void *key;              /* [const] what it waits for */
    tutti_task *self;             /* [const] the body that waits; NULL: outside of one */
    struct tutti__parker *parker; /* [const] NULL: told by `post` */
    struct tutti__home *home;     /* [const] where to, without a parker */
    struct tutti__post *post;     /* [const] */
    struct tutti__waiter *next;   /* [lot.mu] */
    struct tutti__waiter *prev;   /* [lot.mu] */
    bool listed;                  /* [lot.mu] */
};

struct tutti__lot {
    struct tutti__mutex mu;
    struct tutti__waiter *waiters;  /* [mu] */
    TUTTI_ATOMIC(uint32_t) bodies;  /* [mu writes; any reads] of these, with a self */
};

/* Blocks: lock, all of them. */
void tutti__lot_add(struct tutti__lot *lot, struct tutti__waiter *waiter);

/* Returns: whether it was still there; if not it has been told. */
bool tutti__lot_remove(struct tutti__lot *lot, struct tutti__waiter *waiter);

/* Wake all who wait for `key`. Thread: any. */
void tutti__lot_wake(struct tutti__lot *lot, const void *key);

/* Wake all bodies that wait, if `task` is theirs or they belong to it; NULL: every body. */
void tutti__lot_wake_bodies(struct tutti__lot *lot, const tutti_task *task);

#endif
