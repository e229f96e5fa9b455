/* SPDX-License-Identifier: MIT */
/*
 * stress_unref.c - one thread cancels a task and drops its handle, while another settles what the task
 * comes after, or ends its body: each task runs or is cancelled, once, and no cancel is left counted.
 *
 * Reproduces: a look at the state before the look at the references. Between the two the canceller claims
 * the task and goes; the task then seems to be unknown to all, and a plain store loses the claim.
 */
#include "sched/core.h"
#include "stress/stress.h"

enum { BATCH = 64 };

static struct tutti__sched *sched;
static tutti_task *preds[BATCH];
static tutti_task *tasks[BATCH];
static struct start_line line = { .count = 2 };
static atomic_bool over;
static atomic_int ran, gone;
static int cancelled; /* canceller; read when the round is over */

static int body_ran(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_fetch_add(&ran, 1);
    return TUTTI_OK;
}

static void drop_gone(void *arg)
{
    (void)arg;
    atomic_fetch_add(&gone, 1);
}

static void *canceller(void *unused)
{
    (void)unused;
    uint64_t rng = tap_seed() + 7;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        cancelled = 0;
        for (int i = 0; i < BATCH; i++) {
            for (uint64_t spins = tap_random(&rng) % 40; spins > 0; spins--) {
                tutti__cpu_relax();
            }
            cancelled += tutti__task_cancel(tasks[i]) == TUTTI_OK ? 1 : 0;
            tutti__task_unref(tasks[i]);
        }
        start_together(&line, round + 1);
    }
}

static bool make(void)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_ran, .arg_drop = drop_gone };
    for (int i = 0; i < BATCH; i++) {
        preds[i] = promise_make(sched);
        if (tutti__sched_submit(sched, &desc, &preds[i], 1, &tasks[i]) != TUTTI_OK) {
            return false;
        }
    }
    return true;
}

int main(void)
{
    TAP_BEGIN();
    pthread_t thread;
    sched = sched_make(1);
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    long wrong = 0, rounds = 0, both = 0;
    pthread_create(&thread, NULL, canceller, NULL);
    while (!stress_is_over(end_ns)) {
        if (!make()) {
            FAIL("out of memory");
            break;
        }
        atomic_store(&ran, 0);
        atomic_store(&gone, 0);
        start_together(&line, (int)(2 * rounds));
        for (int i = 0; i < BATCH; i++) {
            for (uint64_t spins = tap_random(&rng) % 40; spins > 0; spins--) {
                tutti__cpu_relax();
            }
            tutti__promise_settle(preds[i], TUTTI_OK, NULL);
        }
        start_together(&line, (int)(2 * rounds + 1));
        tutti__sched_wait_idle(sched);
        wrong += atomic_load(&ran) + cancelled != BATCH || atomic_load(&gone) != BATCH ? 1 : 0;
        wrong += TUTTI_LOAD(&sched->cancels, seq_cst) != 0 ? 1 : 0;
        both += atomic_load(&ran) != 0 && cancelled != 0 ? 1 : 0;
        for (int i = 0; i < BATCH; i++) {
            tutti__task_unref(preds[i]);
        }
        rounds++;
    }
    atomic_store(&over, true);
    start_together(&line, (int)(2 * rounds));
    pthread_join(thread, NULL);
    NOTE("%ld rounds of %d, %ld with both outcomes", rounds, BATCH, both);
    EQ_INT(wrong, 0, "each ran or was cancelled, once");
    tutti__sched_free(sched);
    return TAP_END();
}
