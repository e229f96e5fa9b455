/* SPDX-License-Identifier: MIT */
/*
 * stress_catalogue_load.c - odd loads: no workers and 64 on two cores, all of them busy in C, one long
 * task with many short ones behind it, tasks that make themselves again for ever. Whatever is ready runs
 * in bounded time (the bound is that of a hang: nothing here measures).
 *
 * Reproduces: tokio #2349, #4941 (a task kept in a slot that nobody can steal from), #5686, taskflow #681
 * (stealing without end), enkiTS #48, TBB #889 (tasks left while threads sleep); reliability.md 9, rows
 * 44 and 48.
 */
#include <time.h>

#include "base/limits.h"
#include "stress/stress.h"

static tutti_engine *e;
static atomic_bool stop;

static bool wait_for(atomic_int *counter, int count)
{
    uint64_t end_ns = tutti__clock_now_ns() + 60 * TUTTI_NS_PER_S;
    while (atomic_load(counter) < count && !stress_is_over(end_ns)) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
    return atomic_load(counter) >= count;
}

static void begin(uint32_t workers)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .seed = tap_seed() | 1 };
    REQUIRE(tutti_engine_new(&e, &config) == TUTTI_OK, "an engine with %d workers", (int)workers);
    atomic_store(&stop, false);
}

static void end(void)
{
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

static bool submit(tutti_task_fn fn, void *arg, uint32_t flags)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg, .flags = flags };
    return tutti_submit(e, &desc, NULL, 0, NULL) == TUTTI_OK;
}

/* ---- numbers of workers ------------------------------------------------------------------------ */

static int body_tree(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    uintptr_t depth = (uintptr_t)arg;
    static atomic_int unused;
    for (int i = 0; depth > 0 && i < 8; i++) {
        if (!submit(body_tree, (void *)(depth - 1), 0)) {
            return TUTTI_EFAILED;
        }
    }
    atomic_fetch_add_explicit(&unused, 1, memory_order_relaxed);
    return TUTTI_OK;
}

/* All from one queue: each of the others steals (a storm with 64 of them), then all sleep again. */
static void tree(uint32_t workers, uintptr_t depth)
{
    begin(workers);
    for (int i = 0; i < 3; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_tree, .arg = (void *)depth };
        tutti_task *task = NULL;
        tutti_submit(e, &desc, NULL, 0, &task);
        EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "a tree");
        EQ_INT(tutti_task_result(task, NULL), TUTTI_OK, "is whole");
        tutti_task_unref(task);
        EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    }
    atomic_int ran = 0;
    for (int i = 0; i < 3; i++) { /* fewer tasks than workers */
        submit(body_count, &ran, 0);
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, 3, "three tasks");
    end();
}

/* ---- busy workers ------------------------------------------------------------------------------ */

static int body_busy(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add((atomic_int *)arg, 1);
    while (!atomic_load(&stop)) {
        sched_yield();
    }
    return TUTTI_OK;
}

/* All workers are in C for long: the loop, blocking tasks and the creator go on. */
static void all_in_c(uint32_t workers)
{
    begin(workers);
    atomic_int begun = 0;
    atomic_int ran = 0;
    for (uint32_t i = 0; i < workers; i++) {
        submit(body_busy, &begun, TUTTI_NO_HELP);
    }
    OK(wait_for(&begun, (int)workers), "all workers are busy");
    tutti_task *sleep = NULL;
    tutti_sleep(e, TUTTI_NS_PER_MS, &sleep);
    EQ_INT(tutti_task_wait(sleep, 60 * TUTTI_NS_PER_S), TUTTI_OK, "a timer fires");
    tutti_task_unref(sleep);
    submit(body_count, &ran, TUTTI_BLOCKING);
    OK(wait_for(&ran, 1), "a blocking task runs");
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &ran };
    tutti_task *task = NULL;
    tutti_submit(e, &desc, NULL, 0, &task);
    EQ_INT(tutti_task_wait(task, 60 * TUTTI_NS_PER_S), TUTTI_OK, "the creator runs what it waits for");
    tutti_task_unref(task);
    submit(body_count, &ran, TUTTI_NO_HELP);
    atomic_store(&stop, true);
    end();
    EQ_INT(ran, 3, "what had to wait for a worker ran");
}

struct promised {
    tutti_task *promise;
    atomic_int ran;
    int children;
};

/* Makes others ready in every way there is, then keeps its worker until they have run elsewhere. */
static int body_long(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct promised *p = arg;
    for (int i = 0; i < p->children; i++) {
        submit(body_count, &p->ran, i % 2 == 0 ? 0 : TUTTI_DETACH);
    }
    if (p->promise != NULL) {
        tutti_promise_settle(p->promise, TUTTI_OK, NULL); /* its successor is ready: here or elsewhere? */
    }
    return wait_for(&p->ran, p->children + (p->promise != NULL ? 1 : 0)) ? TUTTI_OK : TUTTI_EFAILED;
}

/* tokio #4941: what a long task has made ready must not wait for that task's end. */
static void one_long(int children, bool promise)
{
    for (int round = 0; round < 20; round++) {
        struct promised p = { .children = children };
        if (promise) {
            tutti_promise_new(e, &p.promise);
            tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &p.ran };
            tutti_submit(e, &desc, &p.promise, 1, NULL);
        }
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_long, .arg = &p,
                                 .flags = TUTTI_NO_HELP };
        tutti_task *task = NULL;
        tutti_submit(e, &desc, NULL, 0, &task);
        int rc = tutti_task_wait(task, TUTTI_FOREVER);
        rc = rc == TUTTI_OK ? tutti_task_result(task, NULL) : rc;
        tutti_task_unref(task);
        if (promise) {
            tutti_task_unref(p.promise);
        }
        tutti_wait_idle(e); /* `p` goes away */
        if (rc != TUTTI_OK) {
            FAIL("%d children, promise %d: others were held up: %d", children, promise, rc);
            return;
        }
    }
    OK(true, "a long task holds up nobody: %d children, promise %d", children, promise);
}

/* A chain's next task is run directly; what the chain's link has made besides must not wait for it. */
static int body_link(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct promised *p = arg;
    return wait_for(&p->ran, 1) ? TUTTI_OK : TUTTI_EFAILED;
}

static void behind_a_chain(void)
{
    for (int round = 0; round < 20; round++) {
        struct promised p = { .children = 0 };
        tutti_task *first = NULL;
        tutti_promise_new(e, &first);
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
        tutti_task *head = NULL;
        tutti_submit(e, &desc, &first, 1, &head);
        desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_link, .arg = &p };
        tutti_task *link = NULL;
        tutti_submit(e, &desc, &head, 1, &link);
        desc.fn = body_count;
        desc.arg = &p.ran;
        tutti_submit(e, &desc, &head, 1, NULL);
        tutti_promise_settle(first, TUTTI_OK, NULL);
        int rc = tutti_task_wait(link, TUTTI_FOREVER);
        rc = rc == TUTTI_OK ? tutti_task_result(link, NULL) : rc;
        tutti_task_unref(link);
        tutti_task_unref(head);
        tutti_task_unref(first);
        tutti_wait_idle(e); /* `p` goes away */
        if (rc != TUTTI_OK) {
            FAIL("one of two successors waits for the other: %d", rc);
            return;
        }
    }
    OK(true, "two successors of one task do not wait for each other");
}

/* ---- for ever ---------------------------------------------------------------------------------- */

static atomic_int rows[4]; /* how far each of the endless rows has come */

static int body_again(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add_explicit((atomic_int *)arg, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        submit(body_again, arg, TUTTI_DETACH);
    }
    return TUTTI_OK;
}

/* Each task's end makes the next ready: a chain that never ends and is run directly. */
static int body_chain(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    atomic_fetch_add_explicit((atomic_int *)arg, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_chain, .arg = arg,
                                 .flags = TUTTI_DETACH };
        tutti_submit(e, &desc, &self, 1, NULL);
    }
    return TUTTI_OK;
}

static void *submit_elsewhere(void *arg)
{
    submit(body_count, arg, 0);
    return NULL;
}

/* Workers are never without work of their own; what comes from elsewhere gets its turn. */
static void for_ever(uint32_t workers, tutti_task_fn fn)
{
    begin(workers);
    for (int i = 0; i < 4; i++) {
        atomic_store(&rows[i], 0);
        submit(fn, &rows[i], 0);
    }
    atomic_int ran = 0;
    int expected = 0;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        pthread_create(&thread, NULL, submit_elsewhere, &ran);
        pthread_join(thread, NULL);
        submit(body_count, &ran, 0);
        submit(body_count, &ran, TUTTI_NO_HELP);
        submit(body_count, &ran, TUTTI_BLOCKING);
        expected += 4;
        if (!wait_for(&ran, expected)) {
            FAIL("round %d: %d of %d tasks have run", round, atomic_load(&ran), expected);
            break;
        }
    }
    EQ_INT(ran, expected, "tasks from elsewhere run though workers are never without work");
    for (int i = 0; i < 4; i++) {
        int before = atomic_load(&rows[i]);
        OK(wait_for(&rows[i], before + 100), "an endless row goes on beside the others");
    }
    atomic_store(&stop, true);
    end();
}

int main(void)
{
    TAP_BEGIN();
    static const uint32_t counts[] = { TUTTI_NO_WORKERS, 1, 2, 64 };
    for (int i = 0; i < 4; i++) {
        tree(counts[i], 4);
    }
    all_in_c(1);
    all_in_c(3);
    begin(stress_workers(2));
    one_long(1, false);
    one_long(0, true);
    one_long(100, true);
    behind_a_chain();
    end();
    for (uint32_t workers = 1; workers <= 2; workers++) {
        for_ever(stress_workers(workers), body_again);
        for_ever(stress_workers(workers), body_chain);
    }
    return TAP_END();
}
