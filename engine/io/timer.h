/* SPDX-License-Identifier: MIT */
/*
 * timer.h - the engine's own timer heap.
 *
 * A 4-ary heap whose entries carry their key, so that a comparison touches no timer. The loop keeps
 * one timerfd set to the earliest deadline while it sleeps (see loop.h): deadlines are kept to the
 * kernel's timer slack (some 50 us), where a uv_timer_t would round to whole milliseconds.
 *
 * Layer: io. Thread: the loop's, all of it; other threads post to the loop.
 * Locks: none.
 * Invariant: a timer is in the heap exactly while `slot` is not 0; heap[slot - 1].timer == timer.
 */
#ifndef TUTTI_IO_TIMER_H
#define TUTTI_IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "tutti.h"

struct tutti__timer {
    uint64_t deadline_ns;
    uint64_t order;                       /* of arming: equal deadlines fire first in, first out */
    uint32_t slot;                        /* place in the heap + 1; 0 = not armed */
    void (*fn)(struct tutti__timer *timer); /* called on the loop thread, disarmed already; never
                                               before the deadline */
};

struct tutti__timer_entry {
    uint64_t key_ns; /* the deadline, or later: see tutti__timers_fire */
    struct tutti__timer *timer;
};

/* All zero is empty. */
struct tutti__timers {
    struct tutti__timer_entry *heap; /* [loop] smallest (key_ns, order) first */
    uint32_t count;
    uint32_t capacity;
    uint64_t armed_count; /* since the start; gives `order` */
    uint64_t floor_ns;    /* while firing: no key is below it */
    const tutti_allocator *memory; /* [const] of the heap; NULL: the C library's */
};

/* Free the heap's memory. Timers still armed are forgotten: nothing is called. */
void tutti__timers_deinit(struct tutti__timers *timers);

/* Give back what the heap has had more of than it needs now. */
void tutti__timers_trim(struct tutti__timers *timers);

/**
 * Arm `timer` (its `fn` is set) for `deadline_ns`, or move it there if it is armed; a moved one
 * counts as armed last.
 *
 * Args:    deadline_ns - of the engine's clock; one in the past fires in the next round.
 * Memory:  `timer` is the heap's until it fires or is stopped.
 * Returns: TUTTI_OK · TUTTI_ENOMEM (never for one that is armed already).
 */
int tutti__timers_start(struct tutti__timers *timers, struct tutti__timer *timer,
                        uint64_t deadline_ns);

/* Disarm `timer`; nothing happens if it is not armed. */
void tutti__timers_stop(struct tutti__timers *timers, struct tutti__timer *timer);

/* When the next one is due; TUTTI_FOREVER if there is none. */
uint64_t tutti__timers_next_ns(const struct tutti__timers *timers);

/**
 * Fire the earliest timer if it is due at `now_ns`. One that is armed by it does not fire at the same
 * `now_ns`, whatever its deadline.
 * Returns: whether one fired. Calls: its fn, as below.
 */
bool tutti__timers_fire_next(struct tutti__timers *timers, uint64_t now_ns);

/**
 * Fire what is due at `now_ns`, earliest first. A timer that is armed meanwhile does not fire
 * before the next call, whatever its deadline, so one that arms itself again cannot keep the others
 * waiting.
 *
 * Returns: whether anything fired.
 * Calls:   fn of each; it may arm and stop any timer and free its own.
 */
bool tutti__timers_fire(struct tutti__timers *timers, uint64_t now_ns);

#endif
