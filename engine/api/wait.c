/* SPDX-License-Identifier: MIT */
/*
 * wait.c - waiting for tasks and for idleness. On the thread that runs the caller's loop a wait
 * runs the loop; on any other it is the scheduler's.
 *
 * Layer: api. Locks: none; the cells belong to the loop thread.
 * Invariant: a cell is in the list from the first wait for its task until that task's notice has
 * come home; it holds a reference, so no other task can take the address meanwhile.
 */
#include <stddef.h>

#include "api/engine.h"
#include "base/alloc.h"
#include "base/clock.h"

#define CELL_OF(ptr, member)                                                                       \
    ((struct tutti__wait_cell *)(void *)((char *)(ptr) - offsetof(struct tutti__wait_cell, member)))

/* ---- for a task ----------------------------------------------------------------------------- */

static void on_cell_post(struct tutti__post *post)
{
    struct tutti__wait_cell *cell = CELL_OF(post, post);
    struct tutti__wait_cell **at = &cell->engine->cells;
    while (*at != cell) {
        at = &(*at)->next;
    }
    *at = cell->next;
    tutti__task_unref(cell->task);
    tutti__memory_free(cell->engine->memory, cell, sizeof *cell);
}

/* Thread: whichever settled the task. That the post arrives is all the waiting loop needs. */
static void on_cell_notice(struct tutti__notice *notice, tutti_task *task)
{
    (void)task;
    struct tutti__wait_cell *cell = CELL_OF(notice, notice);
    tutti__home_post(tutti__loop_home(cell->engine->loop), &cell->post);
}

/* See to it that the loop wakes when `t` settles. Returns: TUTTI_OK · TUTTI_ENOMEM. */
static int arm_cell(tutti_engine *e, tutti_task *t)
{
    for (struct tutti__wait_cell *cell = e->cells; cell != NULL; cell = cell->next) {
        if (cell->task == t) {
            return TUTTI_OK;
        }
    }
    struct tutti__wait_cell *cell = tutti__memory_zero(e->memory, TUTTI__ALIGN_ANY, sizeof *cell);
    if (cell == NULL) {
        return TUTTI_ENOMEM;
    }
    cell->notice.fn = on_cell_notice;
    cell->post.fn = on_cell_post;
    cell->engine = e;
    cell->task = t;
    if (!tutti__task_notify(t, &cell->notice)) {
        tutti__memory_free(e->memory, cell, sizeof *cell); /* settled in this moment */
        return TUTTI_OK;
    }
    tutti__task_ref(t); /* the caller's own keeps `t` until here; the post runs on this thread */
    cell->next = e->cells;
    e->cells = cell;
    return TUTTI_OK;
}

struct loop_wait {
    struct tutti__timer timer; /* wakes the loop at the deadline */
    tutti_task *task;
    bool is_over;
};

static void on_wait_deadline(struct tutti__timer *timer)
{
    struct loop_wait *wait =
        (struct loop_wait *)(void *)((char *)timer - offsetof(struct loop_wait, timer));
    wait->is_over = true;
}

static bool wait_is_over(void *user)
{
    struct loop_wait *wait = user;
    return wait->is_over || tutti__task_is_done(wait->task);
}

/* Thread: the loop's, with TUTTI_LOOP_CALLER. */
static int wait_on_loop(tutti_engine *e, tutti_task *t, uint64_t timeout_ns)
{
    struct loop_wait wait = { .timer.fn = on_wait_deadline, .task = t };
    if (!tutti__engine_may_run(e)) {
        return TUTTI_EDEADLK;
    }
    int rc = arm_cell(e, t);
    if (rc == TUTTI_OK && timeout_ns != TUTTI_FOREVER) {
        uint64_t deadline_ns = tutti__clock_after(tutti__loop_now_ns(e->loop), timeout_ns);
        rc = tutti__loop_timer_start(e->loop, &wait.timer, deadline_ns);
    }
    if (rc == TUTTI_OK) {
        rc = tutti__engine_run_until(e, wait_is_over, &wait);
    }
    tutti__loop_timer_stop(e->loop, &wait.timer);
    if (rc != TUTTI_OK) {
        return rc;
    }
    return tutti__task_is_done(t) ? TUTTI_OK : TUTTI_ETIMEDOUT;
}

/* Neither a worker nor inside a task: those are refused for a better reason. */
static bool is_foreign_thread(tutti_engine *e)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    return here == NULL ||
           (tutti__thread_home(here) == NULL && tutti__thread_running(here) == NULL);
}

TUTTI_API int tutti_task_wait(tutti_task *t, uint64_t timeout_ns)
{
    if (t == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__task_is_forked(t)) {
        return TUTTI_EFORKED;
    }
    if (tutti__task_is_done(t)) {
        return TUTTI_OK;
    }
    tutti_engine *e = tutti__engine_of(t);
    if (e->has_own_loop) {
        return tutti__task_wait(t, timeout_ns);
    }
    if (tutti__engine_on_loop(e)) {
        return wait_on_loop(e, t, timeout_ns);
    }
    /* Relaxed: a thread that must not see ENOLOOP was started, or told, after the loop had run. */
    if (timeout_ns != 0 && TUTTI_LOAD(&e->has_run, relaxed) == 0 && is_foreign_thread(e)) {
        return TUTTI_ENOLOOP;
    }
    return tutti__task_wait(t, timeout_ns);
}

/* ---- for idleness --------------------------------------------------------------------------- */

/* The scheduler has become idle: that the post arrives makes the loop look again. */
static void on_idle_post(struct tutti__post *post)
{
    tutti_engine *e =
        (tutti_engine *)(void *)((char *)post - offsetof(struct tutti_engine, idle_post));
    e->is_idle_armed = false;
}

/* Is no task left? If some is, the loop will wake when that changes. */
static bool is_idle(void *user)
{
    tutti_engine *e = user;
    if (e->is_idle_armed) {
        return tutti__sched_is_idle(e->sched);
    }
    e->idle_post.fn = on_idle_post;
    e->is_idle_armed =
        tutti__sched_notify_idle(e->sched, &e->idle_post, tutti__loop_home(e->loop));
    return !e->is_idle_armed;
}

/* Is nothing left that could ever run? */
static bool is_over(void *user)
{
    return tutti__loop_is_quiet(((tutti_engine *)user)->loop) && is_idle(user);
}

TUTTI_API int tutti_wait_idle(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    if (!e->has_own_loop && tutti__engine_on_loop(e)) {
        return tutti__engine_run_until(e, is_idle, e);
    }
    return tutti__sched_wait_idle(e->sched);
}

TUTTI_API int tutti_run(tutti_engine *e)
{
    if (e == NULL || e->has_own_loop) {
        return TUTTI_EINVAL;
    }
    return tutti__engine_run_until(e, is_over, e);
}
