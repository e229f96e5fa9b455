/* SPDX-License-Identifier: MIT */
/*
 * home.h - a thread that can be sent work: the loop thread or a worker.
 *
 * A home has one inbox, a push-only stack that its thread takes whole with one exchange and reverses,
 * so what one thread posts runs in the order it was posted. Posting wakes the home only if it really
 * sleeps. Timers, Lua coroutines and process watching all live at one home and are only ever touched
 * there; everybody else posts.
 *
 * Layer: sched. Locks: none.
 */
#ifndef TUTTI_SCHED_HOME_H
#define TUTTI_SCHED_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/* One piece of work for a home, embedded in what it is about. It is the home's from tutti__home_post
 * until `fn` is called with it, once; then `fn` owns it again and may free or re-post it. */
struct tutti__post {
    struct tutti__post *next; /* [the inbox] */
    void (*fn)(struct tutti__post *post);
};

struct tutti__home {
    TUTTI_ATOMIC(struct tutti__post *) inbox; /* [any pushes, home takes] */
    TUTTI_ATOMIC(uint32_t) asleep;            /* [home sets, any clears] Dekker partner of inbox:
                                                 push; fence(seq_cst); read asleep  against
                                                 set asleep; fence(seq_cst); read inbox */
    void (*wake)(struct tutti__home *home);   /* [const] any thread; called once for each sleep */
    /* Work of its own that the home's thread does between posts: a Lua state's ready coroutines.
     * Returns true while more is ready; then the home does not sleep. */
    bool (*pump)(void *user);                 /* [home] NULL: none */
    void *pump_user;                          /* [home] */
};

/**
 * Send `post` to `home`.
 * Thread:  any.
 * Order:   everything before this call happens before `post->fn`; posts of one thread keep their order.
 */
void tutti__home_post(struct tutti__home *home, struct tutti__post *post);

/**
 * Run what is in the inbox now (not what these posts post themselves).
 * Thread:  the home's. Returns: whether there was anything.
 */
bool tutti__home_drain(struct tutti__home *home);

#endif
