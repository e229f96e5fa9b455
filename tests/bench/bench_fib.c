/* SPDX-License-Identifier: MIT */
/*
 * bench_fib.c - fork and join on tutti: each body submits one child with a handle, computes the other half
 * itself and waits for the child.
 */
#include "bench_tutti.h"

/* fib(30): every call with an argument above 1 makes one task; the first is submitted from outside. */
enum { ARGUMENT = 30, TASKS = 1346269, RESULT = 832040 };

struct call {
    tutti_engine *engine;
    int64_t *out; /* where the result goes; nobody reads it before the wait has returned */
    int argument;
};

static int body_fib(tutti_task *self, void *arg, tutti_value *result);

static int fib(tutti_engine *engine, int argument, int64_t *out)
{
    if (argument < 2) {
        *out = argument;
        return TUTTI_OK;
    }
    int64_t left = 0;
    int64_t right = 0;
    struct call call = { engine, &left, argument - 1 };
    tutti_task_desc desc = bench_describe(body_fib, &call);
    desc.arg_bytes = sizeof call;
    tutti_task *child = NULL;
    int failed = tutti_submit(engine, &desc, NULL, 0, &child);
    if (failed != TUTTI_OK) {
        return failed;
    }
    failed |= fib(engine, argument - 2, &right);
    failed |= tutti_task_wait(child, TUTTI_FOREVER);
    failed |= tutti_task_result(child, NULL);
    tutti_task_unref(child);
    *out = left + right;
    return failed;
}

static int body_fib(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct call call = *(struct call *)arg;
    return fib(call.engine, call.argument, call.out);
}

static uint64_t fib_round(void *engine, uint64_t n, bool check)
{
    (void)n;
    int64_t out = 0;
    struct call call = { engine, &out, ARGUMENT };
    tutti_task_desc desc = bench_describe(body_fib, &call);
    desc.arg_bytes = sizeof call;
    tutti_task *task = NULL;
    uint64_t begin = bench_now_ns();
    int failed = tutti_submit(engine, &desc, NULL, 0, &task);
    if (failed != TUTTI_OK) {
        return 0;
    }
    failed |= tutti_task_wait(task, TUTTI_FOREVER);
    uint64_t ns = bench_now_ns() - begin;
    failed |= tutti_task_result(task, NULL);
    tutti_task_unref(task);
    tutti_wait_idle(engine);
    return bench_outcome_of(check, out == RESULT, failed | (out != RESULT), ns);
}

const struct bench_case bench_fib[] = {
    { "fib", "tutti", NULL, 1, TASKS, bench_engine_start, fib_round, bench_engine_stop },
    { "fib", "tutti", NULL, 2, TASKS, bench_engine_start, fib_round, bench_engine_stop },
    { .name = NULL },
};
