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

#include "base/assert.h"

static void push_post(TUTTI_ATOMIC(struct tutti__post *) *stack, struct tutti__post *post)
{
    struct tutti__post *old = TUTTI_LOAD(stack, relaxed); /* a guess: the exchange decides */
    do {
        TUTTI_SET(post->next, old);
        /* release pairs with the acquire in take_posts. */
    } while (!TUTTI_CAS_WEAK(stack, &old, post, release, relaxed));
}

/* Returns: all of them, the oldest first. */
static struct tutti__post *take_posts(TUTTI_ATOMIC(struct tutti__post *) *stack)
{
    struct tutti__post *oldest = NULL;
    struct tutti__post *newest = TUTTI_EXCHANGE(stack, NULL, acquire);
    while (newest != NULL) {
        struct tutti__post *next = TUTTI_GET(newest->next);
        TUTTI_SET(newest->next, oldest);
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void tutti__home_post(struct tutti__home *home, struct tutti__post *post)
{
    push_post(&home->inbox, post);
    /* Push, then look whether it sleeps; the home says that it sleeps, then looks at the inbox. Without
     * the fences both could miss each other. */
    TUTTI_FENCE(seq_cst);
    /* acquire: what the home set up before it said so, wake may use. The exchange makes one poster of
     * many do the waking. */
    if (TUTTI_LOAD(&home->asleep, relaxed) != 0 && TUTTI_EXCHANGE(&home->asleep, 0, acquire) != 0) {
        home->wake(home);
    } else if (TUTTI_UNLIKELY(TUTTI_LOAD(&home->watch, acquire) == TUTTI__WATCH_ALL)) {
        tutti__watchdog_on_post(home); /* acquire pairs with tutti__home_watch */
    }
}

/* ---- urgent posts ------------------------------------------------------------------------- */

void tutti__home_take_urgent(struct tutti__home *home)
{
    struct tutti__post *oldest = take_posts(&home->urgent);
    while (oldest != NULL) {
        struct tutti__post *next = TUTTI_GET(oldest->next); /* before the call: fn may free it */
        oldest->fn(oldest);
        oldest = next;
    }
}

/* The urgent posts of a home that is not interrupted come with an ordinary one, and so wake it. */
static void run_door(struct tutti__post *door)
{
    struct tutti__home *home =
        (struct tutti__home *)(void *)((char *)door - offsetof(struct tutti__home, door));
    /* acq_rel: whoever set it before is seen with what it has pushed; who sets it after this may use
     * `door` again. */
    TUTTI_EXCHANGE(&home->is_door_posted, 0, acq_rel);
    tutti__home_take_urgent(home);
}

void tutti__home_post_urgent(struct tutti__home *home, struct tutti__post *post)
{
    push_post(&home->urgent, post);
    if (TUTTI_EXCHANGE(&home->is_door_posted, 1, acq_rel) == 0) { /* pairs with run_door */
        home->door.fn = run_door;
        tutti__home_post(home, &home->door);
    }
    TUTTI_FENCE(seq_cst); /* pushed before, the look at the dog's wake_ns after */
    if (TUTTI_LOAD(&home->watch, acquire) != TUTTI__WATCH_NONE) { /* pairs with tutti__home_watch */
        tutti__watchdog_on_post(home);
    }
}

void tutti__home_watch(struct tutti__home *home, struct tutti__watchdog *dog, uint32_t watch)
{
    if (watch != TUTTI__WATCH_NONE) {
        home->dog = dog;
    }
    TUTTI_STORE(&home->watch, watch, release); /* pairs with the posters' acquire: they see dog */
}

/* ---- the home's side ---------------------------------------------------------------------- */

bool tutti__home_take(struct tutti__home *home)
{
    if (home->taken != NULL) {
        return true;
    }
    if (TUTTI_LOAD(&home->inbox, relaxed) == NULL) {
        return false; /* a hint; before a sleep the home asks again after its fence */
    }
    home->taken = take_posts(&home->inbox);
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
