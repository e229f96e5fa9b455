/* SPDX-License-Identifier: MIT */
/*
 * loop_thread.c - the thread of an engine that has its loop to itself.
 *
 * Layer: api. Locks: engine.thread_mu (leaf), for the start and the end.
 * Invariant: the thread leaves the scheduler before it ends, and ends only after the scheduler
 * stopped.
 */
#include "api/engine.h"

#include <stddef.h>

static void report_start(tutti_engine *e, int status)
{
    tutti__mutex_lock(&e->thread_mu);
    e->thread_status = status;
    tutti__cond_broadcast(&e->thread_cond);
    tutti__mutex_unlock(&e->thread_mu);
}

static void report_end(tutti_engine *e)
{
    tutti__mutex_lock(&e->thread_mu);
    e->is_loop_over = true;
    tutti__cond_broadcast(&e->thread_cond);
    tutti__mutex_unlock(&e->thread_mu);
}

static bool must_stop(void *user)
{
    return ((tutti_engine *)user)->must_stop;
}

static void drop_slot(tutti_engine *e)
{
    void **slot = tutti__thread_slot(tutti__thread_here(e->sched));
    /* Acquire pairs with the release in tutti__bridge_on_worker_stop. */
    tutti__slot_fn on_stop = TUTTI_LOAD(&e->on_worker_stop, acquire);
    if (on_stop != NULL && *slot != NULL) {
        on_stop(*slot);
    }
    *slot = NULL;
}

static void *loop_main(void *arg)
{
    tutti_engine *e = arg;
    int rc = tutti__sched_adopt_loop(e->sched, tutti__loop_home(e->loop));
    report_start(e, rc);
    if (rc == TUTTI_OK) {
        (void)tutti__loop_run_until(e->loop, must_stop, e);
        drop_slot(e);
        tutti__loop_close(e->loop); /* here, so that close callbacks of luv run on its own thread */
        tutti__sched_leave_loop(e->sched);
        report_end(e);
    }
    return NULL;
}

int tutti__loop_thread_start(tutti_engine *e)
{
    e->thread_status = TUTTI_EPENDING;
    struct tutti__thread_desc desc = { "tutti-loop", e->stack_bytes, loop_main, e };
    int rc = tutti__thread_start(&e->loop_thread, &desc);
    if (rc != TUTTI_OK) {
        return rc;
    }
    tutti__mutex_lock(&e->thread_mu);
    while (e->thread_status == TUTTI_EPENDING) {
        (void)tutti__cond_wait(&e->thread_cond, &e->thread_mu, TUTTI_FOREVER);
    }
    rc = e->thread_status;
    tutti__mutex_unlock(&e->thread_mu);
    if (rc != TUTTI_OK) {
        pthread_join(e->loop_thread, NULL);
    }
    return rc;
}

static void on_end_post(struct tutti__post *post)
{
    tutti_engine *e =
        (tutti_engine *)(void *)((char *)post - offsetof(struct tutti_engine, end_post));
    e->must_stop = true;
}

bool tutti__loop_thread_stop(tutti_engine *e, uint64_t deadline_ns)
{
    if (!e->is_end_sent) {
        e->is_end_sent = true;
        e->end_post.fn = on_end_post;
        tutti__home_post(tutti__loop_home(e->loop), &e->end_post);
    }
    bool in_time = true;
    tutti__mutex_lock(&e->thread_mu);
    while (!e->is_loop_over && in_time) {
        in_time = tutti__cond_wait(&e->thread_cond, &e->thread_mu, deadline_ns);
    }
    bool is_over = e->is_loop_over;
    tutti__mutex_unlock(&e->thread_mu);
    if (is_over) {
        pthread_join(e->loop_thread, NULL);
    }
    return is_over;
}
