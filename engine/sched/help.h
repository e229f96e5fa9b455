/* SPDX-License-Identifier: MIT */
/*
 * help.h - the creator as the loop thread: tasks between the rounds of its loop, and waits that sleep in
 * the loop.
 *
 *   round of the loop -> told? over? -> a few tasks -> [counted asleep] -> round of the loop, may sleep
 *
 * Layer: sched. Thread: the creator, at home in the caller's loop, outside of its rounds.
 * Locks: lot.mu, idle.mu, one at a time.
 */
#ifndef TUTTI_SCHED_HELP_H
#define TUTTI_SCHED_HELP_H

#include <stdbool.h>

#include "sched/home.h"
#include "sched/lot.h"
#include "tutti.h"

struct tutti__sched;

/* ---- tasks -------------------------------------------------------------------------------- */

enum tutti__help_end {
    TUTTI__HELP_NONE = 0, /* nothing is ready that it may take */
    TUTTI__HELP_MORE,     /* perhaps there is more: do not sleep */
    TUTTI__HELP_OVER,     /* until said so */
};

struct tutti__help_limit {
    bool (*until)(void *user); /* asked after each task; NULL: never over */
    void *user;
    uint64_t budget_ns; /* about */
};

/**
 * Run ready tasks: any, or in a body only its family; at most a few.
 * Returns: why it ended.
 */
enum tutti__help_end tutti__help(struct tutti__sched *sched, const struct tutti__help_limit *limit);

/* ---- sleeping without workers --------------------------------------------------------------- */

/* Without workers somebody who makes work must wake the loop. All zero is ready for use. */
struct tutti__help_sleep {
    struct tutti__post post; /* wakes the loop; the engine's while is_sent */
    struct tutti__sched *sched;
    bool is_begun; /* [loop] counted asleep */
    bool is_sent;  /* [loop] by somebody who makes work; it has not arrived yet */
    bool has_come; /* [loop] since the begin */
};

/**
 * Be counted asleep, so that who makes work posts to `home`. Does nothing where there are workers.
 * Returns: whether the loop may sleep. A tutti__help_sleep_end follows in any case.
 */
bool tutti__help_sleep_begin(struct tutti__sched *sched, struct tutti__help_sleep *sleep,
                             struct tutti__home *home);
/* Without a begin it does nothing. */
void tutti__help_sleep_end(struct tutti__help_sleep *sleep);

/* ---- waits ---------------------------------------------------------------------------------- */

/* A wait of a thread that sleeps in its loop; on its stack. */
struct tutti__loop_wait {
    struct tutti__waiter waiter;
    struct tutti__post post;
    struct tutti__sched *sched; /* [const] */
    tutti_task *task;           /* [const] */
    bool is_told;               /* [home] the post has arrived */
    bool has_lent;              /* [home] a spare stands in */
};

/**
 * Begin to wait for `task`, or (NULL) for any task to settle. From now on its home gets a post when
 * that happens, or when the calling body is cancelled.
 * Returns: TUTTI_OK · TUTTI_EDEADLK, TUTTI_ECANCELED (the body must not wait, or not any more).
 */
int tutti__loop_wait_begin(struct tutti__loop_wait *wait, struct tutti__sched *sched,
                           struct tutti__home *home, tutti_task *task);

/* Before each look whether it is over: be there to be told again. */
void tutti__loop_wait_again(struct tutti__loop_wait *wait);

/* Is there no reason to go on: settled, or (in a body) cancelled? */
bool tutti__loop_wait_is_over(const struct tutti__loop_wait *wait);

/* In a body that has no family to run: have a spare stand in, where that is needed. Returns: TUTTI_OK ·
 * TUTTI_EAGAIN. */
int tutti__loop_wait_lend(struct tutti__loop_wait *wait);

/* End. Returns: false: its post is on its way; run the loop until is_told. */
bool tutti__loop_wait_end(struct tutti__loop_wait *wait);

#endif
