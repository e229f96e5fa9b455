/* SPDX-License-Identifier: MIT */
/*
 * stress_edges.c - edges added while the predecessors end; waves of skips against submits.
 *
 * Reproduces: an edge lost or counted twice between push and close; a successor touched after the
 * decrement that may free it; a record that is freed with an edge still linked.
 */
#include "stress/stress.h"

enum { PREDS = 4, PER_ROUND = 8 };

static struct tutti__sched *sched;
static struct start_line line = { .count = 3 };
static tutti_task *preds[PREDS];
static atomic_bool over;
static bool fail_now; /* [main, between rounds] */
static atomic_int ran;
static atomic_int wrong;
static atomic_int dropped_args;

static void drop_one(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&dropped_args, 1, memory_order_relaxed);
}

static int body(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    for (int i = 0; i < PREDS; i++) {
        /* All of them have ended by now, whichever this one comes after: those it named. */
        if (preds[i] == NULL) {
            atomic_fetch_add(&wrong, 1);
        }
    }
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    return TUTTI_OK;
}

/* Submit tasks after random predecessors, and after each other, while these are being settled. */
static void submit_some(uint64_t *rng)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body, .arg_drop = drop_one };
    tutti_task *previous = NULL;
    for (int i = 0; i < PER_ROUND; i++) {
        tutti_task *after[PREDS + 1];
        size_t count = 0;
        uint64_t r = tap_random(rng);
        for (int p = 0; p < PREDS; p++) {
            if ((r >> p & 1) != 0) {
                after[count++] = preds[p];
            }
        }
        if ((r >> 8 & 1) != 0) {
            after[count++] = previous; /* NULL at first */
        }
        tutti_task *task = NULL;
        if (tutti__sched_submit(sched, &desc, after, count, &task) != TUTTI_OK) {
            atomic_fetch_add(&wrong, 1);
        }
        if (previous != NULL) {
            tutti__task_unref(previous);
        }
        previous = task;
        if ((r >> 9 & 3) == 0) {
            random_pause(rng);
        }
    }
    tutti__task_unref(previous);
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

static void settle_all(uint64_t *rng)
{
    for (int i = 0; i < PREDS; i++) {
        random_pause(rng);
        int status = fail_now && tap_random(rng) % 2 == 0 ? TUTTI_EFAILED : TUTTI_OK;
        tutti__promise_settle(preds[i], status, NULL);
    }
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(stress_workers(2));
    uint64_t rng = tap_seed();
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, submitter, (void *)(i + 1));
    }
    uint64_t end_ns = stress_end_ns() + 700000000u;
    int clean_rounds = 0;
    int rounds = 0;
    int ran_clean = 0;
    for (bool last = false; !last; rounds++) {
        last = stress_is_over(end_ns);
        fail_now = rounds % 2 != 0;
        for (int i = 0; i < PREDS; i++) {
            preds[i] = promise_make(sched);
        }
        int before = atomic_load(&ran);
        atomic_store(&over, last);
        start_together(&line, 2 * rounds);
        if (!last) {
            settle_all(&rng);
            start_together(&line, 2 * rounds + 1);
        } else {
            settle_all(&rng);
        }
        tutti__sched_wait_idle(sched);
        if (!fail_now && !last) {
            clean_rounds++;
            ran_clean += atomic_load(&ran) - before;
        }
        for (int i = 0; i < PREDS; i++) {
            tutti__task_unref(preds[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(ran_clean, clean_rounds * 2 * PER_ROUND, "where nothing fails each task runs once");
    EQ_INT(atomic_load(&dropped_args), (rounds - 1) * 2 * PER_ROUND, "each argument is dropped once");
    EQ_INT(wrong, 0, "no submit failed");
    NOTE("%d rounds", rounds);
    tutti__sched_free(sched);
    return TAP_END();
}
