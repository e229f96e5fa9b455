/* SPDX-License-Identifier: MIT */
/*
 * bench_growth.c - does a task cost the same when there are more of them, or more threads than cores?
 *
 * growth: four times the tasks, in the same warm engine. oversubscribed: four threads on two CPUs (the
 * process is bound to two of a bigger machine's), the same work as on two threads.
 */
#include <sched.h>

#include "bench_tutti.h"

enum { MILLION = 1000000, TREE = (1 << 20) - 1, BUSY = 100000, BUSY_STEPS = 10 };

/* ---- oversubscribed ----------------------------------------------------------------------- */

static cpu_set_t unbound;

static void bind_to_two(void)
{
    cpu_set_t two;
    CPU_ZERO(&two);
    sched_getaffinity(0, sizeof unbound, &unbound);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&two) < 2; cpu++) {
        if (CPU_ISSET(cpu, &unbound)) {
            CPU_SET(cpu, &two);
        }
    }
    sched_setaffinity(0, sizeof two, &two); /* the engine's threads inherit it */
}

static void *start_on_two(unsigned threads)
{
    bind_to_two();
    return bench_engine_start(threads);
}

static void stop_on_two(void *engine)
{
    bench_engine_stop(engine);
    sched_setaffinity(0, sizeof unbound, &unbound);
}

/* About 1 us of work. */
static int body_busy(tutti_task *self, void *arg, tutti_value *result)
{
    uint64_t value = (uint64_t)(uintptr_t)self;
    for (int i = 0; i < BUSY_STEPS; i++) {
        value = bench_work(value | 1);
    }
    /* No number stays 0 under it; the compiler does not know. */
    return value == 0 ? TUTTI_EFAILED : bench_body_count(self, arg, result);
}

static uint64_t busy(void *engine, uint64_t n, bool check)
{
    _Atomic(uint64_t) count = 0;
    tutti_task_desc desc = bench_describe(body_busy, (void *)&count);
    int failed = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        failed |= tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    failed |= tutti_wait_idle(engine);
    uint64_t ns = bench_now_ns() - begin;
    return bench_outcome_of(check, atomic_load(&count) == n, failed, ns);
}

#define GROWTH(variant, threads, n, round)                                                         \
    { "growth", "tutti", variant, threads, n, bench_engine_start, round, bench_engine_stop }
#define TWO_CPUS(variant, threads, n, round)                                                       \
    { "oversubscribed", "tutti", variant, threads, n, start_on_two, round, stop_on_two }

const struct bench_case bench_growth[] = {
    GROWTH("independent", 1, MILLION, bench_independent),
    GROWTH("independent", 1, 4 * MILLION, bench_independent),
    GROWTH("independent", 2, MILLION, bench_independent),
    GROWTH("independent", 2, 4 * MILLION, bench_independent),
    GROWTH("chain", 1, MILLION, bench_chain),
    GROWTH("chain", 1, 4 * MILLION, bench_chain),
    GROWTH("chain", 2, MILLION, bench_chain),
    GROWTH("chain", 2, 4 * MILLION, bench_chain),
    GROWTH("wavefront", 1, MILLION, bench_wavefront),
    GROWTH("wavefront", 1, 4 * MILLION, bench_wavefront),
    GROWTH("wavefront", 2, MILLION, bench_wavefront),
    GROWTH("wavefront", 2, 4 * MILLION, bench_wavefront),
    TWO_CPUS("busy", 2, BUSY, busy),
    TWO_CPUS("busy", 4, BUSY, busy),
    TWO_CPUS("independent", 2, MILLION, bench_independent),
    TWO_CPUS("independent", 4, MILLION, bench_independent),
    TWO_CPUS("wavefront", 2, MILLION, bench_wavefront),
    TWO_CPUS("wavefront", 4, MILLION, bench_wavefront),
    TWO_CPUS("binary_tree", 2, TREE, bench_binary_tree),
    TWO_CPUS("binary_tree", 4, TREE, bench_binary_tree),
    { .name = NULL },
};
