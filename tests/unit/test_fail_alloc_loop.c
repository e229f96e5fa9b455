/* SPDX-License-Identifier: MIT */
/* test_fail_alloc_loop.c - out of memory, in each allocation of each scenario: loop, processes, ranges. */
#include "unit/test_fail_alloc.h"

/* ---- sleeps and posts ------------------------------------------------------------------------- */

static void act_sleeps(struct run *run)
{
    for (int i = 0; i < 30; i++) { /* the timer heap grows */
        tutti_task *sleep = NULL;
        int rc = tutti_sleep(run->e, (uint64_t)i * 20 * TUTTI_NS_PER_US, &sleep);
        sleep = keep(run, rc, sleep);
        if (sleep != NULL && i % 5 == 0) {
            tutti_task_cancel(sleep);
        }
    }
    if (run->count > 0) {
        took(run, tutti_task_wait(run->tasks[run->count - 1], HANG_NS));
    }
}

static void on_post(void *user)
{
    drop_count(user);
}

/* What was accepted runs: counted as arguments are. */
static void act_posts(struct run *run)
{
    for (int i = 0; i < 10; i++) {
        run->accepted += took(run, tutti_post(run->e, on_post, NULL)) ? 1 : 0;
    }
    tutti_task_desc desc = { .fn = body_empty };
    run_submit(run, desc, NULL, 0);
}

/* ---- waits ------------------------------------------------------------------------------------ */

static int body_settles(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    nap_us(300);
    tutti_promise_settle(arg, TUTTI_OK, NULL);
    return TUTTI_OK;
}

/* On the caller's loop each wait needs a cell, each deadline a timer. */
static void act_waits(struct run *run)
{
    for (int i = 0; i < 5; i++) {
        tutti_task *promise = run_promise(run);
        if (promise == NULL) {
            continue;
        }
        tutti_task_desc desc = { .fn = body_settles, .arg = promise };
        tutti_task *task = run_submit(run, desc, NULL, 0);
        int rc = tutti_task_wait(promise, i % 2 == 0 ? 100 * TUTTI_NS_PER_US : HANG_NS);
        if (rc == TUTTI_ETIMEDOUT) {
            rc = TUTTI_OK;
        }
        took(run, rc);
        if (task == NULL) {
            tutti_promise_settle(promise, TUTTI_OK, NULL);
        }
    }
    took(run, tutti_wait_idle(run->e));
}

static void act_run(struct run *run)
{
    act_sleeps(run);
    act_posts(run);
    took(run, tutti_run(run->e));
}

static void act_poll(struct run *run)
{
    act_sleeps(run);
    act_posts(run);
    for (int i = 0; i < 20; i++) {
        uint64_t timeout_ns = 0;
        took(run, tutti_backend_timeout(run->e, &timeout_ns));
        took(run, tutti_poll(run->e, TUTTI_NS_PER_MS));
    }
}

/* ---- processes -------------------------------------------------------------------------------- */

static void act_exec(struct run *run)
{
    static const char *const argv[] = { "sh", "-c", "cat; echo on stderr >&2", NULL };
    static const char *const env[] = { "A=1", "LANG", NULL };
    tutti_exec_desc desc = { .struct_size = sizeof desc, .argv = argv, .env = env, .cwd = "/",
                             .stdin_data = "input", .stdin_bytes = 5 };
    tutti_task *process = NULL;
    int rc = tutti_exec(run->e, &desc, &process);
    process = keep(run, rc, process);
    if (process != NULL) {
        took(run, tutti_task_wait(process, HANG_NS));
    }
}

/* Memory runs out while a process runs, and it is cancelled. */
static void act_exec_cancelled(struct run *run)
{
    static const char *const argv[] = { "sleep", "60", NULL };
    tutti_exec_desc desc = { .struct_size = sizeof desc, .argv = argv };
    tutti_task *process = NULL;
    int rc = tutti_exec(run->e, &desc, &process);
    process = keep(run, rc, process);
    if (process != NULL) {
        nap_us(500);
        tutti_task_cancel(process);
    }
}

/* ---- ranges ----------------------------------------------------------------------------------- */

static int each(void *user, size_t begin, size_t end)
{
    atomic_fetch_add((atomic_int *)user, (int)(end - begin));
    return TUTTI_OK;
}

static void act_for(struct run *run)
{
    tutti_range range = { 0, 10000, 10 };
    atomic_int sum = 0;
    int rc = tutti_parallel_for(run->e, &range, each, &sum);
    if (took(run, rc) && sum != 10000) {
        FAIL("a range was done %d times", sum);
    }
}

static int fold(void *user, void *value, size_t begin, size_t end)
{
    (void)user;
    *(size_t *)value += end - begin;
    return TUTTI_OK;
}

static void join(void *user, void *left, const void *right)
{
    (void)user;
    *(size_t *)left += *(const size_t *)right;
}

static void act_reduce(struct run *run)
{
    static const size_t zero;
    tutti_reduce_desc desc = { .struct_size = sizeof desc, .range = { 0, 10000, 10 },
                               .value_bytes = sizeof zero, .identity = &zero, .fold = fold,
                               .join = join };
    size_t sum = 77;
    int rc = tutti_parallel_reduce(run->e, &desc, &sum);
    if (sum != (took(run, rc) ? 10000 : 77)) {
        FAIL("a reduce that returned %d has %zu", rc, sum);
    }
}

/* ---- names ------------------------------------------------------------------------------------ */

static int native(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                  tutti_value *result)
{
    (void)self, (void)user, (void)args, (void)argc, (void)result;
    return TUTTI_OK;
}

static void act_register(struct run *run)
{
    for (int i = 0; i < 40; i++) {
        char name[24];
        snprintf(name, sizeof name, "name-%d", i);
        if (took(run, tutti_register(run->e, name, native, NULL))) {
            int rc = tutti_register(run->e, name, native, NULL);
            took(run, rc == TUTTI_EINVAL ? TUTTI_OK : rc == TUTTI_OK ? TUTTI_EINVAL : rc);
        }
    }
}

int main(void)
{
    static const struct scenario scenarios[] = {
        { "sleeps", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_sleeps },
        { "sleeps on the caller's loop", 1, TUTTI_LOOP_CALLER, false, false, act_sleeps },
        { "posts", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_posts },
        { "waits", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_waits },
        { "waits on the caller's loop", 1, TUTTI_LOOP_CALLER, false, false, act_waits },
        { "run", 1, TUTTI_LOOP_CALLER, false, false, act_run },
        { "poll", 1, TUTTI_LOOP_CALLER, false, false, act_poll },
        { "a process", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_exec },
        { "a cancelled process", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_exec_cancelled },
        { "a process on the caller's loop", 1, TUTTI_LOOP_CALLER, false, false, act_exec },
        { "a range", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_for },
        { "a reduce", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_reduce },
        { "names", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_register },
    };
    TAP_BEGIN();
    run_scenarios(scenarios, sizeof scenarios / sizeof scenarios[0]);
    return TAP_END();
}
