/* SPDX-License-Identifier: MIT */
/*
 * poll.c - the loop of TUTTI_LOOP_CALLER in small pieces, for hosts with frames or a loop of their own.
 *
 * Layer: api. Locks: none.
 */
#include "api/engine.h"
#include "base/clock.h"
#include "base/limits.h"

/* May the calling thread do a piece of the loop's work now? */
static int check_loop(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    if (e->has_own_loop || !tutti__engine_on_loop(e)) {
        return TUTTI_EINVAL;
    }
    return tutti__engine_may_run(e) ? TUTTI_OK : TUTTI_EDEADLK;
}

/* ---- without workers ------------------------------------------------------------------------ */

/* So long the loop and the pool's tasks take turns within one poll. */
#define TURN_NS (200 * TUTTI_NS_PER_US)

struct turns {
    tutti_engine *e;
    uint64_t end_ns;
    uint64_t budget_ns; /* 0: one round */
    bool more[2];       /* perhaps, of the loop, of tasks */
};

static uint64_t left_ns(const struct turns *t)
{
    uint64_t now_ns = tutti__loop_now_ns(t->e->loop);
    return now_ns < t->end_ns ? t->end_ns - now_ns : 0;
}

static bool is_used_up(const struct turns *t)
{
    return t->budget_ns != 0 && left_ns(t) == 0;
}

/* Asked after each task. */
static bool after_task(void *user)
{
    struct turns *t = user;
    t->more[0] = true; /* it may have posted */
    return is_used_up(t);
}

static void take_turn(struct turns *t, uint32_t of_tasks)
{
    uint64_t turn_ns = TURN_NS < left_ns(t) ? TURN_NS : left_ns(t);
    if (of_tasks != 0) {
        struct tutti__help_limit limit = { after_task, t, t->budget_ns == 0 ? TURN_NS : turn_ns };
        t->more[1] = tutti__help(t->e->sched, &limit) != TUTTI__HELP_NONE;
    } else {
        (void)tutti__loop_poll(t->e->loop, t->budget_ns == 0 ? 0 : turn_ns, &t->more[0]);
        t->more[1] = true; /* what has run may have made some */
    }
}

/* Where nobody else runs the pool's tasks: the loop and they in turn. Who was next when the budget was
 * used up begins the next time. Returns: whether more is ready. */
static bool poll_in_turns(tutti_engine *e, uint64_t budget_ns)
{
    struct turns t = { .e = e, .budget_ns = budget_ns, .more = { true, true } };
    t.end_ns = tutti__clock_after(tutti__loop_now_ns(e->loop), budget_ns);
    e->poll_turn = budget_ns == 0 ? 0 : e->poll_turn;
    for (int turn = 0; (t.more[0] || t.more[1]) && (budget_ns != 0 || turn < 2); turn++) {
        if (is_used_up(&t)) {
            return true;
        }
        uint32_t of_tasks = e->poll_turn;
        e->poll_turn = 1 - of_tasks;
        take_turn(&t, of_tasks);
    }
    return t.more[0] || t.more[1];
}

/* ---- the calls ------------------------------------------------------------------------------ */

TUTTI_API int tutti_poll(tutti_engine *e, uint64_t budget_ns)
{
    bool more = false;
    int rc = check_loop(e);
    if (rc != TUTTI_OK) {
        return rc;
    }
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    tutti__help_sleep_end(&e->help_sleep);
    e->run_depth++;
    if (tutti__sched_workers(e->sched) == 0) {
        more = poll_in_turns(e, budget_ns);
    } else {
        (void)tutti__loop_poll(e->loop, budget_ns, &more);
    }
    e->run_depth--;
    return more ? TUTTI_EAGAIN : TUTTI_OK;
}

TUTTI_API int tutti_backend_fd(tutti_engine *e)
{
    return check_loop(e) == TUTTI_OK ? tutti__loop_backend_fd(e->loop) : -1;
}

TUTTI_API int tutti_backend_timeout(tutti_engine *e, uint64_t *timeout_ns)
{
    int rc = timeout_ns == NULL ? TUTTI_EINVAL : check_loop(e);
    if (rc != TUTTI_OK) {
        return rc;
    }
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    tutti__help_sleep_end(&e->help_sleep); /* of a call that no poll has followed */
    uint64_t limit_ns = tutti__loop_prepare_sleep(e->loop);
    if (limit_ns != 0 &&
        !tutti__help_sleep_begin(e->sched, &e->help_sleep, tutti__loop_home(e->loop))) {
        limit_ns = 0;
    }
    *timeout_ns = limit_ns;
    return TUTTI_OK;
}
