/* SPDX-License-Identifier: MIT */
/* test_fail_alloc.c - out of memory, in each allocation of each scenario: engines, tasks, graphs. */
#include "unit/test_fail_alloc.h"

static const tutti_task_desc plain = { .fn = body_empty };

/* ---- engines ---------------------------------------------------------------------------------- */

static void act_use(struct run *run)
{
    run_submit(run, plain, NULL, 0);
}

/* ---- single tasks ----------------------------------------------------------------------------- */

static void act_sizes(struct run *run)
{
    static char bytes[40000];
    tutti_task_desc desc = { .fn = body_empty, .arg = bytes };
    for (size_t size = 1; size < sizeof bytes; size = size * 3 / 2 + 1) {
        desc.arg_bytes = size;
        run_submit(run, desc, NULL, 0);
    }
}

static void act_many_edges(struct run *run)
{
    static tutti_task *many[3000];
    tutti_task *promise = run_promise(run);
    for (int i = 0; i < 3000; i++) {
        many[i] = promise;
    }
    for (size_t count = 1; count < 3000; count *= 5) {
        run_submit(run, plain, many, count);
    }
    if (promise != NULL) {
        took(run, tutti_promise_settle(promise, TUTTI_OK, NULL));
    }
}

static void act_values(struct run *run)
{
    for (int i = 0; i < 6; i++) {
        tutti_task *promise = run_promise(run);
        tutti_value value = { .kind = TUTTI_NIL };
        took(run, tutti_value_bytes(&value, "0123456789", i % 2 == 0 ? 10 : 3));
        if (promise != NULL) {
            took(run, tutti_promise_settle(promise, i < 4 ? TUTTI_OK : TUTTI_EIO, &value));
        } else {
            tutti_value_free(&value);
        }
    }
}

static int body_bytes(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg;
    return tutti_value_bytes(result, "a result", 8);
}

static void act_results(struct run *run)
{
    tutti_task_desc desc = { .fn = body_bytes };
    for (int i = 0; i < 4; i++) {
        desc.flags = i % 2 == 0 ? 0 : TUTTI_NO_HELP;
        run_submit(run, desc, NULL, 0);
    }
}

/* Settled by another thread, which the engine has never seen. */
static void *settle_elsewhere(void *arg)
{
    tutti_value value = { .kind = TUTTI_INT, .as.integer = 3 };
    tutti_promise_settle(arg, TUTTI_OK, &value);
    return NULL;
}

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_TASK_SUSPEND;
}

static void act_suspended(struct run *run)
{
    tutti_task_desc desc = { .fn = body_suspend };
    tutti_task *task = run_submit(run, desc, NULL, 0);
    tutti_task *after = run_submit(run, plain, &task, 1);
    (void)after;
    if (task != NULL) {
        pthread_t thread;
        while (tutti_task_state(task) != TUTTI_TASK_SUSPENDED) {
            nap_us(100);
        }
        pthread_create(&thread, NULL, settle_elsewhere, task);
        pthread_join(thread, NULL);
    }
}

/* ---- graphs ----------------------------------------------------------------------------------- */

static void act_skips(struct run *run)
{
    tutti_task *bad = run_promise(run);
    tutti_task *good = run_promise(run);
    tutti_task *both[3] = { bad, good, NULL };
    tutti_task_desc always = { .fn = body_empty, .flags = TUTTI_RUN_ON_SKIP };
    for (int i = 0; i < 5; i++) {
        both[2] = run_submit(run, plain, both, 3);
        run_submit(run, always, both, 3);
    }
    if (bad != NULL) {
        took(run, tutti_promise_settle(bad, TUTTI_EIO, NULL));
    }
    for (int i = 0; i < 5; i++) {
        both[2] = run_submit(run, plain, both, 3);
        run_submit(run, always, both, 3);
    }
    if (good != NULL) {
        took(run, tutti_promise_settle(good, TUTTI_OK, NULL));
    }
}

static void act_cancels(struct run *run)
{
    tutti_task *promise = run_promise(run);
    tutti_task *last = promise;
    for (int i = 0; i < 10; i++) {
        last = run_submit(run, plain, &last, 1);
        run_submit(run, plain, (tutti_task *[2]){ promise, last }, 2);
    }
    for (int i = run->count; i-- > 0;) {
        tutti_task_cancel(run->tasks[i]);
    }
}

/* ---- many ------------------------------------------------------------------------------------- */

/* Rings and regions grow, on the creator and, by children, on a worker. */
static void act_thousands(struct run *run)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg_drop = drop_count };
    tutti_task *promise = run_promise(run);
    for (int i = 0; i < 3000; i++) {
        int rc = tutti_submit(run->e, &desc, &promise, i % 2 == 0 ? 1 : 0, NULL);
        run->accepted += took(run, rc) ? 1 : 0;
    }
    if (promise != NULL) {
        took(run, tutti_promise_settle(promise, TUTTI_OK, NULL));
    }
}

struct nest {
    struct run *run;
    int depth;
    int width;
};

static int body_nest(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct nest nest = *(struct nest *)arg;
    nest.depth--;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = nest.depth > 0 ? body_nest : body_empty,
                             .arg = &nest, .arg_bytes = sizeof nest };
    int bad = TUTTI_OK;
    for (int i = 0; i < nest.width; i++) {
        int rc = tutti_submit(nest.run->e, &desc, NULL, 0, NULL);
        bad = took(nest.run, rc) ? bad : rc;
    }
    return bad;
}

static void nested(struct run *run, int depth, int width)
{
    struct nest nest = { run, depth, width };
    tutti_task_desc desc = { .fn = body_nest, .arg = &nest, .arg_bytes = sizeof nest };
    run_submit(run, desc, NULL, 0);
    tutti_wait_idle(run->e); /* so that the memory fails in there */
}

static void act_deep(struct run *run)
{
    nested(run, 6, 3);
}

static void act_wide(struct run *run)
{
    nested(run, 1, 3000);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static int body_until_stop(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    while (!tutti_task_is_cancelled(self)) {
        nap_us(100);
    }
    return TUTTI_ECANCELED;
}

static void act_left_over(struct run *run)
{
    tutti_task_desc running = { .struct_size = sizeof running, .fn = body_until_stop,
                                .arg_drop = drop_count };
    tutti_task_desc waiting = { .struct_size = sizeof waiting, .fn = body_empty, .arg_drop = drop_count };
    tutti_task *promise = new_promise(run->e);
    for (int i = 0; i < 20; i++) {
        running.flags = i % 4 == 1 ? TUTTI_BLOCKING : i % 4 == 2 ? TUTTI_NO_HELP : 0;
        run->accepted += took(run, tutti_submit(run->e, &running, NULL, 0, NULL)) ? 1 : 0;
        run->accepted += took(run, tutti_submit(run->e, &waiting, &promise, 1, NULL)) ? 1 : 0;
        tutti_task *sleep = NULL;
        took(run, tutti_sleep(run->e, TUTTI_NS_PER_S * 3600, &sleep));
        tutti_task_unref(sleep);
    }
    tutti_task_unref(promise);
}

/* ---- other threads ---------------------------------------------------------------------------- */

static void *act_elsewhere(void *arg)
{
    struct run *run = arg;
    run_submit(run, plain, NULL, 0);
    tutti_task *promise = run_promise(run);
    if (promise != NULL) {
        run_submit(run, plain, &promise, 1);
        took(run, tutti_promise_settle(promise, TUTTI_OK, NULL));
        int rc = tutti_task_wait(promise, HANG_NS);
        took(run, rc);
    }
    return NULL;
}

/* A thread's first submit makes its place in the engine. */
static void act_foreign(struct run *run)
{
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, act_elsewhere, run);
        pthread_join(thread, NULL);
    }
}

static void act_blocking(struct run *run)
{
    tutti_task_desc desc = { .fn = body_bytes, .flags = TUTTI_BLOCKING };
    for (int i = 0; i < 10; i++) {
        run_submit(run, desc, NULL, 0);
    }
    run_submit(run, plain, run->tasks, (size_t)run->count);
}

int main(void)
{
    static const struct scenario scenarios[] = {
        { "an engine with its own loop", 2, TUTTI_LOOP_OWN_THREAD, true, false, act_use },
        { "an engine with the caller's loop", 2, TUTTI_LOOP_CALLER, true, false, act_use },
        { "an engine without workers", TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD, true, false, act_use },
        { "plain tasks", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_use },
        { "arguments of all sizes", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_sizes },
        { "many edges", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_many_edges },
        { "settled with bytes", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_values },
        { "results of bytes", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_results },
        { "suspended bodies", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_suspended },
        { "skips", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_skips },
        { "cancels", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_cancels },
        { "thousands of tasks", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_thousands },
        { "thousands without workers", TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD, false, false,
          act_thousands },
        { "deep children", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_deep },
        { "many children", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_wide },
        { "an end with work left", 2, TUTTI_LOOP_OWN_THREAD, false, true, act_left_over },
        { "an end of the caller's loop", 1, TUTTI_LOOP_CALLER, false, true, act_left_over },
        { "other threads", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_foreign },
        { "blocking tasks", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_blocking },
    };
    TAP_BEGIN();
    run_scenarios(scenarios, sizeof scenarios / sizeof scenarios[0]);
    return TAP_END();
}
