/* SPDX-License-Identifier: MIT */
/*
 * bench_tutti.c - the workloads on tutti, through tutti.h as any program would write them.
 *
 * The same code runs in both kinds of round: with bodies that compute something, to prove that all ran
 * and in order, and with an empty body, to be timed. Submits come from the engine's creator, which
 * helps while it waits.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "tutti.h"

static tutti_task_desc describe(tutti_task_fn fn, void *arg)
{
    return (tutti_task_desc){ .struct_size = sizeof(tutti_task_desc), .fn = fn, .arg = arg };
}

static int body_empty(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_OK;
}

static void *start(unsigned threads)
{
    tutti_config config = { .struct_size = sizeof config, .workers = threads > 1 ? threads - 1 : TUTTI_NO_WORKERS, .seed = 1 };
    tutti_engine *engine = NULL;
    return tutti_engine_new(&engine, &config) == TUTTI_OK ? engine : NULL;
}

static void stop(void *engine)
{
    tutti_engine_free(engine);
}

/* ---- independent -------------------------------------------------------------------------- */

static int body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add_explicit((_Atomic(uint64_t) *)arg, 1, memory_order_relaxed);
    return TUTTI_OK;
}

static uint64_t independent(void *engine, uint64_t n, bool check)
{
    _Atomic(uint64_t) count = 0;
    tutti_task_desc desc = describe(check ? body_count : body_empty, (void *)&count);
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        if (tutti_submit(engine, &desc, NULL, 0, NULL) != TUTTI_OK) {
            return 0;
        }
    }
    tutti_wait_idle(engine);
    uint64_t ns = bench_now_ns() - begin;
    return check ? atomic_load(&count) == n : ns;
}

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

static uint64_t chain(void *engine, uint64_t n, bool check)
{
    uint64_t at = 0;
    struct link link = { &at, 0 };
    tutti_task_desc desc = describe(check ? body_link : body_empty, check ? &link : NULL);
    desc.arg_bytes = check ? sizeof link : 0;
    tutti_task *last = NULL;
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        tutti_task *next = NULL;
        link.number = i;
        tutti_submit(engine, &desc, &last, last != NULL, &next);
        if (last != NULL) {
            tutti_task_unref(last);
        }
        last = next;
    }
    tutti_task_wait(last, TUTTI_FOREVER);
    tutti_task_unref(last);
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    return check ? at == n : ns;
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
    tutti_task_desc desc = describe(check ? body_count : body_empty, (void *)&sum.count);
    tutti_task_desc end = describe(check ? body_seen : body_empty, &sum);
    tutti_task **tasks = calloc(n, sizeof *tasks);
    tutti_task *last = NULL;
    memset(tasks, 1, n * sizeof *tasks); /* pages in */
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < n; i++) {
        tutti_submit(engine, &desc, NULL, 0, &tasks[i]);
    }
    tutti_submit(engine, &end, tasks, n, &last);
    tutti_task_wait(last, TUTTI_FOREVER);
    for (uint64_t i = 0; i < n; i++) {
        tutti_task_unref(tasks[i]);
    }
    tutti_task_unref(last);
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    free(tasks);
    return check ? sum.seen == n : ns;
}

/* ---- wavefront ---------------------------------------------------------------------------- */

enum { SIDE_MAX = 1000 };

static uint32_t grid[SIDE_MAX + 1][SIDE_MAX + 1];

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
    static uint32_t row[SIDE_MAX + 1];
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

static uint64_t wavefront(void *engine, uint64_t n, bool check)
{
    static tutti_task *row[SIDE_MAX];
    uint64_t side = 1;
    while (side * side < n) {
        side++;
    }
    struct cell cell = { 0, 0 };
    tutti_task_desc desc = describe(check ? body_cell : body_empty, check ? &cell : NULL);
    desc.arg_bytes = check ? sizeof cell : 0;
    memset(grid, 0, sizeof grid);
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < side; i++) {
        for (uint64_t j = 0; j < side; j++) {
            tutti_task *after[2] = { i > 0 ? row[j] : NULL, j > 0 ? row[j - 1] : NULL };
            tutti_task *task = NULL;
            size_t skip = i == 0; /* a NULL is allowed, but who knows none leaves it out */
            cell = (struct cell){ (uint32_t)i, (uint32_t)j };
            tutti_submit(engine, &desc, after + skip, (size_t)(i > 0) + (j > 0), &task);
            if (i > 0) {
                tutti_task_unref(row[j]);
            }
            row[j] = task;
        }
    }
    tutti_task_wait(row[side - 1], TUTTI_FOREVER);
    for (uint64_t j = 0; j < side; j++) {
        tutti_task_unref(row[j]);
    }
    uint64_t ns = bench_now_ns() - begin;
    tutti_wait_idle(engine);
    return check ? grid_is_right(side) : ns;
}

/* ---- binary_tree -------------------------------------------------------------------------- */

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
    tutti_task_desc desc = describe(body_node, &node);
    desc.arg_bytes = sizeof node;
    int rc = tutti_submit(node.engine, &desc, NULL, 0, NULL);
    return rc == TUTTI_OK ? tutti_submit(node.engine, &desc, NULL, 0, NULL) : rc;
}

static uint64_t binary_tree(void *engine, uint64_t n, bool check)
{
    _Atomic(uint64_t) count = 0;
    struct node root = { engine, check ? &count : NULL, 0 };
    while ((UINT64_C(2) << root.depth) - 1 < n) {
        root.depth++;
    }
    tutti_task_desc desc = describe(body_node, &root);
    desc.arg_bytes = sizeof root;
    tutti_task *task = NULL;
    uint64_t begin = bench_now_ns();
    tutti_submit(engine, &desc, NULL, 0, &task);
    tutti_task_wait(task, TUTTI_FOREVER);
    uint64_t ns = bench_now_ns() - begin;
    bool right = tutti_task_result(task, NULL) == TUTTI_OK;
    tutti_task_unref(task);
    tutti_wait_idle(engine);
    return check ? right && atomic_load(&count) == n : ns;
}

/* ---- wake: from submit to the body on a worker that sleeps ----------------------------------- */

struct wake {
    _Atomic(uint64_t) begun_ns;
};

static int body_begun(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_store(&((struct wake *)arg)->begun_ns, bench_now_ns());
    return TUTTI_OK;
}

static void let_it_sleep(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
}

static uint64_t wake(void *engine, uint64_t n, bool check)
{
    struct wake w = { 0 };
    uint64_t sum = 0;
    tutti_task_desc desc = describe(body_begun, &w);
    desc.flags = TUTTI_NO_HELP;
    for (uint64_t i = 0; i < n; i++) {
        atomic_store(&w.begun_ns, 0);
        let_it_sleep();
        uint64_t begin = bench_now_ns();
        tutti_submit(engine, &desc, NULL, 0, NULL);
        uint64_t begun;
        while ((begun = atomic_load(&w.begun_ns)) == 0) {
        }
        sum += begun - begin;
    }
    tutti_wait_idle(engine);
    return check ? 1 : sum;
}

/* The least that it can cost: a bare FUTEX_WAKE of a sleeping thread. */
struct bare {
    pthread_t thread;
    _Atomic(uint32_t) word; /* 0 sleep, 1 run, 2 end */
    _Atomic(uint64_t) begun_ns;
};

static void *bare_thread(void *arg)
{
    struct bare *b = arg;
    for (;;) {
        while (atomic_load(&b->word) == 0) {
            syscall(SYS_futex, &b->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        }
        if (atomic_load(&b->word) == 2) {
            return NULL;
        }
        atomic_store(&b->word, 0);
        atomic_store(&b->begun_ns, bench_now_ns());
    }
}

static void bare_set(struct bare *b, uint32_t word)
{
    atomic_store(&b->word, word);
    syscall(SYS_futex, &b->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *bare_start(unsigned threads)
{
    (void)threads;
    struct bare *b = calloc(1, sizeof *b);
    if (b != NULL && pthread_create(&b->thread, NULL, bare_thread, b) != 0) {
        free(b);
        b = NULL;
    }
    return b;
}

static void bare_stop(void *state)
{
    struct bare *b = state;
    bare_set(b, 2);
    pthread_join(b->thread, NULL);
    free(b);
}

static uint64_t bare_wake(void *state, uint64_t n, bool check)
{
    struct bare *b = state;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        atomic_store(&b->begun_ns, 0);
        let_it_sleep();
        uint64_t begin = bench_now_ns();
        bare_set(b, 1);
        uint64_t begun;
        while ((begun = atomic_load(&b->begun_ns)) == 0) {
        }
        sum += begun - begin;
    }
    return check ? 1 : sum;
}

#define MILLION 1000000

const struct bench_case bench_tutti[] = {
    { "independent", "tutti", 1, MILLION, start, independent, stop },
    { "independent", "tutti", 2, MILLION, start, independent, stop },
    { "chain", "tutti", 1, MILLION, start, chain, stop },
    { "chain", "tutti", 2, MILLION, start, chain, stop },
    { "fan_in", "tutti", 1, MILLION, start, fan_in, stop },
    { "fan_in", "tutti", 2, MILLION, start, fan_in, stop },
    { "wavefront", "tutti", 1, MILLION, start, wavefront, stop },
    { "wavefront", "tutti", 2, MILLION, start, wavefront, stop },
    { "wavefront", "tutti", 2, MILLION / 4, start, wavefront, stop },
    { "binary_tree", "tutti", 1, (1 << 20) - 1, start, binary_tree, stop },
    { "binary_tree", "tutti", 2, (1 << 20) - 1, start, binary_tree, stop },
    { "wake", "tutti", 2, 300, start, wake, stop },
    { "wake", "futex", 2, 300, bare_start, bare_wake, bare_stop },
};
const unsigned bench_tutti_count = sizeof bench_tutti / sizeof bench_tutti[0];
