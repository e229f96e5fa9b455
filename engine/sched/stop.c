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
        tutti__home_post(hook->home, &hook->post);
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

static void walk_all(struct tutti__sched *sched)
{
    struct walk walk = { sched, sched->creator };
    struct tutti__visitor visitor = { &walk, pin, visit, unpin };
    tutti__idle_freeze(&sched->idle);
    tutti__store_walk(&sched->store, &visitor);
    tutti__idle_thaw(&sched->idle);
}

/* ---- steps -------------------------------------------------------------------------------- */

void tutti__sched_close(struct tutti__sched *sched)
{
    uint32_t open = 0;
    /* seq_cst: close, then look who is inside; see intake_enter in submit.c. */
    TUTTI_CAS_STRONG(&sched->closed, &open, 1, seq_cst, seq_cst);
}

static void wait_until_out(struct tutti__thread *thread)
{
    uint32_t busy = 1;
    if (TUTTI_CAS_STRONG(&thread->busy, &busy, 2, seq_cst, seq_cst)) {
        busy = 2;
    }
    while (busy == 2) {
        tutti__futex_wait(&thread->busy, 2, UINT64_MAX);
        busy = TUTTI_LOAD(&thread->busy, seq_cst);
    }
}

static void wait_for_foreign(struct tutti__sched *sched)
{
    /* A context that is made after this lock sees the intake closed; one made before is in the list. */
    tutti__mutex_lock(&sched->mu);
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, relaxed);
    tutti__mutex_unlock(&sched->mu);
    for (; thread != NULL; thread = thread->next) {
        wait_until_out(thread);
    }
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
}

/* Records that were settled early while they were queued, and posts that came too late. */
static void empty_queues(struct tutti__sched *sched)
{
    struct tutti__thread *creator = sched->creator;
    tutti_task *task;
    for (uint32_t i = 0; i < sched->worker_count; i++) {
        while (tutti__home_drain(&sched->workers[i]->own_home)) {
        }
    }
    drain_tasks(creator);
    while ((task = tutti__strict_take(&sched->strict)) != NULL ||
           (task = tutti__level_take(&sched->levels, &sched->raised, TUTTI__LEVELS_ALL)) != NULL ||
           (task = tutti__pinned_take(&sched->pinned)) != NULL) {
        tutti__run(creator, task);
    }
    tutti__batch_flush(&creator->batch);
}

void tutti__sched_stop(struct tutti__sched *sched)
{
    if (sched->stopped) {
        return;
    }
    struct tutti__home *home = sched->creator->home;
    tutti__sched_close(sched);
    wait_for_foreign(sched);
    tutti__blocking_stop(sched);
    drain_tasks(sched->creator);
    walk_all(sched);
    if (home != NULL) {
        while (tutti__home_drain(home)) {
        }
        sched->creator->home = NULL; /* so that it may wait */
    }
    tutti__sched_wait_idle(sched);
    join_workers(sched);
    empty_queues(sched);
    sched->creator->home = home;
    sched->stopped = true;
}
