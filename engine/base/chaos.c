/* SPDX-License-Identifier: MIT */
/*
 * chaos.c - the yields of the TUTTI_HARD build (see atomic.h).
 *
 * Layer: base. Locks: none.
 */
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/env.h"

/* Compiled in every build, so that it cannot rot; called only with TUTTI_HARD. */
void tutti__chaos(void);

static _Thread_local uint64_t state;

/* Each thread gets another sequence, and a run with the same TUTTI_SEED the same sequences in the
 * order in which threads first come here. */
static uint64_t first_state(void)
{
    static _Atomic(uint64_t) threads;
    const char *seed = getenv("TUTTI_SEED");
    uint64_t base = seed != NULL ? strtoull(seed, NULL, 0) : 1;
    uint64_t number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
    return (base << 20) + number + 1;
}

void tutti__chaos(void)
{
    if (state == 0) {
        state = first_state();
    }
    if (tutti__rng_next(&state) % 61 == 0) {
        sched_yield();
    }
}
