/* SPDX-License-Identifier: MIT */
/*
 * bench_cancel.c - cancel tasks that wait for a promise: one by one through their handles, releasing the
 * handles in the time. Making them is not in it.
 */
#include <stdlib.h>

#include "bench_tutti.h"

enum { WAITING = 100000 };

/* Submit n tasks after `promise`. */
static int submit_waiting(tutti_engine *engine, tutti_task *promise, tutti_task **tasks, uint64_t n)
{
    tutti_task_desc desc = bench_describe(bench_body_empty, NULL);
    int failed = 0;
    for (uint64_t i = 0; i < n; i++) {
        failed |= tutti_submit(engine, &desc, &promise, 1, &tasks[i]);
    }
    return failed;
}

static uint64_t cancel_each(void *engine, uint64_t n, bool check)
{
    tutti_task **tasks = calloc(n, sizeof *tasks);
    tutti_task *promise = NULL;
    if (tasks == NULL || tutti_promise_new(engine, &promise) != TUTTI_OK) {
        free(tasks);
        return 0;
    }
    int failed = submit_waiting(engine, promise, tasks, n);
    uint64_t cancelled = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        failed |= tutti_task_cancel(tasks[i]);
        cancelled += tutti_task_state(tasks[i]) == TUTTI_TASK_CANCELLED;
        tutti_task_unref(tasks[i]);
    }
    uint64_t ns = bench_now_ns() - begin;
    failed |= tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
    failed |= tutti_wait_idle(engine);
    free(tasks);
    return bench_outcome_of(check, cancelled == n, failed, ns);
}

#define TUTTI(variant, threads, round)                                                             \
    { "cancel", "tutti", variant, threads, WAITING, bench_engine_start, round, bench_engine_stop }

const struct bench_case bench_cancel[] = {
    TUTTI("each", 1, cancel_each),
    TUTTI("each", 2, cancel_each),
    { .name = NULL },
};
