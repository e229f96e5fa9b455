/* SPDX-License-Identifier: MIT */
/*
 * bench_spawn.c - tasks that come after nothing, on tutti: submitted from outside (independent) and from
 * inside tasks (binary_tree).
 */
#include "bench_tutti.h"

void *bench_engine_start(unsigned threads)
{
    tutti_config config = { .struct_size = sizeof config, .seed = 1 };
    config.workers = threads > 1 ? threads - 1 : TUTTI_NO_WORKERS;
    tutti_engine *engine = NULL;
    return tutti_engine_new(&engine, &config) == TUTTI_OK ? engine : NULL;
}

void bench_engine_stop(void *engine)
{
    tutti_engine_free(engine);
}

int bench_body_empty(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_OK;
}

int bench_body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add_explicit((_Atomic(uint64_t) *)arg, 1, memory_order_relaxed);
    return TUTTI_OK;
}

/* ---- independent -------------------------------------------------------------------------- */

uint64_t bench_independent(void *engine, uint64_t n, bool check)
{
    _Atomic(uint64_t) count = 0;
    tutti_task_desc desc = bench_describe(check ? bench_body_count : bench_body_empty, (void *)&count);
    int failed = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        failed |= tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    failed |= tutti_wait_idle(engine);
    uint64_t ns = bench_now_ns() - begin;
    return bench_outcome_of(check, atomic_load(&count) == n, failed, ns);
}

/* ---- binary_tree: a node is not done before its children are, which nobody has to wait for --------- */

struct node {
    tutti_engine *engine;
    _Atomic(uint64_t) *count; /* NULL: only the time matters */
    uint64_t depth;
};

static int body_node(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct node node = *(struct node *)arg;
    if (node.count != NULL) {
        atomic_fetch_add_explicit(node.count, 1, memory_order_relaxed);
    }
    if (node.depth-- == 0) {
        return TUTTI_OK;
    }
    tutti_task_desc desc = bench_describe(body_node, &node);
    desc.arg_bytes = sizeof node;
    int rc = tutti_submit(node.engine, &desc, NULL, 0, NULL);
    return rc == TUTTI_OK ? tutti_submit(node.engine, &desc, NULL, 0, NULL) : rc;
}

uint64_t bench_binary_tree(void *engine, uint64_t n, bool check)
{
    _Atomic(uint64_t) count = 0;
    struct node root = { engine, check ? &count : NULL, 0 };
    while ((UINT64_C(2) << root.depth) - 1 < n) {
        root.depth++;
    }
    tutti_task_desc desc = bench_describe(body_node, &root);
    desc.arg_bytes = sizeof root;
    tutti_task *task = NULL;
    uint64_t begin = bench_now_ns();
    int failed = tutti_submit(engine, &desc, NULL, 0, &task);
    failed |= tutti_task_wait(task, TUTTI_FOREVER);
    uint64_t ns = bench_now_ns() - begin;
    failed |= tutti_task_result(task, NULL);
    tutti_task_unref(task);
    tutti_wait_idle(engine);
    return bench_outcome_of(check, atomic_load(&count) == n, failed, ns);
}

enum { MILLION = 1000000, TREE = (1 << 20) - 1 };

#define TUTTI(name, threads, n, round)                                                             \
    { name, "tutti", NULL, threads, n, bench_engine_start, round, bench_engine_stop }

const struct bench_case bench_spawn[] = {
    TUTTI("independent", 1, MILLION, bench_independent),
    TUTTI("independent", 2, MILLION, bench_independent),
    TUTTI("binary_tree", 1, TREE, bench_binary_tree),
    TUTTI("binary_tree", 2, TREE, bench_binary_tree),
    { .name = NULL },
};
