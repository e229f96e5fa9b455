/* SPDX-License-Identifier: MIT */
/*
 * stress_catalogue_cancel.c - cancels race with the start of the body, its end, and each other, over
 * many tasks at once; waits with a deadline race with the end.
 *
 * Reproduces: reliability.md 9, row 16 (a million times: one outcome), taskflow #748 (told twice),
 * crossbeam #726 (dropped twice). All by counting: every task has one outcome, every argument and every
 * result is dropped once, and whoever was told OK by a cancel finds the task cancelled.
 */
#include "stress/stress.h"

enum { CANCELLERS = 2, BATCH = 256 };
#define HANG_NS UINT64_C(60000000000)

static struct tutti__sched *sched;
static struct start_line line = { .count = CANCELLERS + 1 };
static tutti_task *batch[BATCH];
static atomic_int cancelled_by_us[BATCH];
static atomic_long bodies;
static atomic_long args_dropped;
static atomic_long results_dropped;
static atomic_long wrong;
static atomic_bool over;

static void drop_arg(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&args_dropped, 1, memory_order_relaxed);
}

static void drop_result(void *pointer)
{
    (void)pointer;
    atomic_fetch_add_explicit(&results_dropped, 1, memory_order_relaxed);
}

static int body(tutti_task *self, void *arg, tutti_value *result)
{
    uint64_t rng = (uintptr_t)arg;
    atomic_fetch_add_explicit(&bodies, 1, memory_order_relaxed);
    for (uint64_t i = tap_random(&rng) % 100; i > 0; i--) {
        tutti__cpu_relax();
    }
    *result = (tutti_value){ .kind = TUTTI_OPAQUE, .more.drop = drop_result };
    return (uintptr_t)arg % 3 == 0 && tutti__task_is_cancelled(self) ? TUTTI_ECANCELED : TUTTI_OK;
}

/* Cancel all of them, each thread in its own order. */
static void *canceller(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        unsigned at = (unsigned)tap_random(&rng);
        for (unsigned i = 0; i < BATCH; i++, at += 37) {
            tutti_task *task = batch[at % BATCH];
            int rc = tutti__task_cancel(task);
            if (rc == TUTTI_OK) {
                atomic_fetch_add(&cancelled_by_us[at % BATCH], 1);
            }
            /* What this thread has settled is settled; what another one has, will be in a moment. */
            if (rc == TUTTI_OK ? !tutti__task_is_done(task)
                               : rc == TUTTI_ESETTLED && tutti__task_wait(task, HANG_NS) != TUTTI_OK) {
                atomic_fetch_add(&wrong, 1);
            }
            if (tap_random(&rng) % 16 == 0) {
                random_pause(&rng);
            }
        }
        start_together(&line, round + 1);
    }
}

/* Make BATCH tasks: ready ones, some behind a promise, some behind each other. */
static void make_batch(unsigned long round, tutti_task *gate)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body, .arg_drop = drop_arg };
    for (unsigned i = 0; i < BATCH; i++) {
        desc.arg = (void *)(uintptr_t)(round * BATCH + i + 1);
        tutti_task *after[2] = { gate, i > 0 ? batch[i - 1] : NULL };
        size_t count = i % 4 == 0 ? 1 : i % 4 == 1 ? 2 : 0;
        desc.flags = i % 8 == 1 ? TUTTI_RUN_ON_SKIP : 0;
        tutti__sched_submit(sched, &desc, after, count, &batch[i]);
        atomic_store(&cancelled_by_us[i], 0);
    }
}

static unsigned long judge(void)
{
    unsigned long cancelled = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        enum tutti_task_state state = tutti__task_state(batch[i]);
        int told = atomic_load(&cancelled_by_us[i]);
        bool good = told == 0 ? state >= TUTTI_TASK_DONE
                              : told == 1 && state == TUTTI_TASK_CANCELLED;
        atomic_fetch_add(&wrong, good ? 0 : 1);
        cancelled += state == TUTTI_TASK_CANCELLED;
        tutti__task_unref(batch[i]);
    }
    return cancelled;
}

static void cancels(uint32_t workers, unsigned long rounds)
{
    sched = sched_make(workers);
    pthread_t threads[CANCELLERS];
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns() + 300000000u;
    atomic_store(&over, false);
    atomic_store(&line.arrived, 0);
    atomic_store(&bodies, 0);
    atomic_store(&args_dropped, 0);
    atomic_store(&results_dropped, 0);
    for (uintptr_t i = 0; i < CANCELLERS; i++) {
        pthread_create(&threads[i], NULL, canceller, (void *)(i + 1));
    }
    unsigned long done = 0;
    unsigned long cancelled = 0;
    for (int at = 0;; at += 2, done++) {
        bool last = rounds != 0 ? done == rounds : done > 0 && stress_is_over(end_ns);
        tutti_task *gate = last ? NULL : promise_make(sched);
        if (!last) {
            make_batch(done, gate);
        }
        atomic_store(&over, last);
        start_together(&line, at);
        if (last) {
            break;
        }
        random_pause(&rng);
        tutti__promise_settle(gate, TUTTI_OK, NULL);
        start_together(&line, at + 1);
        tutti__sched_wait_idle(sched);
        cancelled += judge();
        tutti__task_unref(gate);
    }
    for (int i = 0; i < CANCELLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(atomic_load(&wrong), 0, "each task has one outcome, and who was told so was right");
    EQ_INT(atomic_load(&args_dropped), (intmax_t)done * BATCH, "each argument was dropped once");
    EQ_INT(atomic_load(&results_dropped), atomic_load(&bodies), "each result was dropped once");
    OK(done > 0, "there were rounds");
    NOTE("%lu tasks, %lu cancelled, %u workers", done * BATCH, cancelled, (unsigned)workers);
    tutti__sched_free(sched);
}

/* ---- a wait with a deadline against the end ---------------------------------------------------- */

static tutti_task *promise;

static void *settler(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        uint64_t until = tutti__clock_now_ns() + tap_random(&rng) % 60000;
        while (tutti__clock_now_ns() < until) {
            tutti__cpu_relax();
        }
        tutti__promise_settle(promise, TUTTI_OK, NULL);
        start_together(&line, round + 1);
    }
}

/* Waits for about as long as it takes, on its own thread. */
static void *waiter(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        int rc = tutti__task_wait(promise, tap_random(&rng) % 60000);
        bool good = rc == TUTTI_OK ? tutti__task_is_done(promise) : rc == TUTTI_ETIMEDOUT;
        atomic_fetch_add(&wrong, good ? 0 : 1);
        start_together(&line, round + 1);
    }
}

static void deadlines(void)
{
    sched = sched_make(stress_workers(1));
    pthread_t threads[2];
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    long rounds = 0;
    long in_time = 0;
    atomic_store(&over, false);
    atomic_store(&line.arrived, 0);
    atomic_store(&wrong, 0);
    pthread_create(&threads[0], NULL, settler, (void *)11);
    pthread_create(&threads[1], NULL, waiter, (void *)12);
    for (int at = 0;; at += 2, rounds++) {
        bool has_both = in_time > 0 && in_time < rounds; /* with few rounds in the time box: some more */
        bool last = stress_is_over(has_both ? end_ns : end_ns + HANG_NS);
        promise = last ? NULL : promise_make(sched);
        atomic_store(&over, last);
        start_together(&line, at);
        if (last) {
            break;
        }
        int rc = tutti__task_wait(promise, tap_random(&rng) % 60000);
        in_time += rc == TUTTI_OK;
        atomic_fetch_add(&wrong, rc == TUTTI_OK || rc == TUTTI_ETIMEDOUT ? 0 : 1);
        start_together(&line, at + 1);
        tutti__task_unref(promise);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    EQ_INT(atomic_load(&wrong), 0, "a wait that ends in time says so, and so does one that does not");
    OK(in_time > 0 && in_time < rounds, "%ld of %ld ended in time", in_time, rounds);
    tutti__sched_free(sched);
}

int main(void)
{
    TAP_BEGIN();
    cancels(stress_workers(1), tap_rounds(0));
    cancels(stress_workers(4), tap_rounds(0));
    deadlines();
    return TAP_END();
}
