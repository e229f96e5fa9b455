/* SPDX-License-Identifier: MIT */
/*
 * stress.h - what the stress programs share: a time box, a start line for threads, checks that count.
 *
 * Each program prints its seed and takes TUTTI_SEED; TUTTI_STRESS_MS is the time for each part
 * (default 400 ms), TUTTI_WORKERS the number of workers. Threads interleave as they like, so a seed
 * repeats the choices, not the schedule.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_STRESS_STRESS_H
#define TUTTI_TESTS_STRESS_STRESS_H

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "base/clock.h"
#include "unit/test_sched.h"

TAP__UNUSED static uint64_t stress_end_ns(void)
{
    const char *given = getenv("TUTTI_STRESS_MS");
    uint64_t ms = given != NULL && *given != '\0' ? strtoull(given, NULL, 0) : 400;
    return tutti__clock_now_ns() + ms * 1000000u;
}

/* TUTTI_WORKERS if set, else `normal`: how many workers a scheduler has. */
TAP__UNUSED static uint32_t stress_workers(uint32_t normal)
{
    const char *given = getenv("TUTTI_WORKERS");
    return given != NULL && *given != '\0' ? (uint32_t)strtoul(given, NULL, 0) : normal;
}

/* Has the time box ended? Asked every round; the rounds are long enough. */
TAP__UNUSED static bool stress_is_over(uint64_t end_ns)
{
    return tutti__clock_now_ns() >= end_ns;
}

/* Spin until all of `count` threads have come here: then a race is on. */
struct start_line {
    atomic_int arrived;
    int count;
};

TAP__UNUSED static void start_together(struct start_line *line, int round)
{
    atomic_fetch_add_explicit(&line->arrived, 1, memory_order_acq_rel);
    for (int spins = 0;
         atomic_load_explicit(&line->arrived, memory_order_acquire) < line->count * (round + 1);
         spins++) {
        if (spins > 200) {
            sched_yield();
        }
    }
}

/* A pause of random length: nothing, a yield, or some spinning. */
TAP__UNUSED static void random_pause(uint64_t *rng)
{
    uint64_t r = tap_random(rng);
    if (r % 8 == 0) {
        sched_yield();
    } else {
        for (uint64_t i = r % 200; i > 0; i--) {
            tutti__cpu_relax();
        }
    }
}

/* From nothing to 60 us: around a thread's way to sleep, the end of its spinning first. */
TAP__UNUSED static void random_gap(uint64_t *rng)
{
    uint64_t until = tutti__clock_now_ns() + tap_random(rng) % 60000;
    if (tap_random(rng) % 50 == 0) {
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    while (tutti__clock_now_ns() < until) {
        tutti__cpu_relax();
    }
}

/* Wait for a post of `sem`. Returns: false after 30 s, far beyond any delay that is not a lost wake. */
TAP__UNUSED static bool done_in_time(sem_t *sem)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    while (sem_timedwait(sem, &until) != 0) {
        if (errno == ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

#endif
