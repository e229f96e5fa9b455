/* SPDX-License-Identifier: MIT */
/*
 * help.c - see help.h.
 *
 * Layer: sched. Locks: those of lot and idle.
 * Invariant: between tutti__help_sleep_begin and _end the creator stands among the sleepers, or the
 * post that took it out is on its way.
 */
#include "sched/help.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "sched/core.h"

enum { TASKS_MAX = 16 };

/* ---- tasks -------------------------------------------------------------------------------- */

/* In a body only its family: what waits for this very body could otherwise come to lie on top of it.
 * But where there is one thread nobody else runs the others. */
static tutti_task *find_for(struct tutti__thread *thread)
{
    bool is_picky = thread->frame != NULL && !thread->sched->env->one_thread;
    return is_picky ? tutti__take_family(thread, thread->frame->task) : tutti__find(thread);
}

static enum tutti__help_end help_some(struct tutti__thread *thread,
                                      const struct tutti__help_limit *limit)
{
    const struct tutti__env *env = thread->sched->env;
    tutti_task *task = find_for(thread);
    if (task == NULL) {
        return TUTTI__HELP_NONE;
    }
    uint64_t end_ns = tutti__clock_after(env->now_ns(env->user), limit->budget_ns);
    for (int n = 1;; n++) {
        tutti__run_alone(thread, task);
        if (limit->until != NULL && limit->until(limit->user)) {
            return TUTTI__HELP_OVER;
        }
        if (n == TASKS_MAX || env->now_ns(env->user) >= end_ns) {
            return TUTTI__HELP_MORE;
        }
        if ((task = find_for(thread)) == NULL) {
            return TUTTI__HELP_NONE;
        }
    }
}

enum tutti__help_end tutti__help(struct tutti__sched *sched, const struct tutti__help_limit *limit)
{
    struct tutti__thread *here = tutti__thread_here(sched);
    bool helped = tutti__help_enter(here);
    enum tutti__help_end end = help_some(here, limit);
    tutti__help_leave(here, helped);
    return end;
}

/* ---- sleeping without workers --------------------------------------------------------------- */

static void on_work(struct tutti__post *post)
{
    struct tutti__help_sleep *sleep =
        (struct tutti__help_sleep *)(void *)((char *)post - offsetof(struct tutti__help_sleep, post));
    sleep->is_sent = false; /* that it has arrived is all the loop needs */
    sleep->has_come = true;
}

bool tutti__help_sleep_begin(struct tutti__sched *sched, struct tutti__help_sleep *sleep,
                             struct tutti__home *home)
{
    struct tutti__thread *here = tutti__thread_here(sched);
    if (sched->worker_count != 0) {
        return true;
    }
    if (sleep->is_sent) {
        return true; /* it is on its way and will end the sleep */
    }
    sleep->post.fn = on_work;
    sleep->sched = sched;
    sleep->is_begun = true;
    sleep->has_come = false;
    here->sleeper.post = &sleep->post;
    here->sleeper.home = home;
    tutti__batch_flush(&here->batch);
    tutti__idle_enter(&sched->idle);
    tutti__idle_search_begin(&sched->idle);
    tutti__idle_sleep_begin(&sched->idle, &here->sleeper);
    return !tutti__any_ready(sched);
}

void tutti__help_sleep_end(struct tutti__help_sleep *sleep)
{
    if (!sleep->is_begun) {
        return;
    }
    struct tutti__sched *sched = sleep->sched;
    struct tutti__thread *here = tutti__thread_here(sched);
    sleep->is_begun = false;
    /* Not listed any more: who took it out has posted, or is about to. */
    sleep->is_sent = !tutti__idle_sleep_end(&sched->idle, &here->sleeper) && !sleep->has_come;
    here->sleeper.post = NULL;
    here->sleeper.home = NULL;
    if (tutti__idle_search_end(&sched->idle)) {
        TUTTI_FENCE_HEAVY(); /* counted out before, the look after: idle.h, second pair */
        if (tutti__any_ready(sched)) {
            tutti__idle_wake_one(&sched->idle);
        }
    }
    tutti__idle_leave(&sched->idle);
}

/* ---- waits ---------------------------------------------------------------------------------- */

static void on_told(struct tutti__post *post)
{
    struct tutti__loop_wait *wait =
        (struct tutti__loop_wait *)(void *)((char *)post - offsetof(struct tutti__loop_wait, post));
    wait->is_told = true;
}

static void begin_listening(struct tutti__loop_wait *wait)
{
    wait->is_told = false;
    tutti__lot_add(&wait->sched->lot, &wait->waiter);
    if (wait->task == NULL) {
        tutti__watch_begin(wait->sched);
    }
}

int tutti__loop_wait_begin(struct tutti__loop_wait *wait, struct tutti__sched *sched,
                           struct tutti__home *home, tutti_task *task)
{
    tutti_task *self = tutti__thread_running(tutti__thread_here(sched));
    if (tutti__wave_active(sched) != NULL || (self != NULL && task == NULL)) {
        return TUTTI_EDEADLK;
    }
    int rc = self != NULL ? tutti__body_may_wait(self, task) : TUTTI_OK;
    if (rc != TUTTI_OK) {
        return rc;
    }
    memset(wait, 0, sizeof *wait);
    wait->post.fn = on_told;
    wait->sched = sched;
    wait->task = task;
    wait->waiter.key = task != NULL ? (const void *)task : (const void *)&sched->alarm;
    wait->waiter.self = self;
    wait->waiter.home = home;
    wait->waiter.post = &wait->post;
    begin_listening(wait);
    if (task != NULL) {
        TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_WAITED, seq_cst); /* as in wait.c */
        TUTTI_FENCE(seq_cst);
    }
    return TUTTI_OK;
}

void tutti__loop_wait_again(struct tutti__loop_wait *wait)
{
    if (wait->is_told) {
        begin_listening(wait);
    }
}

bool tutti__loop_wait_is_over(const struct tutti__loop_wait *wait)
{
    const tutti_task *self = wait->waiter.self;
    return tutti__task_is_done(wait->task) || (self != NULL && tutti__task_is_cancelled(self));
}

int tutti__loop_wait_lend(struct tutti__loop_wait *wait)
{
    if (wait->waiter.self == NULL || wait->has_lent || wait->sched->env->one_thread) {
        return TUTTI_OK;
    }
    int rc = tutti__slot_lend(tutti__thread_here(wait->sched));
    wait->has_lent = rc == TUTTI_OK;
    return rc;
}

bool tutti__loop_wait_end(struct tutti__loop_wait *wait)
{
    if (wait->has_lent) {
        tutti__slot_take(tutti__thread_here(wait->sched));
        wait->has_lent = false;
    }
    if (wait->task == NULL) {
        tutti__watch_end(wait->sched);
    }
    return tutti__lot_remove(&wait->sched->lot, &wait->waiter) || wait->is_told;
}
