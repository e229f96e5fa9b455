/* SPDX-License-Identifier: MIT */
/*
 * timer.h - the engine's own timer heap, under one uv_timer_t.
 *
 * Layer: io. Thread: the loop's, all of it; other threads post to the loop.
 * Invariant: a timer is in the heap exactly while `slot` is not 0; heap[slot - 1] == timer.
 */
#ifndef TUTTI_IO_TIMER_H
#define TUTTI_IO_TIMER_H

#include <stdint.h>

struct tutti__timer {
    uint64_t deadline_ns;
    uint64_t order;                       /* of arming: equal deadlines fire first in, first out */
    uint32_t slot;                        /* place in the heap + 1; 0 = not armed */
    void (*fn)(struct tutti__timer *timer); /* called on the loop thread, disarmed already; never
                                               before the deadline */
};

#endif
