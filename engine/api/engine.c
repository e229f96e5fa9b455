/* SPDX-License-Identifier: MIT */
/*
 * engine.c - making an engine, and taking it apart in the one order that works:
 *
 *   close the intake -> end the processes (the loop runs) -> stop the scheduler (bodies return,
 *   workers are joined; an own loop still serves hooks) -> end the loop thread, or leave the
 *   caller's loop -> drain the inbox, close every handle -> free
 *
 * Up to the end of the loop thread each step may run out of time; it can then be done again.
 *
 * Layer: api. Locks: thread_mu (leaf).
 * Invariant: an engine that tutti_engine_new has returned has all its parts.
 */
#include "api/engine.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

/* ---- making --------------------------------------------------------------------------------- */

/* Thread: a worker that stops. */
static void on_worker_stop(void *user, void *slot)
{
    tutti_engine *e = user;
    /* Acquire pairs with the release in tutti__bridge_on_worker_stop. */
    tutti__slot_fn on_stop = TUTTI_LOAD(&e->on_worker_stop, acquire);
    if (on_stop != NULL) {
        on_stop(slot);
    }
}

/* How many workers a config asks for. */
static uint32_t pool_size(uint32_t workers)
{
    uint32_t cpus = tutti__cpu_count();
    switch (workers) {
    case TUTTI_NO_WORKERS:
        return 0;
    case TUTTI_FRAME_WORKERS:
        cpus = cpus > 1 ? cpus - 1 : 1;
        break;
    case 0:
        break;
    default:
        return workers;
    }
    return cpus < TUTTI_WORKERS_MAX ? cpus : TUTTI_WORKERS_MAX;
}

/* What the first header had: a config may end anywhere behind it. */
#define CONFIG_BYTES_MIN (offsetof(tutti_config, seed) + sizeof(uint64_t))
#define STACK_BYTES_MIN ((size_t)64 << 10)
#define GRACE_NS_DEFAULT (10 * TUTTI_NS_PER_S)

/* Copy a config that may be shorter than this header's. */
static int read_config(tutti_config *out, const tutti_config *cfg)
{
    *out = (tutti_config){ .struct_size = sizeof *out };
    if (cfg == NULL) {
        return TUTTI_OK;
    }
    if (cfg->struct_size < CONFIG_BYTES_MIN || cfg->struct_size > sizeof *out) {
        return TUTTI_EINVAL;
    }
    memcpy(out, cfg, cfg->struct_size);
    if (out->loop > TUTTI_LOOP_CALLER || pool_size(out->workers) > TUTTI_WORKERS_MAX ||
        out->preempt > TUTTI_PREEMPT_SIGNAL || out->reserved != 0 ||
        (out->stack_bytes != 0 && out->stack_bytes < STACK_BYTES_MIN) ||
        (out->allocator != NULL &&
         (out->allocator->alloc == NULL || out->allocator->free == NULL))) {
        return TUTTI_EINVAL;
    }
    return TUTTI_OK;
}

static int start_sched(tutti_engine *e, const tutti_config *cfg, const struct tutti__env *env)
{
    struct tutti__sched_config config = {
        .workers = pool_size(cfg->workers),
        .seed = cfg->seed,
        .env = env,
        .memory = e->memory,
        .user = e,
        .worker_stop = on_worker_stop,
        .stack_bytes = e->stack_bytes,
        .hooks = cfg->hooks != NULL ? &e->hooks : NULL,
        .preempt = cfg->preempt,
    };
    return tutti__sched_new(&e->sched, &config);
}

static int start_loop(tutti_engine *e)
{
    return e->has_own_loop ? tutti__loop_thread_start(e)
                           : tutti__sched_adopt_loop(e->sched, tutti__loop_home(e->loop));
}

static void init_plain_fields(tutti_engine *e, const tutti_config *cfg)
{
    e->creator = pthread_self();
    e->has_own_loop = cfg->loop == TUTTI_LOOP_OWN_THREAD;
    e->fork_count = tutti__fork_count();
    e->stack_bytes = cfg->stack_bytes;
    e->grace_ns = cfg->grace_ns != 0 ? cfg->grace_ns : GRACE_NS_DEFAULT;
    if (cfg->allocator != NULL) {
        e->allocator = *cfg->allocator;
        e->memory = &e->allocator;
    }
    if (cfg->hooks != NULL) {
        e->hooks = *cfg->hooks;
    }
    tutti__natives_init(&e->natives, e->memory);
    tutti__mutex_init(&e->thread_mu);
    tutti__cond_init(&e->thread_cond);
}

static void free_plain_fields(tutti_engine *e)
{
    if (e->lua_drop != NULL) {
        e->lua_drop(TUTTI_LOAD(&e->lua, relaxed)); /* all threads that asked are gone */
    }
    tutti__cond_deinit(&e->thread_cond);
    tutti__mutex_deinit(&e->thread_mu);
    tutti__natives_deinit(&e->natives);
    tutti__free(e->solo);
    tutti_allocator allocator = e->allocator; /* the engine's own memory came from there too */
    tutti__memory_free(e->memory != NULL ? &allocator : NULL, e, sizeof *e);
}

/* Make the parts of `e`, all or none. */
static int make_parts(tutti_engine *e, const tutti_config *cfg, const struct tutti__env *env)
{
    int rc = tutti__loop_new(&e->loop, env, e->memory);
    if (rc != TUTTI_OK) {
        return rc;
    }
    rc = start_sched(e, cfg, env);
    if (rc != TUTTI_OK) {
        goto out_loop;
    }
    rc = tutti__processes_new(&e->processes, e->sched, e->loop);
    if (rc != TUTTI_OK) {
        goto out_sched;
    }
    rc = start_loop(e);
    if (rc == TUTTI_OK) {
        return TUTTI_OK;
    }
    tutti__processes_free(e->processes);
out_sched:
    tutti__sched_free(e->sched);
out_loop:
    tutti__loop_free(e->loop);
    return rc;
}

int tutti__engine_new(tutti_engine **out, const tutti_config *cfg, const struct tutti__env *env)
{
    tutti_config full;
    int rc = read_config(&full, cfg);
    if (rc != TUTTI_OK) {
        return rc;
    }
    if (!tutti__fork_watch()) {
        return TUTTI_ENOMEM;
    }
    tutti_engine *e = tutti__memory_zero(full.allocator, TUTTI__ALIGN_ANY, sizeof *e);
    if (e == NULL) {
        return TUTTI_ENOMEM;
    }
    init_plain_fields(e, &full);
    rc = make_parts(e, &full, env != NULL ? env : tutti__env_default());
    if (rc != TUTTI_OK) {
        free_plain_fields(e);
        return rc;
    }
    *out = e;
    return TUTTI_OK;
}

TUTTI_API int tutti_engine_new(tutti_engine **out, const tutti_config *cfg)
{
    return out == NULL ? TUTTI_EINVAL : tutti__engine_new(out, cfg, NULL);
}

/* ---- taking apart --------------------------------------------------------------------------- */

/* Thread: the loop's. */
static void on_processes_gone(void *user)
{
    tutti_engine *e = user;
    tutti__mutex_lock(&e->thread_mu);
    e->are_processes_gone = true;
    tutti__cond_broadcast(&e->thread_cond);
    tutti__mutex_unlock(&e->thread_mu);
}

/* Thread: the loop's. */
static void on_stop_post(struct tutti__post *post)
{
    tutti_engine *e =
        (tutti_engine *)(void *)((char *)post - offsetof(struct tutti_engine, stop_post));
    tutti__processes_stop(e->processes, on_processes_gone, e);
}

static bool are_processes_gone(void *user)
{
    tutti_engine *e = user;
    tutti__mutex_lock(&e->thread_mu);
    bool gone = e->are_processes_gone;
    tutti__mutex_unlock(&e->thread_mu);
    return gone;
}

struct process_wait {
    struct tutti__timer timer; /* wakes the loop at the deadline */
    tutti_engine *e;
    bool is_late;
};

static void on_deadline(struct tutti__timer *timer)
{
    struct process_wait *wait =
        (struct process_wait *)(void *)((char *)timer - offsetof(struct process_wait, timer));
    wait->is_late = true;
}

static bool process_wait_is_over(void *user)
{
    struct process_wait *wait = user;
    return wait->is_late || are_processes_gone(wait->e);
}

/* On the caller's loop. Without memory for the timer nobody but the processes ends the wait. */
static void run_until_gone(tutti_engine *e, uint64_t deadline_ns)
{
    struct process_wait wait = { .timer.fn = on_deadline, .e = e };
    uint64_t now_ns = tutti__clock_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    (void)tutti__loop_timer_start(e->loop, &wait.timer,
                                  tutti__clock_after(tutti__loop_now_ns(e->loop), left_ns));
    (void)tutti__engine_run_until(e, process_wait_is_over, &wait);
    tutti__loop_timer_stop(e->loop, &wait.timer);
}

/* Have all child processes ended and wait for it; the loop must be running to see them end. Returns:
 * false: the deadline has passed. */
static bool end_processes(tutti_engine *e, uint64_t deadline_ns)
{
    if (!e->is_stop_sent) {
        e->is_stop_sent = true;
        e->stop_post.fn = on_stop_post;
        tutti__home_post(tutti__loop_home(e->loop), &e->stop_post);
    }
    if (!e->has_own_loop) {
        run_until_gone(e, deadline_ns);
        return are_processes_gone(e);
    }
    bool in_time = true;
    tutti__mutex_lock(&e->thread_mu);
    while (!e->are_processes_gone && in_time) {
        in_time = tutti__cond_wait(&e->thread_cond, &e->thread_mu, deadline_ns);
    }
    bool are_gone = e->are_processes_gone;
    tutti__mutex_unlock(&e->thread_mu);
    return are_gone;
}

/* May the calling thread free the engine now? */
static int may_free(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    bool is_creator = pthread_equal(e->creator, pthread_self()) != 0;
    struct tutti__thread *here = tutti__thread_here(e->sched);
    if ((here != NULL && tutti__thread_running(here) != NULL) ||
        (tutti__engine_on_loop(e) && tutti__loop_is_running(e->loop)) ||
        (is_creator && e->run_depth != 0)) {
        return TUTTI_EDEADLK;
    }
    return is_creator ? TUTTI_OK : TUTTI_EINVAL;
}

TUTTI_API int tutti_engine_free(tutti_engine *e)
{
    int rc = may_free(e);
    if (rc != TUTTI_OK) {
        return rc;
    }
    uint64_t deadline_ns = tutti__clock_after(tutti__clock_now_ns(), e->grace_ns);
    TUTTI_STORE(&e->is_stopping, 1, relaxed); /* see tutti_post */
    tutti__sched_close(e->sched);
    if (!end_processes(e, deadline_ns) || tutti__sched_stop(e->sched, deadline_ns) != TUTTI_OK ||
        (e->has_own_loop && !tutti__loop_thread_stop(e, deadline_ns))) {
        return TUTTI_ETIMEDOUT; /* each of these goes on where it was */
    }
    if (!e->has_own_loop) {
        tutti__loop_close(e->loop);
        tutti__sched_leave_loop(e->sched);
    }
    tutti__processes_free(e->processes);
    tutti__sched_free(e->sched);
    tutti__loop_free(e->loop);
    free_plain_fields(e);
    return TUTTI_OK;
}

/* ---- asking --------------------------------------------------------------------------------- */

tutti_engine *tutti__engine_of(const tutti_task *task)
{
    return tutti__sched_user(tutti__sched_of(task));
}

bool tutti__engine_on_loop(tutti_engine *e)
{
    return pthread_equal(e->has_own_loop ? e->loop_thread : e->creator, pthread_self()) != 0;
}

bool tutti__engine_may_run(tutti_engine *e)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    bool is_in_task = here != NULL && tutti__thread_running(here) != NULL;
    return !is_in_task && (e->has_own_loop || !tutti__loop_is_running(e->loop));
}

TUTTI_API uint32_t tutti_engine_workers(const tutti_engine *e)
{
    return e == NULL || tutti__engine_is_forked(e) ? 0 : tutti__sched_workers(e->sched);
}

/* What the first header had. */
#define STATS_BYTES_MIN (offsetof(tutti_stats, slab_bytes) + sizeof(uint64_t))

TUTTI_API int tutti_get_stats(tutti_engine *e, tutti_stats *out)
{
    if (e == NULL || out == NULL || out->struct_size < STATS_BYTES_MIN ||
        out->struct_size > sizeof *out) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    tutti_stats full = { .struct_size = out->struct_size };
    tutti__sched_stats(e->sched, &full);
    memcpy(out, &full, out->struct_size);
    return TUTTI_OK;
}
