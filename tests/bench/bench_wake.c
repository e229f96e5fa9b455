/* SPDX-License-Identifier: MIT */
/*
 * bench_wake.c - from a submit to the body on a worker that sleeps, against a bare FUTEX_WAKE of a
 * sleeping thread, which is the least that it can cost.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench_tutti.h"

enum { WAKES = 300 };

static void let_it_sleep(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The median wake, counted n times: what else the machine does makes single ones very long. */
static uint64_t median_of(uint64_t *ns, uint64_t n)
{
    qsort(ns, n, sizeof *ns, compare_ns);
    return ns[n / 2] * n;
}

static uint64_t wait_for_begin(_Atomic(uint64_t) *begun_ns)
{
    uint64_t begun;
    while ((begun = atomic_load(begun_ns)) == 0) {
    }
    return begun;
}

/* ---- tutti -------------------------------------------------------------------------------- */

static int body_begun(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_store((_Atomic(uint64_t) *)arg, bench_now_ns());
    return TUTTI_OK;
}

static uint64_t wake(void *engine, uint64_t n, bool check)
{
    uint64_t ns[WAKES];
    _Atomic(uint64_t) begun_ns = 0;
    tutti_task_desc desc = bench_describe(body_begun, (void *)&begun_ns);
    desc.flags = TUTTI_NO_HELP;
    for (uint64_t i = 0; i < n; i++) {
        atomic_store(&begun_ns, 0);
        let_it_sleep();
        uint64_t begin = bench_now_ns();
        if (tutti_submit(engine, &desc, NULL, 0, NULL) != TUTTI_OK) {
            return 0;
        }
        ns[i] = wait_for_begin(&begun_ns) - begin;
    }
    tutti_wait_idle(engine);
    return check ? 1 : median_of(ns, n);
}

/* The same from a thread that the engine does not know: its tasks take another way in. */
struct stranger {
    void *engine;
    uint64_t n;
    bool check;
    uint64_t outcome;
};

static void *stranger_thread(void *arg)
{
    struct stranger *s = arg;
    s->outcome = wake(s->engine, s->n, s->check);
    return NULL;
}

static uint64_t wake_foreign(void *engine, uint64_t n, bool check)
{
    struct stranger s = { engine, n, check, 0 };
    pthread_t thread;
    if (pthread_create(&thread, NULL, stranger_thread, &s) == 0) {
        pthread_join(thread, NULL);
    }
    return s.outcome;
}

/* ---- a bare futex ------------------------------------------------------------------------- */

struct bare {
    pthread_t thread;
    _Atomic(uint32_t) word; /* 0 sleep, 1 run, 2 end */
    _Atomic(uint64_t) begun_ns;
};

static void *bare_thread(void *arg)
{
    struct bare *b = arg;
    for (;;) {
        while (atomic_load(&b->word) == 0) {
            syscall(SYS_futex, &b->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        }
        if (atomic_load(&b->word) == 2) {
            return NULL;
        }
        atomic_store(&b->word, 0);
        atomic_store(&b->begun_ns, bench_now_ns());
    }
}

static void bare_set(struct bare *b, uint32_t word)
{
    atomic_store(&b->word, word);
    syscall(SYS_futex, &b->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *bare_start(unsigned threads)
{
    (void)threads;
    struct bare *b = calloc(1, sizeof *b);
    if (b != NULL && pthread_create(&b->thread, NULL, bare_thread, b) != 0) {
        free(b);
        b = NULL;
    }
    return b;
}

static void bare_stop(void *state)
{
    struct bare *b = state;
    bare_set(b, 2);
    pthread_join(b->thread, NULL);
    free(b);
}

static uint64_t bare_wake(void *state, uint64_t n, bool check)
{
    uint64_t ns[WAKES];
    struct bare *b = state;
    for (uint64_t i = 0; i < n; i++) {
        atomic_store(&b->begun_ns, 0);
        let_it_sleep();
        uint64_t begin = bench_now_ns();
        bare_set(b, 1);
        ns[i] = wait_for_begin(&b->begun_ns) - begin;
    }
    return check ? 1 : median_of(ns, n);
}

const struct bench_case bench_wake[] = {
    { "wake", "tutti", NULL, 2, WAKES, bench_engine_start, wake, bench_engine_stop },
    { "wake", "tutti", "foreign", 2, WAKES, bench_engine_start, wake_foreign, bench_engine_stop },
    { "wake", "futex", NULL, 2, WAKES, bare_start, bare_wake, bare_stop },
    { .name = NULL },
};
