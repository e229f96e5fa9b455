/* SPDX-License-Identifier: MIT */
/*
 * wait.c - threads that wait for a task, or for the scheduler to be idle.
 *
 * The creator helps; others sleep. Both leave nothing behind when the deadline comes first.
 *
 * Layer: sched. Locks: lot.mu, idle.mu.
 * Invariant: a waiter says that it waits (WAITED, idle_waiters), then looks whether it is over; who
 * ends what is waited for does so, then looks for waiters; all seq_cst. One of the two sees the other.
 */
#include "base/clock.h"
#include "sched/core.h"

struct wait {
    struct tutti__sched *sched;
    struct tutti__search until;
    bool is_for_idle;
};

static bool task_is_over(struct tutti__thread *thread, const void *key)
{
    (void)thread;
    return tutti__task_is_done(key);
}

static bool idle_is_over(struct tutti__thread *thread, const void *key)
{
    (void)thread;
    return tutti__sched_is_idle((struct tutti__sched *)(uintptr_t)key);
}

static bool is_over(const struct wait *wait)
{
    return wait->until.is_over(NULL, wait->until.key);
}

static bool is_late(const struct wait *wait)
{
    const struct tutti__env *env = wait->sched->env;
    return wait->until.deadline_ns != UINT64_MAX && env->now_ns(env->user) >= wait->until.deadline_ns;
}

static void announce(const struct wait *wait)
{
    if (wait->is_for_idle) {
        TUTTI_FETCH_ADD(&wait->sched->idle_waiters, 1, seq_cst);
    } else {
        tutti_task *task = (tutti_task *)(uintptr_t)wait->until.key;
        TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_WAITED, seq_cst);
    }
    TUTTI_FENCE(seq_cst);
}

static void renounce(const struct wait *wait)
{
    if (wait->is_for_idle) {
        TUTTI_FETCH_SUB(&wait->sched->idle_waiters, 1, relaxed);
    } /* WAITED stays: it costs the settler one look at an empty list */
}

static int outcome(const struct wait *wait)
{
    return is_over(wait) ? TUTTI_OK : TUTTI_ETIMEDOUT;
}

/* Of a thread that runs no tasks. */
static int sleep_until(const struct wait *wait)
{
    struct tutti__parker parker = { 0 };
    announce(wait);
    for (bool in_time = true; in_time && !is_over(wait);) {
        struct tutti__waiter waiter = { .key = wait->until.key, .parker = &parker };
        tutti__lot_add(&wait->sched->lot, &waiter);
        if (!is_over(wait)) {
            in_time = tutti__parker_wait(&parker, wait->until.deadline_ns);
        }
        tutti__lot_remove(&wait->sched->lot, &waiter);
    }
    renounce(wait);
    return outcome(wait);
}

/* Run what can be run without sleeping. */
static void help(struct tutti__thread *thread, const struct wait *wait)
{
    tutti_task *task;
    while ((wait->is_for_idle || !is_over(wait)) && !is_late(wait) &&
           (task = tutti__find(thread)) != NULL) {
        tutti__run(thread, task);
    }
}

static int help_until(struct tutti__thread *thread, const struct wait *wait)
{
    struct tutti__idle *idle = &wait->sched->idle;
    tutti__idle_enter(idle);
    thread->parks = true;
    help(thread, wait);
    if (!is_over(wait)) {
        announce(wait);
        while (!is_over(wait) && !is_late(wait)) {
            struct tutti__waiter waiter = { .key = wait->until.key, .parker = &thread->parker };
            tutti__lot_add(&wait->sched->lot, &waiter);
            tutti_task *task = tutti__search(thread, &wait->until);
            tutti__lot_remove(&wait->sched->lot, &waiter);
            if (task != NULL) {
                tutti__run(thread, task);
                help(thread, wait);
            }
        }
        renounce(wait);
    }
    thread->parks = false;
    tutti__idle_leave(idle);
    tutti__idle_check(wait->sched); /* others may wait for idle, and this thread goes away */
    return outcome(wait);
}

static int wait_for(const struct wait *wait)
{
    struct tutti__thread *here = tutti__thread_here(wait->sched);
    if (here == NULL) {
        return sleep_until(wait);
    }
    /* In a body this would hold up what runs below; on a worker or the loop thread, what lives there. */
    if (here->frame != NULL || here->home != NULL || here->kind == TUTTI__THREAD_BLOCKING) {
        return TUTTI_EDEADLK;
    }
    return here->kind == TUTTI__THREAD_CREATOR ? help_until(here, wait) : sleep_until(wait);
}

int tutti__task_wait(tutti_task *task, uint64_t timeout_ns)
{
    if (tutti__task_is_done(task)) {
        return TUTTI_OK;
    }
    struct tutti__sched *sched = tutti__sched_of(task);
    uint64_t now_ns = timeout_ns == TUTTI_FOREVER ? 0 : sched->env->now_ns(sched->env->user);
    struct wait wait = { .sched = sched,
                         .until = { task_is_over, task, tutti__clock_after(now_ns, timeout_ns) },
                         .is_for_idle = false };
    return wait_for(&wait);
}

int tutti__sched_wait_idle(struct tutti__sched *sched)
{
    struct wait wait = { .sched = sched,
                         .until = { idle_is_over, sched, UINT64_MAX },
                         .is_for_idle = true };
    return wait_for(&wait);
}
