/* SPDX-License-Identifier: MIT */
/*
 * env.h - what the engine asks the world for: time, chance, choice and processes.
 *
 * An engine takes one table of functions. The default one asks the system; a test hands in its own
 * (virtual.h is one), and with a seed and one thread the schedule is then the same each time.
 *
 * Layer: base. Locks: none.
 */
#ifndef TUTTI_BASE_ENV_H
#define TUTTI_BASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

struct tutti__env {
    void *user;                                         /* [const] handed to each function */
    uint64_t (*now_ns)(void *user);                     /* [const] monotonic; any thread */
    uint64_t (*random)(void *user);                     /* [const] 64 random bits; any thread */
    /* [const] A number in 0..count-1: which victim, which thread. NULL: each thread of the engine
     * draws from a generator of its own, seeded from the engine's seed. */
    uint32_t (*choose)(void *user, uint32_t count);
    /* [const] Start the process that `start` describes (the io layer knows its type). NULL: the io
     * layer's own. Returns TUTTI_OK or a negative status. Thread: an extra thread. */
    int (*process_start)(void *user, void *start);
    /* [const] The loop has nothing to do for limit_ns (UINT64_MAX: nothing at all); is_awaited: but a
     * descriptor may bring something meanwhile. Returns: how long it may really sleep; a clock that
     * has jumped over the time says 0. NULL: all of it. Thread: the loop's. */
    uint64_t (*rest)(void *user, uint64_t limit_ns, bool is_awaited);
    /* [const] The creator runs everything, also what only workers or extra threads would: with its loop
     * it is the one thread of an engine without workers. */
    bool one_thread;
};

/* The table that asks the operating system. Static; `random` reads the kernel's generator. */
const struct tutti__env *tutti__env_default(void);

/* Has the deadline passed? UINT64_MAX never does, and costs no look at the clock. */
static inline bool tutti__env_is_late(const struct tutti__env *env, uint64_t deadline_ns)
{
    return deadline_ns != UINT64_MAX && env->now_ns(env->user) >= deadline_ns;
}

/* A generator of 64-bit numbers (splitmix64): fast, small, good enough to choose victims. */
static inline uint64_t tutti__rng_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
