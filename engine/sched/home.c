/* SPDX-License-Identifier: MIT */
/*
 * home.c - the one door to a thread. See home.h.
 *
 * Layer: sched. Locks: none.
 * Invariant: a post is either seen by the drain of the round in which the home falls asleep, or its
 * poster sees that the home is asleep and wakes it.
 */
#include "sched/home.h"

#include <stddef.h>

void tutti__home_post(struct tutti__home *home, struct tutti__post *post)
{
    struct tutti__post *old = TUTTI_LOAD(&home->inbox, relaxed); /* a guess: the exchange decides */
    do {
        TUTTI_SET(post->next, old);
        /* release pairs with the acquire in tutti__home_drain. */
    } while (!TUTTI_CAS_WEAK(&home->inbox, &old, post, release, relaxed));
    /* Push, then look whether it sleeps; the home says that it sleeps, then looks at the inbox. Without
     * the fences both could miss each other. */
    TUTTI_FENCE(seq_cst);
    /* acquire: what the home set up before it said so, wake may use. The exchange makes one poster of
     * many do the waking. */
    if (TUTTI_LOAD(&home->asleep, relaxed) != 0 && TUTTI_EXCHANGE(&home->asleep, 0, acquire) != 0) {
        home->wake(home);
    }
}

bool tutti__home_take(struct tutti__home *home)
{
    if (home->taken != NULL) {
        return true;
    }
    if (TUTTI_LOAD(&home->inbox, relaxed) == NULL) {
        return false; /* a hint; before a sleep the home asks again after its fence */
    }
    struct tutti__post *newest = TUTTI_EXCHANGE(&home->inbox, NULL, acquire);
    while (newest != NULL) { /* the stack has the newest first: turn it round */
        struct tutti__post *next = TUTTI_GET(newest->next);
        TUTTI_SET(newest->next, home->taken);
        home->taken = newest;
        newest = next;
    }
    return home->taken != NULL;
}

bool tutti__home_step(struct tutti__home *home)
{
    struct tutti__post *oldest = home->taken;
    home->taken = TUTTI_GET(oldest->next); /* before the call: fn may free or re-post it */
    oldest->fn(oldest);
    return home->taken != NULL;
}

bool tutti__home_drain(struct tutti__home *home)
{
    if (!tutti__home_take(home)) {
        return false;
    }
    while (tutti__home_step(home)) {
    }
    return true;
}
