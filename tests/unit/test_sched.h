/* SPDX-License-Identifier: MIT */
/*
 * test_sched.h - what the tests of engine/sched share: making a scheduler, bodies, a gate.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_UNIT_TEST_SCHED_H
#define TUTTI_TESTS_UNIT_TEST_SCHED_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "sched/sched.h"
#include "support/tap.h"

TAP__UNUSED static struct tutti__sched *sched_make(uint32_t workers)
{
    struct tutti__sched_config config = { .workers = workers, .seed = tap_seed() | 1 };
    struct tutti__sched *sched = NULL;
    REQUIRE(tutti__sched_new(&sched, &config) == TUTTI_OK, "a scheduler with %u workers",
            (unsigned)workers);
    return sched;
}

/* Submit fn(arg); NULL when that fails. */
TAP__UNUSED static tutti_task *spawn_after(struct tutti__sched *sched, tutti_task_fn fn, void *arg,
                                           tutti_task *const *after, size_t count)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg };
    tutti_task *task = NULL;
    return tutti__sched_submit(sched, &desc, after, count, &task) == TUTTI_OK ? task : NULL;
}

TAP__UNUSED static tutti_task *spawn(struct tutti__sched *sched, tutti_task_fn fn, void *arg)
{
    return spawn_after(sched, fn, arg, NULL, 0);
}

TAP__UNUSED static tutti_task *promise_make(struct tutti__sched *sched)
{
    tutti_task *task = NULL;
    return tutti__sched_promise_new(sched, &task) == TUTTI_OK ? task : NULL;
}

TAP__UNUSED static int await(tutti_task *task)
{
    return tutti__task_wait(task, TUTTI_FOREVER);
}

/* A body that does nothing, one that counts (arg: atomic_int), one that fails. */
TAP__UNUSED static int body_empty(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_OK;
}

TAP__UNUSED static int body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add_explicit((atomic_int *)arg, 1, memory_order_relaxed);
    return TUTTI_OK;
}

TAP__UNUSED static int body_fail(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 42 };
    return TUTTI_EIO;
}

/* A body that says that it has begun and waits until it is let go. */
struct gate {
    sem_t begun;
    sem_t open;
};

TAP__UNUSED static void gate_init(struct gate *gate)
{
    sem_init(&gate->begun, 0, 0);
    sem_init(&gate->open, 0, 0);
}

TAP__UNUSED static void gate_deinit(struct gate *gate)
{
    sem_destroy(&gate->begun);
    sem_destroy(&gate->open);
}

TAP__UNUSED static void sem_take(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

TAP__UNUSED static int body_gate(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct gate *gate = arg;
    sem_post(&gate->begun);
    sem_take(&gate->open);
    return TUTTI_OK;
}

/* A drop function that counts. */
static atomic_int dropped TAP__UNUSED;

TAP__UNUSED static void drop_count(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}

#endif
