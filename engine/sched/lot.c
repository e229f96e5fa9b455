/* SPDX-License-Identifier: MIT */
/*
 * lot.c - see lot.h. One list: waiting threads are few.
 *
 * Layer: sched. Locks: lot.mu.
 */
#include "sched/lot.h"

#include <stddef.h>

#include "sched/record.h"

enum { WAKE_AT_ONCE = 16 };

/* Whom to wake: who waits for `key`, or (NULL) bodies that belong to `task` (NULL: all). */
struct call {
    const void *key;
    const tutti_task *task;
};

void tutti__lot_add(struct tutti__lot *lot, struct tutti__waiter *waiter)
{
    tutti__mutex_lock(&lot->mu);
    waiter->listed = true;
    waiter->prev = NULL;
    waiter->next = lot->waiters;
    if (waiter->next != NULL) {
        waiter->next->prev = waiter;
    }
    lot->waiters = waiter;
    if (waiter->self != NULL) {
        /* seq_cst: counted, then it looks whether it is cancelled; a canceller says so, then looks at
         * the count (cancel.c). */
        TUTTI_FETCH_ADD(&lot->bodies, 1, seq_cst);
    }
    tutti__mutex_unlock(&lot->mu);
}

static void take_out_locked(struct tutti__lot *lot, struct tutti__waiter *waiter)
    TUTTI_REQUIRES(lot->mu)
{
    if (waiter->prev != NULL) {
        waiter->prev->next = waiter->next;
    } else {
        lot->waiters = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->prev = waiter->prev;
    }
    waiter->listed = false;
    if (waiter->self != NULL) {
        TUTTI_FETCH_SUB(&lot->bodies, 1, relaxed); /* who sees one too many finds nobody */
    }
}

bool tutti__lot_remove(struct tutti__lot *lot, struct tutti__waiter *waiter)
{
    tutti__mutex_lock(&lot->mu);
    bool was_listed = waiter->listed;
    if (was_listed) {
        take_out_locked(lot, waiter);
    }
    tutti__mutex_unlock(&lot->mu);
    return was_listed;
}

/* Does the body `self` belong to `task`? It runs: its thread cannot go on without lot.mu, so all that it
 * is a child of is there. */
static bool belongs(const tutti_task *self, const tutti_task *task)
{
    while (self != NULL && self != task) {
        self = tutti__record_parent(self);
    }
    return self != NULL;
}

static bool is_called(const struct tutti__waiter *waiter, const struct call *call)
{
    if (call->key != NULL) {
        return waiter->key == call->key;
    }
    return waiter->self != NULL && (call->task == NULL || belongs(waiter->self, call->task));
}

/* Under the lock: afterwards the waiter, and its parker, may be gone. Returns: a word to wake, or NULL. */
static TUTTI_ATOMIC(uint32_t) *tell_waiter_locked(struct tutti__waiter *waiter)
{
    if (waiter->parker == NULL) {
        tutti__home_post(waiter->home, waiter->post);
        return NULL;
    }
    return tutti__parker_set(waiter->parker) ? &waiter->parker->word : NULL;
}

/* Take waiters that are called out, until WAKE_AT_ONCE need the system call. Returns: how many do. */
static int take_some(struct tutti__lot *lot, const struct call *call,
                     TUTTI_ATOMIC(uint32_t) **words, bool *more)
{
    int count = 0;
    *more = false;
    tutti__mutex_lock(&lot->mu);
    for (struct tutti__waiter *w = lot->waiters; w != NULL;) {
        struct tutti__waiter *next = w->next;
        if (is_called(w, call)) {
            if (count == WAKE_AT_ONCE) {
                *more = true;
                break;
            }
            take_out_locked(lot, w);
            words[count] = tell_waiter_locked(w);
            count += words[count] != NULL;
        }
        w = next;
    }
    tutti__mutex_unlock(&lot->mu);
    return count;
}

static void wake_called(struct tutti__lot *lot, const struct call *call)
{
    TUTTI_ATOMIC(uint32_t) *words[WAKE_AT_ONCE];
    bool more = true;
    while (more) {
        int count = take_some(lot, call, words, &more);
        for (int i = 0; i < count; i++) {
            tutti__futex_wake(words[i], 1);
        }
    }
}

void tutti__lot_wake(struct tutti__lot *lot, const void *key)
{
    const struct call call = { key, NULL };
    wake_called(lot, &call);
}

void tutti__lot_wake_bodies(struct tutti__lot *lot, const tutti_task *task)
{
    const struct call call = { NULL, task };
    if (TUTTI_LOAD(&lot->bodies, seq_cst) != 0) { /* see tutti__lot_add */
        wake_called(lot, &call);
    }
}
