/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the end of a scheduler: nothing is left running, waiting or lost.
 *
 *   close the intake -> wait for foreign threads inside submit -> end the extra threads ->
 *   hold all workers still and go through every record (cancel what has not started, fire hooks,
 *   abandon what nobody would settle) -> wait until idle -> join the workers -> empty queues and homes
 *
 * The records themselves are the list of what there is: nothing is linked anywhere on the hot path for
 * the sake of this one moment. While the walk lasts no record is allocated (the intake is closed, the
 * workers are held), so an address is either a record, a freed one (not LIVE, no references) or zero.
 * Threads outside of the pool may still settle, cancel and unref: they do all of it by read-modify-
 * writes (tutti__thread_is_pool), so a reference taken from a count that is not zero is a good one.
 *
 * Layer: sched. Locks: sched.mu, idle.mu, store.mu, one at a time.
 */
#include <string.h>

#include "sched/core.h"

struct walk {
    struct tutti__sched *sched;
    struct tutti__thread *creator;
};

/* ---- the walk ----------------------------------------------------------------------------- */

static bool pin(void *object)
{
    tutti_task *task = object;
    if ((tutti__record_flags(task) & TUTTI__RECORD_LIVE) == 0) {
        return false;
    }
    uint32_t refs = TUTTI_LOAD(&task->refs, relaxed); /* the exchange decides */
    while (refs != 0) {
        if (TUTTI_CAS_WEAK(&task->refs, &refs, refs + 1, acq_rel, relaxed)) {
            return true;
        }
    }
    return false;
}

static void unpin(void *object)
{
    tutti__task_unref(object);
}

/* A suspended task has been cancelled: let its home settle it, or do it here. */
static void end_suspended(struct walk *walk, tutti_task *task)
{
    struct tutti__home *own = walk->creator->home;
    struct tutti__cancel_hook *hook = tutti__cancel_take(task);
    if (hook != NULL && hook->home != own && hook->home != walk->sched->left_home) {
        tutti__home_post_urgent(hook->home, &hook->post);
        return;
    }
    if (hook != NULL && hook->home == own) {
        hook->post.fn(&hook->post); /* this is the home's thread */
    }
    tutti__promise_abandon(task);
}

static void visit(void *user, void *object)
{
    struct walk *walk = user;
    tutti_task *task = object;
    if (tutti__task_is_done(task)) {
        return;
    }
    /* acquire: pairs with the body's return, which comes before RETURNED. */
    uint64_t pending = TUTTI_LOAD(&task->pending, acquire);
    bool suspended = (pending & TUTTI__PENDING_RETURNED) != 0;
    if (suspended) {
        /* First the flag alone: what is posted must find the task cancelled. */
        TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_CANCEL, seq_cst);
        end_suspended(walk, task);
    } else if ((pending & TUTTI__PENDING_STARTED) == 0) {
        tutti__task_cancel(task);
    }
}

static bool walk_all(struct tutti__sched *sched, uint64_t deadline_ns)
{
    struct walk walk = { sched, sched->creator };
    struct tutti__visitor visitor = { &walk, pin, visit, unpin };
    if (!tutti__idle_freeze(&sched->idle, deadline_ns)) {
        return false;
    }
    tutti__store_walk(&sched->store, &visitor);
    tutti__idle_thaw(&sched->idle);
    return true;
}

/* ---- what is left --------------------------------------------------------------------------- */

static void count(void *user, void *object)
{
    (void)object;
    ++*(size_t *)user;
}

bool tutti__sched_has_records(struct tutti__sched *sched)
{
    size_t records = 0;
    struct tutti__visitor visitor = { &records, pin, count, unpin };
    tutti__store_walk(&sched->store, &visitor);
    return records != 0;
}

/* ---- steps -------------------------------------------------------------------------------- */

void tutti__sched_close(struct tutti__sched *sched)
{
    uint32_t open = 0;
    /* seq_cst: close, then look who is inside; see intake_enter in submit.c. */
    TUTTI_CAS_STRONG(&sched->closed, &open, 1, seq_cst, seq_cst);
    TUTTI_FETCH_OR(&sched->alarm, TUTTI__ALARM_CLOSED, relaxed); /* see must_not_start */
    TUTTI_FENCE(seq_cst); /* closed before, the look for bodies that wait after: lot.h */
    tutti__lot_wake_bodies(&sched->lot, NULL);
}

static bool wait_until_out(struct tutti__thread *thread, uint64_t deadline_ns)
{
    bool in_time = true;
    uint32_t busy = 1;
    if (TUTTI_CAS_STRONG(&thread->busy, &busy, 2, seq_cst, seq_cst)) {
        busy = 2;
    }
    while (busy == 2 && in_time) {
        in_time = tutti__futex_wait(&thread->busy, 2, deadline_ns);
        busy = TUTTI_LOAD(&thread->busy, seq_cst);
    }
    return busy != 2;
}

static bool wait_for_foreign(struct tutti__sched *sched, uint64_t deadline_ns)
{
    /* A context that is made after this lock sees the intake closed; one made before is in the list. */
    tutti__mutex_lock(&sched->mu);
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, relaxed);
    tutti__mutex_unlock(&sched->mu);
    bool are_out = true;
    for (; thread != NULL && are_out; thread = thread->next) {
        are_out = wait_until_out(thread, deadline_ns);
    }
    return are_out;
}

/* All has settled, so who sleeps in a wait outside of a body is on its way out. */
static bool wait_for_outside(struct tutti__sched *sched, uint64_t deadline_ns)
{
    bool in_time = true;
    /* seq_cst: see leave_outside in wait.c. */
    uint32_t left = TUTTI_FETCH_OR(&sched->outside, TUTTI__OUTSIDE_STOP, seq_cst) |
                    TUTTI__OUTSIDE_STOP;
    while (left != TUTTI__OUTSIDE_STOP && in_time) {
        in_time = tutti__futex_wait(&sched->outside, left, deadline_ns);
        left = TUTTI_LOAD(&sched->outside, seq_cst);
    }
    return left == TUTTI__OUTSIDE_STOP;
}

/* Take what this thread can take; the intake is closed, so it settles as cancelled. */
static void drain_tasks(struct tutti__thread *creator)
{
    tutti_task *task;
    while ((task = tutti__find(creator)) != NULL) {
        tutti__run(creator, task);
    }
}

static void join_workers(struct tutti__sched *sched)
{
    TUTTI_STORE(&sched->closed, 2, seq_cst);
    tutti__idle_thaw(&sched->idle); /* a worker that does not sleep yet looks at closed before it does */
    for (uint32_t i = 0; i < sched->worker_count; i++) {
        pthread_join(sched->workers[i]->pthread, NULL);
    }
    tutti__spares_wake(sched);
    tutti__spares_join(sched);
}

static void empty_homes(struct tutti__sched *sched)
{
    for (uint32_t i = 0; i < sched->worker_count; i++) {
        while (tutti__home_drain(&sched->workers[i]->own_home)) {
        }
    }
    uint32_t spares = TUTTI_LOAD(&sched->spares.count, relaxed); /* their threads have been joined */
    for (uint32_t i = 0; i < spares; i++) {
        while (tutti__home_drain(&TUTTI_LOAD(&sched->spares.all[i], relaxed)->own_home)) {
        }
    }
}

/* Records that were settled early while they were queued, and posts that came too late. */
static void empty_queues(struct tutti__sched *sched)
{
    struct tutti__thread *creator = sched->creator;
    tutti_task *task;
    empty_homes(sched);
    drain_tasks(creator);
    while ((task = tutti__strict_take(&sched->strict, 0)) != NULL ||
           (task = tutti__level_take(&sched->levels, &sched->raised, TUTTI__LEVELS_ALL)) != NULL ||
           (task = tutti__pinned_take(&sched->pinned)) != NULL) {
        tutti__run(creator, task);
    }
    tutti__batch_flush(&creator->batch);
}

/* The steps that wait for others. Each does no harm when it is done again. */
static bool end_all(struct tutti__sched *sched, uint64_t deadline_ns)
{
    struct tutti__home *home = sched->creator->home;
    if (!wait_for_foreign(sched, deadline_ns) || !tutti__blocking_stop(sched, deadline_ns)) {
        return false;
    }
    drain_tasks(sched->creator);
    if (!walk_all(sched, deadline_ns)) {
        return false;
    }
    if (home != NULL) {
        while (tutti__home_drain(home)) {
        }
        sched->creator->home = NULL; /* so that it may wait */
    }
    int rc = tutti__sched_wait_idle_until(sched, deadline_ns);
    sched->creator->home = home;
    return rc == TUTTI_OK && wait_for_outside(sched, deadline_ns);
}

int tutti__sched_stop(struct tutti__sched *sched, uint64_t deadline_ns)
{
    if (sched->stopped) {
        return TUTTI_OK;
    }
    tutti__sched_close(sched);
    if (!end_all(sched, deadline_ns)) {
        return TUTTI_ETIMEDOUT;
    }
    join_workers(sched);
    empty_queues(sched);
    sched->stopped = true;
    return TUTTI_OK;
}
