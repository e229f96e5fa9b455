/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - one thread for each engine that sees to it that a Lua state which runs and runs hears of
 * what it must hear of: urgent posts, a deadline that has passed, others that wait for the thread.
 *
 * A Lua state is *busy* during a turn. What it must hear of is a wish. A wish that is still there after
 * two milliseconds is written into `asked` and the thread is nudged (nudge.h) until the state has taken
 * it; one that is not taken for a second means that the state is stuck in C code.
 *
 *   nothing pending: the thread sleeps without any limit    <- alert: somebody posted, a turn began
 *   something is:    it looks again at a known time            that has a deadline
 *
 * Layer: sched. Locks: dog.mu, before spares.mu: nudges are sent and slots lent under it, nothing else.
 * Invariant: a thread is only nudged between its add and its remove, which it calls itself; so none is
 * that has ended.
 */
#ifndef TUTTI_SCHED_WATCHDOG_H
#define TUTTI_SCHED_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/fence.h"
#include "base/futex.h"
#include "base/thread.h"

struct tutti__home;
struct tutti__sched;
struct tutti__thread;
struct tutti__watchdog;

/* Bits of struct tutti__watched.asked. */
enum {
    TUTTI__ASK_POSTS = 1u << 0,    /* take the urgent posts of the home */
    TUTTI__ASK_DEADLINE = 1u << 1, /* the deadline of the turn has passed */
    TUTTI__ASK_SLICE = 1u << 2,    /* others wait for this thread */
    TUTTI__ASK_WISHES = TUTTI__ASK_POSTS | TUTTI__ASK_DEADLINE | TUTTI__ASK_SLICE,
    TUTTI__ASK_TAKE_BACK = 1u << 3, /* its slot was given to a spare: take it back when the turn ends */
};

enum { TUTTI__REPORT_NONE, TUTTI__REPORT_WANTED, TUTTI__REPORT_MADE, TUTTI__REPORT_REFUSED };

/* One for each Lua state. */
struct tutti__watched {
    TUTTI_ATOMIC(uint32_t) turn;        /* [state writes, any reads] odd while Lua runs; counts up */
    TUTTI_ATOMIC(uint32_t) asked;       /* [dog sets bits, state clears them] TUTTI__ASK_* */
    TUTTI_ATOMIC(uint64_t) deadline_ns; /* [state writes, dog reads] of the turn; 0: none */
    TUTTI_ATOMIC(uint32_t) taken;       /* [state writes, dog reads] how often it has taken wishes */
    TUTTI_ATOMIC(uint32_t) has_others;  /* [state writes, dog reads] other coroutines are ready */
    TUTTI_ATOMIC(uint32_t) report;      /* [dog, then the state's signal handler] TUTTI__REPORT_* */
    struct tutti__watchdog *dog;        /* [state] NULL: not watched */
    struct tutti__home *home;           /* [const while added] */
    struct tutti__thread *thread;       /* [const while added] */
    bool is_sliced;                     /* [const while added] a turn ends when others wait */
    pthread_t pthread;                  /* [const while added] */
    /* Both run on the state's thread, in a signal handler. `arm`: have the state take what is asked
     * soon. `describe`: write what runs; returns false if it has nothing to do with what is asked. */
    void (*arm)(struct tutti__watched *w);
    bool (*describe)(struct tutti__watched *w, char *text, size_t size);
    char text[256];                     /* [as report] */
    struct tutti__watched *here_next;   /* [its thread] see nudge.c */
    struct tutti__watched *next;        /* [dog.mu] */
    /* [dog.mu] what the dog has seen */
    uint32_t seen_turn;
    uint32_t seen_taken;
    uint64_t wish_ns;  /* since when there has been a wish; 0: there is none */
    uint64_t serious_ns; /* since when one of the wishes is to end something; 0: none is */
    uint64_t nudge_ns; /* when to nudge next */
    uint64_t pause_ns; /* between two nudges */
    uint64_t slice_ns; /* when the turn is long enough to be sliced; 0: nobody waits */
    bool is_reported;  /* in this turn */
};

struct tutti__watchdog {
    struct tutti__sched *sched;       /* [const] */
    uint32_t preempt;                 /* [const] enum tutti_preempt */
    struct tutti__mutex mu;
    struct tutti__parker parker;      /* of its thread */
    TUTTI_ATOMIC(uint64_t) wake_ns;   /* [dog writes, any reads] it sleeps until then unless alerted;
                                         0: it looks within some milliseconds anyhow */
    TUTTI_ATOMIC(uint32_t) must_end;  /* [creator sets] */
    pthread_t pthread;                /* [mu] */
    bool is_started;                  /* [mu] */
    struct tutti__watched *first;     /* [mu] */
};

/* Args: preempt - enum tutti_preempt. */
void tutti__watchdog_init(struct tutti__watchdog *dog, struct tutti__sched *sched, uint32_t preempt);

/**
 * Watch a state; arm, describe and is_sliced are set. Starts the thread if it is not there.
 * Thread:  the state's home. Returns: false - it is not watched: preempt is NONE, or no thread.
 */
bool tutti__watchdog_add(struct tutti__watchdog *dog, struct tutti__watched *w);

/* No more. Idempotent. Thread: as add. */
void tutti__watchdog_remove(struct tutti__watched *w);

/* End its thread. Thread: the creator. */
void tutti__watchdog_stop(struct tutti__watchdog *dog);

/* Have it look. Thread: any. Blocks: no; a system call if it sleeps. */
void tutti__watchdog_alert(struct tutti__watchdog *dog);

/* A turn has ended: if a spare has got this thread's slot meanwhile, take it back. Thread: its home's. */
void tutti__watchdog_take_back(struct tutti__watched *w);

/* Have it look at `ns`, if it would not anyhow. Thread: any. */
static inline void tutti__watchdog_alert_by(struct tutti__watchdog *dog, uint64_t ns)
{
    /* What it is to see was stored before; it stores wake_ns, fences heavily and then looks once more. So
     * either it sees that, or this sees the wake_ns with which it goes to sleep. */
    TUTTI_FENCE_LIGHT();
    if (ns < TUTTI_LOAD(&dog->wake_ns, relaxed)) {
        tutti__watchdog_alert(dog);
    }
}

#endif
