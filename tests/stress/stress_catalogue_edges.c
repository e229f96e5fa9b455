/* SPDX-License-Identifier: MIT */
/*
 * stress_catalogue_edges.c - edges are added by two threads while the predecessor's body ends on a third:
 * each successor runs exactly once, and sees what the predecessor wrote.
 *
 * Reproduces: TBB #2079 (an edge made in the moment of the close), enkiTS #78 (the dependent may be freed
 * by the decrement), taskflow 86e3699a (its memory is used again at once), and the relaxed failure order
 * of a push (native.md 1.2), which shows as a plain read of the past.
 */
#include "stress/stress.h"

enum { SUBMITTERS = 2, PER_ROUND = 16, FAN = 100000 };

static struct tutti__sched *sched;
static struct start_line line = { .count = SUBMITTERS + 1 };
static tutti_task *pred;
static uint64_t written;  /* plain: the predecessor's body writes, the successors' read */
static uint64_t expected; /* [main between rounds] */
static atomic_long ran;
static atomic_long stale;
static atomic_bool over;
static atomic_bool go; /* the body of the predecessor ends now */

static int body_pred(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    for (int spins = 0; !atomic_load_explicit(&go, memory_order_acquire); spins++) {
        if (spins > 200) {
            sched_yield();
        }
    }
    written = expected;
    return TUTTI_OK;
}

static int body_succ(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    if (written != (uintptr_t)arg) {
        atomic_fetch_add_explicit(&stale, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    return TUTTI_OK;
}

/* Some with a handle, some without, some with the predecessor twice. */
static void submit_some(uint64_t *rng)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_succ,
                             .arg = (void *)(uintptr_t)expected };
    for (int i = 0; i < PER_ROUND; i++) {
        uint64_t r = tap_random(rng);
        tutti_task *twice[3] = { pred, NULL, pred };
        tutti_task *task = NULL;
        if (tutti__sched_submit(sched, &desc, twice, 1 + r % 3, r % 4 == 0 ? &task : NULL) != TUTTI_OK) {
            FAIL("submit");
        }
        if (task != NULL) {
            tutti__task_unref(task);
        }
        if (r % 32 == 5) {
            random_pause(rng);
        }
    }
}

static void *submitter(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        submit_some(&rng);
        start_together(&line, round + 1);
    }
}

static void hammer(uint32_t workers, unsigned long rounds)
{
    sched = sched_make(workers);
    pthread_t threads[SUBMITTERS];
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns() + 300000000u;
    atomic_store(&over, false);
    atomic_store(&line.arrived, 0);
    atomic_store(&ran, 0);
    for (uintptr_t i = 0; i < SUBMITTERS; i++) {
        pthread_create(&threads[i], NULL, submitter, (void *)(i + 1));
    }
    unsigned long done = 0;
    for (int at = 0;; at += 2, done++) {
        bool last = rounds != 0 ? done == rounds : done > 0 && stress_is_over(end_ns);
        expected = done + 1;
        atomic_store(&go, false);
        pred = last ? NULL : spawn(sched, body_pred, NULL);
        atomic_store(&over, last);
        start_together(&line, at);
        if (last) {
            break;
        }
        random_pause(&rng);
        atomic_store_explicit(&go, true, memory_order_release);
        start_together(&line, at + 1);
        tutti__sched_wait_idle(sched);
        tutti__task_unref(pred);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(atomic_load(&ran), (intmax_t)done * SUBMITTERS * PER_ROUND, "each successor ran once");
    EQ_INT(atomic_load(&stale), 0, "each saw what came before it");
    OK(done > 0, "there were rounds");
    NOTE("%lu rounds, %u workers", done, (unsigned)workers);
    tutti__sched_free(sched);
}

/* ---- one task, very many successors, from four threads ---------------------------------------- */

static void *fan_out(void *arg)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_succ, .arg = (void *)(uintptr_t)1 };
    for (int i = 0; i < *(int *)arg; i++) {
        if (tutti__sched_submit(sched, &desc, &pred, 1, NULL) != TUTTI_OK) {
            FAIL("submit");
        }
    }
    return NULL;
}

static void fan(uint32_t workers, int count)
{
    enum { THREADS = 4 };
    sched = sched_make(workers);
    pthread_t threads[THREADS];
    atomic_store(&ran, 0);
    expected = 1;
    atomic_store(&go, false);
    pred = spawn(sched, body_pred, NULL);
    int each = count / THREADS;
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, fan_out, &each);
    }
    for (int i = 0; i < THREADS; i++) {
        if (i == THREADS / 2) {
            atomic_store_explicit(&go, true, memory_order_release); /* in the middle of it */
        }
        pthread_join(threads[i], NULL);
    }
    tutti__sched_wait_idle(sched);
    EQ_INT(atomic_load(&ran), each * THREADS, "a wide fan from four threads");
    EQ_INT(atomic_load(&stale), 0, "each saw what came before it");
    tutti__task_unref(pred);
    tutti__sched_free(sched);
}

int main(void)
{
    TAP_BEGIN();
    uint32_t workers = stress_workers(1);
    hammer(workers, tap_rounds(0));
    hammer(stress_workers(3), tap_rounds(0));
#if defined(TUTTI_TSAN) || defined(TUTTI_HARD)
    fan(workers, FAN / 10);
#else
    fan(workers, FAN);
#endif
    return TAP_END();
}
