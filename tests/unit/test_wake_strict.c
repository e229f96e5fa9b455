/* SPDX-License-Identifier: MIT */
/*
 * test_wake_strict.c - a task that only workers may run, while a helper sleeps as well: the wake must
 * reach a worker, not the helper that fell asleep last.
 */
#include "sched/core.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;

/* Settle the promise that the creator waits for. */
static int body_settle(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return tutti__promise_settle(arg, TUTTI_OK, NULL);
}

static void wait_until_asleep(uint32_t count)
{
    while ((TUTTI_LOAD(&sched->idle.word, relaxed) & (TUTTI__IDLE_SEARCHING - 1)) != count) {
        sched_yield();
    }
}

static void *submit_strict(void *promise)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_settle, .arg = promise,
                             .flags = TUTTI_NO_HELP };
    wait_until_asleep(2); /* the worker, and the creator in its wait */
    return tutti__sched_submit(sched, &desc, NULL, 0, NULL) == TUTTI_OK ? promise : NULL;
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    bool all = true;
    for (int i = 0; i < 200 && all; i++) {
        pthread_t thread;
        tutti_task *promise = promise_make(sched);
        wait_until_asleep(1); /* so that the creator falls asleep last */
        pthread_create(&thread, NULL, submit_strict, promise);
        all = tutti__task_wait(promise, 20 * UINT64_C(1000000000)) == TUTTI_OK;
        pthread_join(thread, NULL);
        tutti__task_unref(promise);
    }
    OK(all, "each strict task was run by the worker");
    tutti__sched_free(sched);
    return TAP_END();
}
