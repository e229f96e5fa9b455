/* SPDX-License-Identifier: MIT */
/*
 * sleep.h - a promise that a timer settles.
 *
 * Layer: io. Locks: none.
 */
#ifndef TUTTI_IO_SLEEP_H
#define TUTTI_IO_SLEEP_H

#include <stdint.h>

#include "io/loop.h"
#include "sched/sched.h"
#include "tutti.h"

/**
 * Make a task that is done `delay_ns` after this call, by the engine's clock; never early.
 * Cancelled, it settles at once, and its timer is taken out of the heap by a post.
 *
 * Thread:  any. `loop` is the home that `sched` has adopted.
 * Memory:  `*out` is owned.
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_ESTOPPED.
 */
int tutti__sleep_start(struct tutti__sched *sched, struct tutti__loop *loop, uint64_t delay_ns,
                       tutti_task **out);

#endif
