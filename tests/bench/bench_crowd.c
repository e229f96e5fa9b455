/* SPDX-License-Identifier: MIT */
/*
 * bench_crowd.c - oversubscribed: four threads on two CPUs against two threads, the same work. The process
 * is bound to two CPUs of a bigger machine's.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "bench_tutti.h"

enum { MILLION = 1000000, TREE = (1 << 20) - 1, BUSY = 100000, BUSY_STEPS = 10 };

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

/* ---- answer: does a task from outside have to wait while all threads have work? -------------------- */

enum { ASKED_MAX = 4096 };

struct asker {
    tutti_engine *engine;
    _Atomic(bool) stop;
    uint64_t asked;                         /* [asker; read after it was joined] */
    int failed;                             /* [asker; read after it was joined] */
    uint64_t begin_ns[ASKED_MAX];           /* [asker] */
    _Atomic(uint64_t) answer_ns[ASKED_MAX]; /* from the submit to the body; 0: not yet */
};

struct question {
    struct asker *asker;
    uint64_t number;
};

static int body_answer(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct question *q = arg;
    uint64_t ns = bench_now_ns() - q->asker->begin_ns[q->number];
    atomic_store(&q->asker->answer_ns[q->number], ns);
    return TUTTI_OK;
}

/* A thread that the engine knows nothing of: one task about every millisecond. */
static void *asker_thread(void *arg)
{
    struct asker *a = arg;
    while (!atomic_load(&a->stop) && a->asked < ASKED_MAX) {
        struct question q = { a, a->asked };
        tutti_task_desc desc = bench_describe(body_answer, &q);
        desc.arg_bytes = sizeof q;
        a->begin_ns[a->asked] = bench_now_ns();
        a->failed |= tutti_submit(a->engine, &desc, NULL, 0, NULL);
        a->asked++;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return NULL;
}

/* The longest answer while `busy` is under way. */
static uint64_t answer(void *engine, uint64_t n, bool check)
{
    static struct asker asker;
    memset(&asker, 0, sizeof asker);
    asker.engine = engine;
    pthread_t thread;
    (void)n;
    if (pthread_create(&thread, NULL, asker_thread, &asker) != 0) {
        return 0;
    }
    bool right = busy(engine, BUSY, true) == 1;
    atomic_store(&asker.stop, true);
    pthread_join(thread, NULL);
    int failed = asker.failed | tutti_wait_idle(engine);
    uint64_t longest = 0;
    for (uint64_t i = 0; i < asker.asked; i++) {
        uint64_t ns = atomic_load(&asker.answer_ns[i]);
        right &= ns > 0;
        longest = ns > longest ? ns : longest;
    }
    return bench_outcome_of(check, right, failed | !right, longest);
}

#define TWO_CPUS(variant, threads, n, round)                                                       \
    { "oversubscribed", "tutti", variant, threads, n, start_on_two, round, stop_on_two }

const struct bench_case bench_crowd[] = {
    TWO_CPUS("busy", 2, BUSY, busy),
    TWO_CPUS("busy", 4, BUSY, busy),
    TWO_CPUS("independent", 2, MILLION, bench_independent),
    TWO_CPUS("independent", 4, MILLION, bench_independent),
    TWO_CPUS("wavefront", 2, MILLION, bench_wavefront),
    TWO_CPUS("wavefront", 4, MILLION, bench_wavefront),
    TWO_CPUS("binary_tree", 2, TREE, bench_binary_tree),
    TWO_CPUS("binary_tree", 4, TREE, bench_binary_tree),
    TWO_CPUS("answer", 2, 1, answer),
    TWO_CPUS("answer", 4, 1, answer),
    { .name = NULL },
};
