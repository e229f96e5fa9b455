/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue.h - what the tests of the bug catalogue share: engines and tasks through tutti.h alone.
 *
 * The catalogue is a list of bugs that other runtimes have had (tests/README.md says which test is for
 * which). These tests use the interface that a host has, so they outlive any change behind it.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_UNIT_TEST_CATALOGUE_H
#define TUTTI_TESTS_UNIT_TEST_CATALOGUE_H

#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "unit/test_sched.h"

/* Far beyond any delay that is not a hang. */
#define HANG_NS (60 * TUTTI_NS_PER_S)

/* Under a sanitizer or with yields everywhere a tenth of it says as much. */
#if defined(TUTTI_TSAN) || defined(TUTTI_HARD)
#define SCALED(count) ((count) / 10)
#else
#define SCALED(count) (count)
#endif

TAP__UNUSED static tutti_engine *engine_make(uint32_t workers, uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .loop = loop,
                            .seed = tap_seed() | 1 };
    tutti_engine *e = NULL;
    REQUIRE(tutti_engine_new(&e, &config) == TUTTI_OK, "an engine");
    return e;
}

/* Submit fn(arg) after others; NULL when that fails. */
TAP__UNUSED static tutti_task *submit_after(tutti_engine *e, tutti_task_fn fn, void *arg,
                                            tutti_task *const *after, size_t count)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg };
    tutti_task *task = NULL;
    return tutti_submit(e, &desc, after, count, &task) == TUTTI_OK ? task : NULL;
}

TAP__UNUSED static tutti_task *submit(tutti_engine *e, tutti_task_fn fn, void *arg)
{
    return submit_after(e, fn, arg, NULL, 0);
}

TAP__UNUSED static tutti_task *new_promise(tutti_engine *e)
{
    tutti_task *task = NULL;
    return tutti_promise_new(e, &task) == TUTTI_OK ? task : NULL;
}

/* Wait, but not for ever: a hang is a failed check with a name, not a test that is killed. */
TAP__UNUSED static bool has_ended(tutti_task *task)
{
    return tutti_task_wait(task, HANG_NS) == TUTTI_OK;
}

/* Wait for it and drop it. Returns: how it ended, or ETIMEDOUT. */
TAP__UNUSED static int finish(tutti_task *task)
{
    int rc = tutti_task_wait(task, HANG_NS);
    if (rc == TUTTI_OK) {
        rc = tutti_task_result(task, NULL);
    }
    tutti_task_unref(task);
    return rc;
}

/* Wait for a semaphore. Returns: false: it takes so long that a wake-up was lost. */
TAP__UNUSED static bool sem_take_in_time(sem_t *sem)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(HANG_NS / TUTTI_NS_PER_S);
    while (sem_timedwait(sem, &until) != 0) {
        if (errno == ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

TAP__UNUSED static void nap_us(long us)
{
    nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

#endif
