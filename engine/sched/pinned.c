/* SPDX-License-Identifier: MIT */
/*
 * pinned.c - tasks of the loop thread. See pinned.h.
 *
 * Layer: sched. Locks: pinned.mu, a leaf; no task runs under it.
 */
#include "sched/core.h"

static struct tutti__sched *sched_of_post(struct tutti__post *post)
{
    char *pinned = (char *)post - offsetof(struct tutti__pinned, post);
    return (struct tutti__sched *)(void *)(pinned - offsetof(struct tutti__sched, pinned));
}

static tutti_task *take_locked(struct tutti__pinned *pinned) TUTTI_REQUIRES(pinned->mu)
{
    /* Every so often the lowest goes first, so that none starves. */
    bool reverse = ++pinned->taken % TUTTI_PINNED_FAIR == 0;
    for (int i = 0; i < 3; i++) {
        tutti_task *task = tutti__fifo_take(&pinned->queues[reverse ? 2 - i : i]);
        if (task != NULL) {
            return task;
        }
    }
    return NULL;
}

/* Take one, or let the post rest. Returns: NULL when there is none. */
static tutti_task *take_or_rest(struct tutti__pinned *pinned)
{
    tutti__mutex_lock(&pinned->mu);
    tutti_task *task = take_locked(pinned);
    if (task == NULL) {
        pinned->is_posted = false;
    }
    tutti__mutex_unlock(&pinned->mu);
    return task;
}

/* Thread: the loop's. */
static void on_pinned_post(struct tutti__post *post)
{
    struct tutti__sched *sched = sched_of_post(post);
    struct tutti__pinned *pinned = &sched->pinned;
    struct tutti__thread *thread = tutti__thread_here(sched); /* it has adopted the loop */
    const struct tutti__env *env = sched->env;
    uint64_t end_ns = env->now_ns(env->user) + TUTTI_PINNED_NS;
    uint64_t until_ns = pinned->home->until_ns; /* of a poll with a budget */
    if (until_ns != 0 && until_ns < end_ns) {
        end_ns = until_ns;
    }
    for (uint32_t n = 0; n < TUTTI_PINNED_BATCH; n++) {
        tutti_task *task = take_or_rest(pinned);
        if (task == NULL) {
            tutti__idle_check(sched); /* a task that nobody knew has told nobody that it ended */
            return;
        }
        tutti__run_alone(thread, task);
        if (env->now_ns(env->user) >= end_ns) {
            break;
        }
    }
    tutti__home_post(pinned->home, post); /* there may be more: in the next round */
}

void tutti__pinned_init(struct tutti__pinned *pinned)
{
    tutti__mutex_init(&pinned->mu);
    pinned->post.fn = on_pinned_post;
}

void tutti__pinned_deinit(struct tutti__pinned *pinned)
{
    tutti__mutex_deinit(&pinned->mu);
}

void tutti__pinned_push(struct tutti__pinned *pinned, tutti_task *task)
{
    int level = 1 - tutti__rank(tutti__record_flags(task));
    tutti__mutex_lock(&pinned->mu);
    tutti__fifo_push(&pinned->queues[level], task);
    bool posted = pinned->is_posted;
    pinned->is_posted = true;
    tutti__mutex_unlock(&pinned->mu);
    if (!posted) {
        tutti__home_post(pinned->home, &pinned->post);
    }
}

tutti_task *tutti__pinned_take(struct tutti__pinned *pinned)
{
    tutti__mutex_lock(&pinned->mu);
    tutti_task *task = take_locked(pinned);
    tutti__mutex_unlock(&pinned->mu);
    return task;
}
