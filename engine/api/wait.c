/* SPDX-License-Identifier: MIT */
/*
 * wait.c - waiting for tasks, for idleness and for conditions of the host's. On the thread that runs the
 * caller's loop a wait runs the loop, and between its rounds some tasks; on any other it is the
 * scheduler's.
 *
 *   until? -> tasks, some 200 us of them -> round, which sleeps if none was left -> until? ...
 *
 * Layer: api. Locks: none.
 * Invariant: what lies on the stack of a wait and was handed to the scheduler has come back before the
 * wait returns.
 */
#include <stddef.h>

#include "api/engine.h"
#include "base/clock.h"
#include "base/limits.h"

/* So long tasks are run between two rounds, so that timers stay punctual. */
#define HELP_NS (200 * TUTTI_NS_PER_US)

/* ---- running the caller's loop -------------------------------------------------------------- */

struct run {
    tutti_engine *e;
    bool (*until)(void *user);
    void *user;
    bool (*on_idle)(void *user); /* no task is left for this thread; false: end. NULL: nothing to do */
};

static enum tutti__help_end help(struct run *run)
{
    struct tutti__help_limit limit = { run->until, run->user, HELP_NS };
    return run->e->solo != NULL ? tutti__solo_turn(run->e->solo) : tutti__help(run->e->sched, &limit);
}

/* Nothing is left to run: count as asleep. Returns: whether the round may sleep. */
static bool sleep_begin(tutti_engine *e)
{
    bool in_task = tutti__thread_running(tutti__thread_here(e->sched)) != NULL;
    bool may = in_task ||
               tutti__help_sleep_begin(e->sched, &e->help_sleep, tutti__loop_home(e->loop));
    return may && (e->solo == NULL || tutti__solo_sleep_begin(e->solo));
}

/* Asked before each round. Run tasks, and say whether the round may sleep. */
static bool help_and_ask(void *user)
{
    struct run *run = user;
    tutti_engine *e = run->e;
    tutti__help_sleep_end(&e->help_sleep);
    if (e->solo != NULL) {
        tutti__solo_sleep_end(e->solo);
    }
    if (run->until(run->user)) {
        return true;
    }
    enum tutti__help_end end = help(run);
    if (end == TUTTI__HELP_OVER) {
        return true;
    }
    if (end == TUTTI__HELP_NONE && run->on_idle != NULL && !run->on_idle(run->user)) {
        return true;
    }
    if (end == TUTTI__HELP_MORE || !sleep_begin(e)) {
        tutti__loop_hurry(e->loop);
    }
    return false;
}

/* Run the loop and tasks. Thread: the loop's, outside of its rounds. */
static void run_helping(struct run *run)
{
    tutti_engine *e = run->e;
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    e->run_depth++;
    (void)tutti__loop_run_until(e->loop, help_and_ask, run);
    e->run_depth--;
}

int tutti__engine_run_until(tutti_engine *e, bool (*until)(void *user), void *user)
{
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    if (e->has_own_loop || !tutti__engine_on_loop(e)) {
        return TUTTI_EINVAL;
    }
    if (!tutti__engine_may_run(e)) {
        return TUTTI_EDEADLK;
    }
    if (tutti__sched_workers(e->sched) == 0) { /* nobody else runs the pool's tasks */
        struct run run = { .e = e, .until = until, .user = user };
        run_helping(&run);
        return TUTTI_OK;
    }
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    e->run_depth++;
    int rc = tutti__loop_run_until(e->loop, until, user);
    e->run_depth--;
    return rc;
}

/* ---- for a task, on the loop's thread ------------------------------------------------------- */

struct task_wait {
    struct tutti__loop_wait loop_wait; /* tells the loop when the task settles */
    struct tutti__timer timer;         /* wakes the loop at the deadline */
    bool is_late;
    int rc; /* not TUTTI_OK: why the wait had to end */
};

static void on_deadline(struct tutti__timer *timer)
{
    struct task_wait *wait =
        (struct task_wait *)(void *)((char *)timer - offsetof(struct task_wait, timer));
    wait->is_late = true;
}

static bool task_wait_is_over(void *user)
{
    struct task_wait *wait = user;
    tutti__loop_wait_again(&wait->loop_wait);
    return wait->is_late || tutti__loop_wait_is_over(&wait->loop_wait);
}

static bool task_wait_lend(void *user)
{
    struct task_wait *wait = user;
    wait->rc = tutti__loop_wait_lend(&wait->loop_wait);
    return wait->rc == TUTTI_OK;
}

static bool is_told(void *user)
{
    return ((struct tutti__loop_wait *)user)->is_told;
}

/* End it; its post may have to arrive yet. */
static void end_loop_wait(tutti_engine *e, struct tutti__loop_wait *wait)
{
    if (!tutti__loop_wait_end(wait)) {
        (void)tutti__loop_run_until(e->loop, is_told, wait);
    }
}

/* Thread: the loop's, with TUTTI_LOOP_CALLER; also in a task that it runs between two rounds. */
static int wait_on_loop(tutti_engine *e, tutti_task *t, uint64_t timeout_ns)
{
    struct task_wait wait = { .timer.fn = on_deadline };
    if (tutti__loop_is_running(e->loop)) {
        return TUTTI_EDEADLK; /* in a callback, or a task that is pinned */
    }
    int rc = tutti__loop_wait_begin(&wait.loop_wait, e->sched, tutti__loop_home(e->loop), t);
    if (rc != TUTTI_OK) {
        return rc;
    }
    if (timeout_ns != TUTTI_FOREVER) {
        uint64_t deadline_ns = tutti__clock_after(tutti__loop_now_ns(e->loop), timeout_ns);
        rc = tutti__loop_timer_start(e->loop, &wait.timer, deadline_ns);
    }
    if (rc == TUTTI_OK) {
        struct run run = { e, task_wait_is_over, &wait, task_wait_lend };
        run_helping(&run);
        rc = wait.rc;
    }
    tutti__loop_timer_stop(e->loop, &wait.timer);
    bool is_cancelled = !tutti__task_is_done(t) && tutti__loop_wait_is_over(&wait.loop_wait);
    end_loop_wait(e, &wait.loop_wait);
    if (tutti__task_is_done(t)) {
        return TUTTI_OK;
    }
    if (is_cancelled) {
        return TUTTI_ECANCELED;
    }
    return rc != TUTTI_OK ? rc : TUTTI_ETIMEDOUT;
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
    if (tutti__task_is_done(t) || (timeout_ns != 0 && tutti__task_wait_here(t))) {
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
    if (e->has_own_loop || !tutti__engine_on_loop(e)) {
        return tutti__sched_wait_idle(e->sched);
    }
    if (!tutti__engine_may_run(e)) {
        return TUTTI_EDEADLK;
    }
    struct run run = { .e = e, .until = is_idle, .user = e };
    run_helping(&run);
    return TUTTI_OK;
}

TUTTI_API int tutti_run(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    return tutti__engine_run_until(e, is_over, e);
}

/* ---- for a condition of the host's ---------------------------------------------------------- */

struct pred_wait {
    struct tutti__loop_wait loop_wait; /* tells the loop when anything settles */
    bool (*pred)(void *user);
    void *user;
};

static bool pred_is_true(void *user)
{
    struct pred_wait *wait = user;
    tutti__loop_wait_again(&wait->loop_wait);
    return wait->pred(wait->user);
}

static int run_loop_until(tutti_engine *e, bool (*pred)(void *user), void *user)
{
    struct pred_wait wait = { .pred = pred, .user = user };
    int rc = tutti__loop_wait_begin(&wait.loop_wait, e->sched, tutti__loop_home(e->loop), NULL);
    if (rc == TUTTI_OK) {
        struct run run = { .e = e, .until = pred_is_true, .user = &wait };
        run_helping(&run);
        end_loop_wait(e, &wait.loop_wait);
    }
    return rc;
}

TUTTI_API int tutti_run_until(tutti_engine *e, bool (*pred)(void *user), void *user)
{
    if (e == NULL || pred == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    struct tutti__thread *here = tutti__thread_here(e->sched);
    if ((here != NULL && tutti__thread_running(here) != NULL) ||
        (tutti__engine_on_loop(e) && tutti__loop_is_running(e->loop))) {
        return TUTTI_EDEADLK;
    }
    if (!pthread_equal(e->creator, pthread_self())) {
        return TUTTI_EINVAL;
    }
    if (!e->has_own_loop) {
        return run_loop_until(e, pred, user);
    }
    e->run_depth++;
    int rc = tutti__sched_run_until(e->sched, pred, user);
    e->run_depth--;
    return rc;
}
