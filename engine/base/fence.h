/* SPDX-License-Identifier: MIT */
/*
 * fence.h - a pair of fences of which one side is nearly free.
 *
 * Two threads each store, fence, then load what the other stores: at least one sees the other's store.
 * With TUTTI_FENCE(seq_cst) on both sides each pays the same. Here the side that runs for every task
 * uses the light one, which only keeps the compiler from reordering, and the rare side the heavy one,
 * which has the system run a full fence on every CPU that runs a thread of this process (membarrier).
 * Where the system has no such call both are full fences.
 *
 * Layer: base. Locks: none.
 * Invariant: a light fence is only ever paired with heavy ones, never with another light one.
 */
#ifndef TUTTI_BASE_FENCE_H
#define TUTTI_BASE_FENCE_H

#include <stdbool.h>

#include "base/assert.h"
#include "base/atomic.h"

/* [const after the first tutti__fence_init] */
extern bool tutti__fence_is_asymmetric;

/* Find out what the system can do. Call before the first fence of a process, also after a fork; again does
 * no harm. Thread: any. */
void tutti__fence_init(void);

/* Blocks: a system call of some microseconds. */
void tutti__fence_heavy(void);

#ifndef TUTTI_CHECKER /* it has its own, of both kinds */
static inline void tutti__fence_light(void)
{
    if (TUTTI_LIKELY(tutti__fence_is_asymmetric)) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        TUTTI_FENCE(seq_cst);
    }
}

#define TUTTI_FENCE_LIGHT() tutti__fence_light()
#define TUTTI_FENCE_HEAVY() tutti__fence_heavy()
#endif

#endif
