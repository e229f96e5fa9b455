/* SPDX-License-Identifier: MIT */
/*
 * bench_graph.c - graphs that are made while they run, on tutti: chain, fan_in, wavefront, random_dag.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_tutti.h"

/* ---- chain -------------------------------------------------------------------------------- */

struct link {
    uint64_t *at;
    uint64_t number;
};

static int body_link(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct link *link = arg;
    if (*link->at != link->number) {
        return TUTTI_EFAILED;
    }
    *link->at = link->number + 1;
    return TUTTI_OK;
}

uint64_t bench_chain(void *engine, uint64_t n, bool check)
{
    uint64_t at = 0;
    struct link link = { &at, 0 };
    tutti_task_desc desc = bench_describe(check ? body_link : bench_body_empty, check ? &link : NULL);
    desc.arg_bytes = check ? sizeof link : 0;
    tutti_task *last = NULL;
    int failed = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        tutti_task *next = NULL;
        link.number = i;
        failed |= tutti_submit(engine, &desc, &last, last != NULL, &next);
        if (last != NULL) {
            tutti_task_unref(last);
        }
        last = next;
    }
    failed |= tutti_task_wait(last, TUTTI_FOREVER);
    failed |= tutti_task_result(last, NULL);
    tutti_task_unref(last);
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    return bench_outcome_of(check, at == n, failed, ns);
}

/* ---- fan_in ------------------------------------------------------------------------------- */

struct sum {
    _Atomic(uint64_t) count;
    uint64_t seen;
};

static int body_seen(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct sum *sum = arg;
    sum->seen = atomic_load_explicit(&sum->count, memory_order_relaxed);
    return TUTTI_OK;
}

static uint64_t fan_in(void *engine, uint64_t n, bool check)
{
    struct sum sum = { 0, 0 };
    tutti_task_fn fn = check ? bench_body_count : bench_body_empty;
    tutti_task_desc desc = bench_describe(fn, (void *)&sum.count);
    tutti_task_desc end = bench_describe(check ? body_seen : bench_body_empty, &sum);
    tutti_task **tasks = calloc(n, sizeof *tasks);
    if (tasks == NULL) {
        return 0;
    }
    memset(tasks, 1, n * sizeof *tasks); /* pages in */
    tutti_task *last = NULL;
    int failed = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        failed |= tutti_submit(engine, &desc, NULL, 0, &tasks[i]);
    }
    failed |= tutti_submit(engine, &end, tasks, n, &last);
    failed |= tutti_task_wait(last, TUTTI_FOREVER);
    for (uint64_t i = 0; i < n; i++) {
        tutti_task_unref(tasks[i]);
    }
    failed |= tutti_task_result(last, NULL);
    tutti_task_unref(last);
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    free(tasks);
    return bench_outcome_of(check, sum.seen == n, failed, ns);
}

/* ---- wavefront ---------------------------------------------------------------------------- */

static uint32_t grid[BENCH_SIDE_MAX + 1][BENCH_SIDE_MAX + 1];

struct cell {
    uint32_t row;
    uint32_t column;
};

static int body_cell(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct cell *c = arg;
    grid[c->row + 1][c->column + 1] = grid[c->row][c->column + 1] + grid[c->row + 1][c->column] + 1;
    return TUTTI_OK;
}

static bool grid_is_right(uint64_t side)
{
    static uint32_t row[BENCH_SIDE_MAX + 1];
    memset(row, 0, sizeof row);
    for (uint64_t i = 1; i <= side; i++) {
        for (uint64_t j = 1; j <= side; j++) {
            row[j] += row[j - 1] + 1;
            if (row[j] != grid[i][j]) {
                return false;
            }
        }
    }
    return true;
}

uint64_t bench_wavefront(void *engine, uint64_t n, bool check)
{
    static tutti_task *row[BENCH_SIDE_MAX];
    uint64_t side = 1;
    while (side * side < n) {
        side++;
    }
    struct cell cell = { 0, 0 };
    tutti_task_desc desc = bench_describe(check ? body_cell : bench_body_empty, check ? &cell : NULL);
    desc.arg_bytes = check ? sizeof cell : 0;
    memset(grid, 0, sizeof grid);
    int failed = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < side; i++) {
        for (uint64_t j = 0; j < side; j++) {
            tutti_task *after[2] = { i > 0 ? row[j] : NULL, j > 0 ? row[j - 1] : NULL };
            tutti_task *task = NULL;
            size_t skip = i == 0; /* a NULL is allowed, but who knows none leaves it out */
            cell = (struct cell){ (uint32_t)i, (uint32_t)j };
            failed |= tutti_submit(engine, &desc, after + skip, (size_t)(i > 0) + (j > 0), &task);
            if (i > 0) {
                tutti_task_unref(row[j]);
            }
            row[j] = task;
        }
    }
    failed |= tutti_task_wait(row[side - 1], TUTTI_FOREVER);
    failed |= tutti_task_result(row[side - 1], NULL);
    for (uint64_t j = 0; j < side; j++) {
        tutti_task_unref(row[j]);
    }
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    return bench_outcome_of(check, check && grid_is_right(side), failed, ns);
}

/* ---- random_dag --------------------------------------------------------------------------- */

struct place {
    uint64_t *depth; /* of all tasks; each body writes its own */
    uint64_t number;
    struct bench_two after;
};

static uint64_t depth_after(const uint64_t *depth, struct bench_two after)
{
    uint64_t a = depth[after.first];
    uint64_t b = depth[after.second];
    return (a > b ? a : b) + 1;
}

static int body_place(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct place *p = arg;
    p->depth[p->number] = p->number == 0 ? 1 : depth_after(p->depth, p->after);
    return TUTTI_OK;
}

static bool depth_is_right(const uint64_t *depth, uint64_t n)
{
    uint64_t row = 1;
    bool right = depth[0] == 1;
    for (uint64_t i = 1; i < n; i++) {
        right &= depth[i] == depth_after(depth, bench_dag_after(&row, i));
    }
    return right;
}

/* The submits of random_dag; a handle is kept as long as later tasks may come after it. */
static int dag_submit(tutti_engine *engine, uint64_t n, tutti_task_desc *desc)
{
    static tutti_task *last[BENCH_DAG_BACK];
    struct place *place = desc->arg;
    uint64_t row = 1;
    int failed = 0;
    memset(last, 0, sizeof last);
    for (uint64_t i = 0; i < n; i++) {
        struct bench_two two = { 0, 0 };
        if (i > 0) {
            two = bench_dag_after(&row, i);
        }
        if (desc->arg_bytes > 0) {
            *place = (struct place){ place->depth, i, two };
        }
        tutti_task *after[2] = { last[two.first % BENCH_DAG_BACK], last[two.second % BENCH_DAG_BACK] };
        tutti_task *task = NULL;
        size_t count = i == 0 ? 0 : two.first == two.second ? 1 : 2;
        failed |= tutti_submit(engine, desc, after, count, &task);
        tutti_task **slot = &last[i % BENCH_DAG_BACK];
        if (*slot != NULL) {
            tutti_task_unref(*slot);
        }
        *slot = task;
    }
    for (uint64_t i = 0; i < BENCH_DAG_BACK && i < n; i++) {
        tutti_task_unref(last[i]);
    }
    return failed;
}

static uint64_t random_dag(void *engine, uint64_t n, bool check)
{
    struct place place = { check ? calloc(n, sizeof(uint64_t)) : NULL, 0, { 0, 0 } };
    if (check && place.depth == NULL) {
        return 0;
    }
    tutti_task_desc desc = bench_describe(check ? body_place : bench_body_empty, &place);
    desc.arg_bytes = check ? sizeof place : 0;
    uint64_t begin = bench_now_ns();
    int failed = dag_submit(engine, n, &desc);
    failed |= tutti_wait_idle(engine);
    uint64_t ns = bench_now_ns() - begin;
    bool right = check && depth_is_right(place.depth, n);
    free(place.depth);
    return bench_outcome_of(check, right, failed, ns);
}

enum { MILLION = 1000000 };

#define TUTTI(name, threads, n, round)                                                             \
    { name, "tutti", NULL, threads, n, bench_engine_start, round, bench_engine_stop }

const struct bench_case bench_graph[] = {
    TUTTI("chain", 1, MILLION, bench_chain),
    TUTTI("chain", 2, MILLION, bench_chain),
    TUTTI("fan_in", 1, MILLION, fan_in),
    TUTTI("fan_in", 2, MILLION, fan_in),
    TUTTI("wavefront", 1, MILLION, bench_wavefront),
    TUTTI("wavefront", 2, MILLION, bench_wavefront),
    TUTTI("wavefront", 2, MILLION / 4, bench_wavefront),
    TUTTI("random_dag", 1, MILLION, random_dag),
    TUTTI("random_dag", 2, MILLION, random_dag),
    { .name = NULL },
};
