/* SPDX-License-Identifier: MIT */
/*
 * test_fail_alloc.h - runs a scenario with its first allocation failing, then its second, and so on until
 * none of them fails any more; then again with all allocations from the k-th on failing.
 *
 * A scenario has a part in which allocations fail (act), on whichever thread they come, and leaves its
 * tasks to be waited for afterwards. After each run: all statuses were documented ones, every task has
 * settled, a probe task runs, the engine ends, and no memory is left.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_UNIT_TEST_FAIL_ALLOC_H
#define TUTTI_TESTS_UNIT_TEST_FAIL_ALLOC_H

#include "unit/test_catalogue.h"

enum { RUN_TASKS = 64, RUN_NTH_MAX = 400 };

/* One run of a scenario. */
struct run {
    tutti_engine *e;
    tutti_task *tasks[RUN_TASKS]; /* to be waited for */
    int count;
    int accepted;        /* arguments with drop_count that the engine took */
    atomic_int wrong;    /* statuses that are not documented */
    int first_wrong;     /* one of them */
    uint64_t failed;     /* allocations that failed */
};

struct scenario {
    const char *name;
    uint32_t workers;
    uint32_t loop;
    bool makes_engine;          /* tutti_engine_new is a part of what fails */
    bool frees_engine;          /* tutti_engine_free is */
    void (*act)(struct run *run);
};

/* Is `rc` one that running out of memory may lead to? Returns: whether it is TUTTI_OK. */
TAP__UNUSED static bool took(struct run *run, int rc)
{
    if (rc != TUTTI_OK && rc != TUTTI_ENOMEM && rc != TUTTI_EAGAIN) {
        run->first_wrong = rc;
        atomic_fetch_add(&run->wrong, 1);
    }
    return rc == TUTTI_OK;
}

/* From here on nothing fails any more. */
TAP__UNUSED static void disarm(struct run *run)
{
    run->failed += tutti__alloc_failed();
    tutti__alloc_fail_nth(0);
}

/* Have `task` waited for at the end. Returns: `task`. */
TAP__UNUSED static tutti_task *keep(struct run *run, int rc, tutti_task *task)
{
    if (!took(run, rc) || task == NULL) {
        return NULL;
    }
    run->tasks[run->count++] = task;
    return task;
}

/* Make a promise and keep it; NULL when that fails. */
TAP__UNUSED static tutti_task *run_promise(struct run *run)
{
    tutti_task *task = NULL;
    int rc = tutti_promise_new(run->e, &task);
    return keep(run, rc, task);
}

/* Submit with an argument that is counted when it is dropped; NULL when that fails. */
TAP__UNUSED static tutti_task *run_submit(struct run *run, tutti_task_desc desc,
                                          tutti_task *const *after, size_t count)
{
    tutti_task *task = NULL;
    desc.struct_size = sizeof desc;
    desc.arg_drop = drop_count;
    int rc = tutti_submit(run->e, &desc, after, count, &task);
    run->accepted += rc == TUTTI_OK ? 1 : 0;
    return keep(run, rc, task);
}

/* Out of memory may keep a task from being done, but not from settling with a status that says so. */
static bool is_good_end(int rc)
{
    return rc == TUTTI_OK || rc == TUTTI_ENOMEM || rc == TUTTI_EAGAIN || rc == TUTTI_ECANCELED ||
           rc == TUTTI_ESKIPPED || rc == TUTTI_EIO || rc == TUTTI_EFAILED;
}

static void run_end(struct run *run, const struct scenario *s, uint64_t nth)
{
    for (int i = 0; i < run->count; i++) {
        bool ended = has_ended(run->tasks[i]);
        int rc = ended ? tutti_task_result(run->tasks[i], NULL) : TUTTI_ETIMEDOUT;
        if (!is_good_end(rc)) {
            FAIL("%s, allocation %d: task %d ended with %d", s->name, (int)nth, i, rc);
        }
        tutti_task_unref(run->tasks[i]);
    }
    if (run->e == NULL || s->frees_engine) {
        return;
    }
    int probe = finish(submit(run->e, body_empty, NULL));
    if (probe != TUTTI_OK || tutti_wait_idle(run->e) != TUTTI_OK) {
        FAIL("%s, allocation %d: the engine is of no use afterwards: %d", s->name, (int)nth, probe);
    }
}

static int arm(uint64_t nth, bool goes_on)
{
    return goes_on ? tutti__alloc_fail_from(nth) : tutti__alloc_fail_nth(nth);
}

/* Returns: how many allocations failed. */
static uint64_t run_once(const struct scenario *s, uint64_t nth, bool goes_on)
{
    struct run run = { .e = NULL };
    tutti_config config = { .struct_size = sizeof config, .workers = s->workers, .loop = s->loop,
                            .seed = tap_seed() | 1 };
    uint64_t live = tutti__alloc_live();
    atomic_store(&dropped, 0);
    if (s->makes_engine) {
        arm(nth, goes_on);
        took(&run, tutti_engine_new(&run.e, &config));
    } else {
        if (tutti_engine_new(&run.e, &config) != TUTTI_OK) {
            FAIL("no engine");
            return 0;
        }
        arm(nth, goes_on);
    }
    if (run.e != NULL && s->act != NULL) {
        s->act(&run);
    }
    if (s->frees_engine && run.e != NULL && tutti_engine_free(run.e) != TUTTI_OK) {
        FAIL("%s, allocation %d: not freed", s->name, (int)nth);
    }
    disarm(&run);
    run_end(&run, s, nth);
    if (!s->frees_engine && run.e != NULL && tutti_engine_free(run.e) != TUTTI_OK) {
        FAIL("%s, allocation %d: not freed", s->name, (int)nth);
    }
    if (atomic_load(&run.wrong) != 0) {
        FAIL("%s, allocation %d: status %d", s->name, (int)nth, run.first_wrong);
    }
    if (dropped != run.accepted) {
        FAIL("%s, allocation %d: %d arguments taken, %d dropped", s->name, (int)nth, run.accepted, dropped);
    }
    if (tutti__alloc_live() != live) {
        FAIL("%s, allocation %d: %d blocks left", s->name, (int)nth, (int)(tutti__alloc_live() - live));
    }
    return run.failed;
}

/* Until nothing fails: then every allocation of the scenario has failed once. */
static void run_all(const struct scenario *s, bool goes_on)
{
    uint64_t nth = 1;
    while (nth < RUN_NTH_MAX && run_once(s, nth, goes_on) != 0) {
        nth++;
    }
    OK(nth < RUN_NTH_MAX, "%s: each of %d allocations has failed%s", s->name, (int)nth - 1,
       goes_on ? ", with all that follow" : "");
}

TAP__UNUSED static void run_scenarios(const struct scenario *scenarios, int count)
{
    if (!tutti__alloc_fail_nth(0)) {
        OK(true, "no failing allocations in this build");
        return;
    }
    for (int i = 0; i < count; i++) {
        run_all(&scenarios[i], false);
        run_all(&scenarios[i], true);
    }
}

#endif
