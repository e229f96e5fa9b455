/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - see bridge.h.
 *
 * Layer: api. Locks: none.
 */
#include "api/bridge.h"

#include <stddef.h>
#include <stdlib.h>

#include "api/engine.h"
#include "base/assert.h"
#include "sched/nudge.h"

struct tutti__home *tutti__bridge_loop(tutti_engine *e)
{
    return tutti__loop_home(e->loop);
}

struct tutti__home *tutti__bridge_here(tutti_engine *e)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    return here == NULL ? NULL : tutti__thread_home(here);
}

struct tutti__home *tutti__bridge_worker_home(tutti_engine *e)
{
    return e->solo != NULL ? &e->solo->home : tutti__bridge_here(e);
}

uint32_t tutti__bridge_cpus(void)
{
    return tutti__cpu_count();
}

int tutti__bridge_solo_new(tutti_engine **out, uint64_t seed, tutti_engine *outer)
{
    return tutti__solo_new(out, seed, outer);
}

bool tutti__bridge_is_solo(tutti_engine *e)
{
    return e->solo != NULL;
}

bool tutti__bridge_take_stuck(tutti_engine *e)
{
    bool is_stuck = e->solo->world.is_stuck;
    e->solo->world.is_stuck = false;
    return is_stuck;
}

void tutti__bridge_left(tutti_engine *e, struct tutti__left *left)
{
    left->has_posts = tutti__loop_has_work(e->loop) || !tutti__solo_is_quiet(e->solo);
    left->has_handles = tutti__loop_is_alive(e->loop);
    left->timers = tutti__loop_timers(e->loop);
}

bool tutti__bridge_has_handles(tutti_engine *e)
{
    return tutti__sched_has_records(e->sched);
}

bool tutti__bridge_owns(const tutti_engine *e, const tutti_task *task)
{
    return tutti__sched_of(task) == e->sched;
}

void **tutti__bridge_slot(tutti_engine *e)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    TUTTI_ASSERT(here != NULL);
    return tutti__thread_slot(here);
}

void tutti__bridge_on_worker_stop(tutti_engine *e, void (*on_stop)(void *slot))
{
    /* Release pairs with the acquire of a thread that stops: it sees what on_stop relies on. */
    TUTTI_STORE(&e->on_worker_stop, on_stop, release);
}

uint32_t tutti__bridge_preempt(tutti_engine *e)
{
    return tutti__sched_watchdog(e->sched)->preempt;
}

bool tutti__bridge_watch_state(tutti_engine *e, struct tutti__watched *w)
{
    return tutti__watchdog_add(tutti__sched_watchdog(e->sched), w);
}

void tutti__bridge_unwatch_state(tutti_engine *e, struct tutti__watched *w)
{
    if (tutti__engine_is_forked(e)) {
        tutti__nudge_unlink(w);
    } else {
        tutti__watchdog_remove(w);
    }
}

/* Thread: whichever settled the task. */
static void on_watch_notice(struct tutti__notice *notice, tutti_task *task)
{
    (void)task;
    struct tutti__watch *w =
        (struct tutti__watch *)(void *)((char *)notice - offsetof(struct tutti__watch, notice));
    tutti__home_post(w->home, &w->post);
}

bool tutti__bridge_watch(tutti_task *t, struct tutti__watch *w)
{
    w->notice.fn = on_watch_notice;
    return tutti__task_notify(t, &w->notice);
}

int tutti__bridge_run_until(tutti_engine *e, bool (*until)(void *user), void *user)
{
    return tutti__engine_run_until(e, until, user);
}

void *tutti__bridge_uv_loop(tutti_engine *e)
{
    return tutti__loop_uv(e->loop);
}

struct tutti__signal_watch *tutti__bridge_signal_watch(tutti_engine *e, int number,
                                                       void (*fn)(int number, void *user),
                                                       void *user)
{
    return tutti__signal_watch(e->loop, number, fn, user);
}

void tutti__bridge_signal_unwatch(struct tutti__signal_watch *watch)
{
    tutti__signal_unwatch(watch);
}

int tutti__bridge_timer_start(tutti_engine *e, struct tutti__timer *timer, uint64_t deadline_ns)
{
    return tutti__loop_timer_start(e->loop, timer, deadline_ns);
}

void tutti__bridge_timer_stop(tutti_engine *e, struct tutti__timer *timer)
{
    tutti__loop_timer_stop(e->loop, timer);
}

uint64_t tutti__bridge_now_ns(tutti_engine *e)
{
    return tutti__loop_now_ns(e->loop);
}

uint64_t tutti__bridge_random(tutti_engine *e, uint64_t *state)
{
    const struct tutti__env *env = tutti__loop_env(e->loop);
    while (*state == 0) {
        *state = env->random(env->user);
    }
    return tutti__rng_next(state);
}

void tutti__bridge_fd_wait(tutti_engine *e, struct tutti__fd_wait *wait)
{
    tutti__fd_wait_start(e->loop, wait);
}

void tutti__bridge_fd_stop(struct tutti__fd_wait *wait)
{
    tutti__fd_wait_stop(wait);
}

int tutti__bridge_block(tutti_engine *e, struct tutti__block_job *job)
{
    return tutti__blocking_submit(e->sched, job);
}

int tutti__bridge_process(tutti_engine *e, const struct tutti__process_spec *spec, tutti_task **out)
{
    return tutti__process_start(e->processes, spec, out);
}

/* A wish on its way to the loop. */
struct process_wish {
    void (*fn)(struct tutti__processes *processes, const tutti_task *task);
    struct tutti__processes *processes;
    tutti_task *task;
};

static void process_wish_here(void *user)
{
    struct process_wish *wish = (struct process_wish *)user;
    wish->fn(wish->processes, wish->task);
    tutti_task_unref(wish->task);
    free(wish);
}

static int post_wish(tutti_engine *e, tutti_task *task,
                     void (*fn)(struct tutti__processes *processes, const tutti_task *task))
{
    struct process_wish *wish = (struct process_wish *)malloc(sizeof *wish);
    if (wish == NULL)
        return TUTTI_ENOMEM;
    tutti_task_ref(task);
    *wish = (struct process_wish){ fn, e->processes, task };
    int rc = tutti_post(e, process_wish_here, wish);
    if (rc != TUTTI_OK) {
        tutti_task_unref(task);
        free(wish);
    }
    return rc;
}

int tutti__bridge_process_kill(tutti_engine *e, tutti_task *task)
{
    return post_wish(e, task, tutti__processes_kill);
}

int tutti__bridge_process_resume(tutti_engine *e, tutti_task *task)
{
    return post_wish(e, task, tutti__processes_resume);
}

int tutti__bridge_suspended_new(tutti_engine *e, tutti_task **out)
{
    return tutti__sched_suspended_new(e->sched, out);
}

void *tutti__bridge_lua(tutti_engine *e)
{
    return TUTTI_LOAD(&e->lua, acquire); /* pairs with the store in tutti__bridge_set_lua */
}

void tutti__bridge_set_lua(tutti_engine *e, void *pointer, void (*drop)(void *pointer))
{
    e->lua_drop = drop;
    /* Pairs with the load in tutti__bridge_lua: what the pointer leads to is seen whole. */
    TUTTI_STORE(&e->lua, pointer, release);
}
