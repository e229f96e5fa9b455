/* SPDX-License-Identifier: MIT */
/* test_stop.c - the end with tasks waiting, ready, running, suspended, and promises pending. */
#include <time.h>

#include "base/alloc.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;

static int body_until_cancelled(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    sem_post(arg);
    while (!tutti__task_is_cancelled(self)) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
    return TUTTI_ECANCELED;
}

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_TASK_SUSPEND;
}

/* A suspended task that lives on a worker: its hook settles it there. */
struct resident {
    struct tutti__cancel_hook hook;
    tutti_task *task;
    struct tutti__thread *thread;
    bool settled_at_home;
};

static void resident_cancelled(struct tutti__post *post)
{
    struct resident *r = (struct resident *)post;
    r->settled_at_home = tutti__thread_here(sched) == r->thread;
    tutti__promise_settle(r->task, TUTTI_ECANCELED, NULL);
}

static int body_resident(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    struct resident *r = arg;
    r->thread = tutti__thread_here(sched);
    r->task = self;
    r->hook.post.fn = resident_cancelled;
    r->hook.home = tutti__thread_home(r->thread);
    *tutti__thread_slot(r->thread) = r;
    return tutti__task_set_cancel_hook(self, &r->hook) ? TUTTI_TASK_SUSPEND : TUTTI_ECANCELED;
}

static atomic_int stops;

static void on_worker_stop(void *user, void *slot)
{
    (void)slot;
    atomic_fetch_add((atomic_int *)user, 1);
}

static void with_everything(uint32_t workers)
{
    struct tutti__sched_config config = { .workers = workers, .seed = 1, .user = &stops,
                                          .worker_stop = on_worker_stop };
    REQUIRE(tutti__sched_new(&sched, &config) == TUTTI_OK, "made");
    EQ_PTR(tutti__sched_user(sched), &stops, "user");
    EQ_UINT(tutti__sched_workers(sched), workers, "workers");
    atomic_store(&stops, 0);
    atomic_store(&dropped, 0);
    sem_t begun;
    sem_init(&begun, 0, 0);
    struct resident resident = { .settled_at_home = false };
    enum { RESIDENT, SUSPENDED, PROMISE, STARTED, WAITING, FURTHER, RUNNING, READY, COUNT };
    tutti_task *t[COUNT];
    tutti_task_desc strict = { .struct_size = sizeof strict, .fn = body_resident, .arg = &resident,
                               .flags = TUTTI_NO_HELP };
    REQUIRE(tutti__sched_submit(sched, &strict, NULL, 0, &t[RESIDENT]) == TUTTI_OK, "resident");
    t[SUSPENDED] = spawn(sched, body_suspend, NULL);
    while (tutti__task_state(t[RESIDENT]) != TUTTI_TASK_SUSPENDED ||
           tutti__task_state(t[SUSPENDED]) != TUTTI_TASK_SUSPENDED) {
    }
    t[PROMISE] = promise_make(sched);
    t[STARTED] = promise_make(sched);
    tutti__promise_start(t[STARTED]);
    tutti_task *two[2] = { t[PROMISE], t[SUSPENDED] };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg_drop = drop_count };
    tutti__sched_submit(sched, &desc, two, 2, &t[WAITING]);
    t[FURTHER] = spawn_after(sched, body_empty, NULL, &t[WAITING], 1);
    t[RUNNING] = spawn(sched, body_until_cancelled, &begun);
    sem_take(&begun);
    for (uint32_t i = 1; i < workers; i++) { /* keep the other workers busy too */
        tutti__task_unref(spawn(sched, body_until_cancelled, &begun));
        sem_take(&begun);
    }
    t[READY] = spawn(sched, body_empty, NULL);

    tutti__sched_stop(sched, UINT64_MAX);
    tutti__sched_stop(sched, UINT64_MAX); /* twice is once */
    for (int i = 0; i < COUNT; i++) {
        OK(tutti__task_is_done(t[i]), "task %d has settled: state %d", i, (int)tutti__task_state(t[i]));
    }
    OK(resident.settled_at_home, "the resident was settled at its home");
    EQ_INT(tutti__task_state(t[SUSPENDED]), TUTTI_TASK_CANCELLED, "a suspended one is cancelled");
    EQ_INT(tutti__task_state(t[PROMISE]), TUTTI_TASK_CANCELLED, "a promise is");
    EQ_INT(tutti__task_state(t[STARTED]), TUTTI_TASK_CANCELLED, "a started promise is");
    EQ_INT(tutti__task_state(t[READY]), TUTTI_TASK_CANCELLED, "a ready one is");
    EQ_INT(atomic_load(&dropped), 1, "the argument of what never ran is dropped");
    EQ_INT(atomic_load(&stops), 1, "the worker with a slot has said that it stops");
    tutti_task *more = NULL;
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 0, &more), TUTTI_ESTOPPED, "no submit any more");
    EQ_INT(tutti__sched_promise_new(sched, &more), TUTTI_ESTOPPED, "no promise any more");
    EQ_INT(tutti__promise_settle(t[PROMISE], TUTTI_OK, NULL), TUTTI_ESETTLED, "too late");
    EQ_INT(tutti__task_wait(t[READY], TUTTI_FOREVER), TUTTI_OK, "waits still work");
    for (int i = 0; i < COUNT; i++) {
        tutti__task_unref(t[i]);
    }
    tutti__sched_free(sched);
    sem_destroy(&begun);
}

/* Handles that are not released are the host's bug, but not a crash at the end. */
static void large_records(void)
{
    sched = sched_make(1);
    static char arg[50000];
    tutti_task *promise = promise_make(sched);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg = arg,
                             .arg_bytes = sizeof arg };
    tutti_task *tasks[10];
    for (int i = 0; i < 10; i++) {
        tutti__sched_submit(sched, &desc, &promise, 1, &tasks[i]);
    }
    tutti__task_unref(promise);
    tutti__sched_stop(sched, UINT64_MAX);
    for (int i = 0; i < 10; i++) {
        OK(tutti__task_is_done(tasks[i]), "a large one has settled");
        tutti__task_unref(tasks[i]);
    }
    tutti__sched_free(sched);
}

static void no_memory(void)
{
    struct tutti__sched_config config = { .workers = 2, .seed = 1 };
    if (!tutti__alloc_fail_nth(0)) {
        return;
    }
    int rc = TUTTI_ENOMEM;
    uint64_t nth = 0;
    while (rc == TUTTI_ENOMEM && nth < 100) {
        tutti__alloc_fail_nth(++nth);
        rc = tutti__sched_new(&sched, &config);
        if (rc != TUTTI_OK && tutti__alloc_live() != 0) {
            FAIL("allocation %u fails and %u are left", (unsigned)nth, (unsigned)tutti__alloc_live());
        }
    }
    tutti__alloc_fail_nth(0);
    EQ_INT(rc, TUTTI_OK, "made when nothing fails any more");
    OK(nth > 5, "each of %u allocations could fail", (unsigned)nth - 1);
    tutti__sched_free(sched);
    config.workers = 100000;
    EQ_INT(tutti__sched_new(&sched, &config), TUTTI_EINVAL, "too many workers");
}

int main(void)
{
    TAP_BEGIN();
    with_everything(1);
    with_everything(4);
    large_records();
    no_memory();
    tutti__sched_free(NULL);
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
