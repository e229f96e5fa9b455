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
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

/* One piece of work for a home, embedded in what it is about. It is the home's from tutti__home_post
 * until `fn` is called with it, once; then `fn` owns it again and may free or re-post it. */
struct tutti__post {
    struct tutti__post *next; /* [the inbox] */
    void (*fn)(struct tutti__post *post);
};

struct tutti__home;
struct tutti__watchdog;

/* Which posts a watchdog hears of. */
enum { TUTTI__WATCH_NONE, TUTTI__WATCH_URGENT, TUTTI__WATCH_ALL };

struct tutti__home {
    TUTTI_ATOMIC(struct tutti__post *) inbox; /* [any pushes, home takes] */
    TUTTI_ATOMIC(uint32_t) asleep;            /* [home sets, any clears] Dekker partner of inbox:
                                                 push; fence(seq_cst); read asleep  against
                                                 set asleep; fence(seq_cst); read inbox */
    TUTTI_ATOMIC(uint32_t) watch;             /* [home sets, any reads] TUTTI__WATCH_* */
    struct tutti__post *taken;                /* [home] out of the inbox, still to be run; oldest first */
    void (*wake)(struct tutti__home *home);   /* [const] any thread; called once for each sleep */
    /* Work of its own that the home's thread does between posts: a Lua state's ready coroutines.
     * Returns true while more is ready; then the home does not sleep. */
    bool (*pump)(void *user);                 /* [home] NULL: none */
    bool (*has_work)(void *user);             /* [home] would the pump do something? NULL: unknown */
    void *pump_user;                          /* [home] */
    uint64_t until_ns;                        /* [home] pump, and posts that do much: begin nothing
                                                 from then on; UINT64_MAX or 0: no limit but their own */
    TUTTI_ATOMIC(struct tutti__post *) urgent; /* [any pushes, home takes] as inbox */
    TUTTI_ATOMIC(uint32_t) is_door_posted;    /* [any sets, home clears] `door` is in the inbox */
    struct tutti__post door;                  /* [whoever sets is_door_posted, then home] */
    struct tutti__watchdog *dog;              /* [const once watch is set] of `watch` */
};

/**
 * Send `post` to `home`.
 * Thread:  any.
 * Order:   everything before this call happens before `post->fn`; posts of one thread keep their order.
 */
void tutti__home_post(struct tutti__home *home, struct tutti__post *post);

/**
 * Send a post that may run earlier than what was posted before, also in the middle of a script that keeps
 * the home busy (there it runs inside a hook). It may do what a script may do there: cancel tasks, look at
 * them; it must not run Lua code of the user's, nor wait.
 * Thread:  any. Order: as tutti__home_post, among urgent posts.
 */
void tutti__home_post_urgent(struct tutti__home *home, struct tutti__post *post);

/* Run the urgent posts that are there. Thread: the home's. */
void tutti__home_take_urgent(struct tutti__home *home);

/* Something was posted to a watched home, which does not sleep: watchdog.c. Thread: any. */
void tutti__watchdog_on_post(struct tutti__home *home);

/* From now on the watchdog hears of posts that find the home awake. Args: watch - TUTTI__WATCH_*; dog -
 * always the same one. Thread: the home's. */
void tutti__home_watch(struct tutti__home *home, struct tutti__watchdog *dog, uint32_t watch);

/**
 * Take what is in the inbox, if nothing that was taken before is left.
 * Thread:  the home's. Returns: whether there is something to run by tutti__home_step.
 */
bool tutti__home_take(struct tutti__home *home);

/* Run the oldest of what was taken; there is one. Thread: the home's. Returns: whether more is left. */
bool tutti__home_step(struct tutti__home *home);

/**
 * Run what was taken before or else what is in the inbox now (not what these posts post themselves).
 * Thread:  the home's. Returns: whether there was anything.
 */
bool tutti__home_drain(struct tutti__home *home);

/**
 * Say that the home is going to sleep.
 * Thread:  the home's. Returns: false - something has been posted, do not sleep. Either way
 *          tutti__home_sleep_end must follow.
 */
static inline bool tutti__home_sleep_begin(struct tutti__home *home)
{
    /* Dekker with tutti__home_post, which pushes, fences and then reads `asleep`: either it sees the 1
     * and wakes us, or we see its post here. Relaxed is enough around a seq_cst fence. */
    TUTTI_STORE(&home->asleep, 1, relaxed);
    TUTTI_FENCE(seq_cst);
    return TUTTI_LOAD(&home->inbox, relaxed) == NULL;
}

/* The home is awake. A poster that has seen the 1 may still call `wake`: one too many does no harm. */
static inline void tutti__home_sleep_end(struct tutti__home *home)
{
    TUTTI_STORE(&home->asleep, 0, relaxed); /* pairs with nothing: a look at the inbox follows */
}

#endif
