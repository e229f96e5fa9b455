/* SPDX-License-Identifier: MIT */
/*
 * lot.c - see lot.h. One list: waiting threads are few.
 *
 * Layer: sched. Locks: lot.mu.
 */
#include "sched/lot.h"

#include <stddef.h>

enum { WAKE_AT_ONCE = 16 };

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
}

void tutti__lot_remove(struct tutti__lot *lot, struct tutti__waiter *waiter)
{
    tutti__mutex_lock(&lot->mu);
    if (waiter->listed) {
        take_out_locked(lot, waiter);
    }
    tutti__mutex_unlock(&lot->mu);
}

/* Take up to WAKE_AT_ONCE waiters for `key` out. Returns: how many need the system call. */
static int take_some(struct tutti__lot *lot, const void *key, TUTTI_ATOMIC(uint32_t) **words,
                     bool *more)
{
    int count = 0;
    *more = false;
    tutti__mutex_lock(&lot->mu);
    for (struct tutti__waiter *w = lot->waiters; w != NULL;) {
        struct tutti__waiter *next = w->next;
        if (w->key == key) {
            if (count == WAKE_AT_ONCE) {
                *more = true;
                break;
            }
            take_out_locked(lot, w);
            /* Under the lock: afterwards the waiter, and its parker, may be gone. */
            if (tutti__parker_set(w->parker)) {
                words[count++] = &w->parker->word;
            }
        }
        w = next;
    }
    tutti__mutex_unlock(&lot->mu);
    return count;
}

void tutti__lot_wake(struct tutti__lot *lot, const void *key)
{
    TUTTI_ATOMIC(uint32_t) *words[WAKE_AT_ONCE];
    bool more = true;
    while (more) {
        int count = take_some(lot, key, words, &more);
        for (int i = 0; i < count; i++) {
            tutti__futex_wake(words[i], 1);
        }
    }
}
