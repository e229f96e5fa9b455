/* SPDX-License-Identifier: MIT */
/*
 * sched.c - making and freeing a scheduler, its numbers, and the loop thread's place in it.
 *
 * Layer: sched. Locks: sched.mu.
 */
#include "sched/sched.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "sched/core.h"
#include "sched/scope.h"

/* ---- making ------------------------------------------------------------------------------- */

/* Never used again in this process, so that a stale claim matches nothing (context.c). */
static uint64_t next_id(void)
{
    static TUTTI_ATOMIC(uint64_t) last;
    return TUTTI_FETCH_ADD(&last, 1, relaxed) + 1;
}

static struct tutti__sched *alloc_sched(const struct tutti__sched_config *config)
{
    const tutti_allocator *memory = config->memory;
    struct tutti__sched *sched = tutti__memory_zero(memory, TUTTI_CACHE_LINE, sizeof *sched);
    if (sched == NULL) {
        return NULL;
    }
    sched->memory = memory;
    sched->workers_bytes = (config->workers + 1) * sizeof(struct tutti__thread *);
    sched->workers = tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sched->workers_bytes);
    if (sched->workers == NULL || !tutti__feed_init_in(&sched->feed, memory)) {
        tutti__memory_free(memory, sched->workers, sched->workers_bytes);
        tutti__memory_free(memory, sched, sizeof *sched);
        return NULL;
    }
    tutti__fence_init();
    sched->id = next_id();
    sched->env = config->env != NULL ? config->env : tutti__env_default();
    sched->user = config->user;
    sched->worker_stop = config->worker_stop;
    sched->stack_bytes = config->stack_bytes;
    sched->hooks = config->hooks;
    sched->has_task_hooks = sched->hooks != NULL && (sched->hooks->task_begin != NULL ||
                                                     sched->hooks->task_end != NULL);
    sched->fork_count = tutti__fork_count();
    bool may_spin = tutti__cpu_count() > 1 && !sched->env->one_thread;
    sched->spin_ns = may_spin ? (uint32_t)TUTTI_SPIN_NS : 0;
    sched->rng = config->seed != 0 ? config->seed : sched->env->random(sched->env->user);
    tutti__mutex_init(&sched->mu);
    tutti__idle_init(&sched->idle);
    tutti__mutex_init(&sched->strict.mu);
    tutti__mutex_init(&sched->levels.mu);
    tutti__pinned_init(&sched->pinned);
    tutti__mutex_init(&sched->lot.mu);
    tutti__store_init(&sched->store, sched);
    sched->store.memory = memory;
    tutti__blocking_init(&sched->blocking);
    tutti__spares_init(&sched->spares);
    tutti__watchdog_init(&sched->watchdog, sched, config->preempt);
    return sched;
}

/* Thread: the creator, after all others have gone. */
static void dealloc_sched(struct tutti__sched *sched)
{
    tutti__watchdog_stop(&sched->watchdog);
    tutti__scopes_free_all(sched);
    tutti__thread_unbind(sched);
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, acquire);
    while (thread != NULL) {
        struct tutti__thread *next = thread->next;
        tutti__thread_free(thread);
        thread = next;
    }
    tutti__spares_deinit(&sched->spares);
    tutti__blocking_deinit(&sched->blocking);
    tutti__store_deinit(&sched->store);
    tutti__mutex_deinit(&sched->lot.mu);
    tutti__pinned_deinit(&sched->pinned);
    tutti__mutex_deinit(&sched->levels.mu);
    tutti__mutex_deinit(&sched->strict.mu);
    tutti__idle_deinit(&sched->idle);
    tutti__mutex_deinit(&sched->mu);
    tutti__feed_deinit(&sched->feed);
    tutti__memory_free(sched->memory, sched->workers, sched->workers_bytes);
    tutti__memory_free(sched->memory, sched, sizeof *sched);
}

/* The contexts of `count` workers, before any thread runs. */
static bool make_workers(struct tutti__sched *sched, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tutti__thread *worker = tutti__worker_new(sched);
        if (worker == NULL) {
            return false;
        }
        worker->index = i;
        sched->workers[i] = worker;
    }
    return true;
}

/* Start up to `count` threads. Returns: how many there are. */
static uint32_t start_workers(struct tutti__sched *sched, uint32_t count)
{
    sched->idle.frozen = true; /* they begin when it is known how many there are */
    uint32_t started = 0;
    while (started < count) {
        char name[16];
        snprintf(name, sizeof name, "tutti-%u", (unsigned)started % 100000);
        struct tutti__thread *worker = sched->workers[started];
        struct tutti__thread_desc desc = { name, sched->stack_bytes, tutti__worker_main, worker };
        if (tutti__thread_start(&worker->pthread, &desc) != TUTTI_OK) {
            break;
        }
        started++;
    }
    sched->worker_count = started;
    tutti__spares_set(&sched->spares, started);
    tutti__idle_thaw(&sched->idle);
    return started;
}

int tutti__sched_new(struct tutti__sched **out, const struct tutti__sched_config *config)
{
    if (config->workers > TUTTI_WORKERS_MAX) {
        return TUTTI_EINVAL;
    }
    int rc = TUTTI_ENOMEM;
    struct tutti__sched *sched = alloc_sched(config);
    if (sched == NULL) {
        return rc;
    }
    sched->creator = tutti__thread_new(sched, TUTTI__THREAD_CREATOR);
    if (sched->creator == NULL || !make_workers(sched, config->workers) ||
        !tutti__thread_bind(sched->creator)) {
        goto out_dealloc;
    }
    sched->creator->deque.is_private = config->workers == 0; /* there is nobody else that steals */
    if (start_workers(sched, config->workers) == 0 && config->workers != 0) {
        rc = TUTTI_EAGAIN;
        goto out_dealloc;
    }
    *out = sched;
    return TUTTI_OK;

out_dealloc:
    dealloc_sched(sched);
    return rc;
}

void tutti__sched_free(struct tutti__sched *sched)
{
    if (sched != NULL) {
        (void)tutti__sched_stop(sched, UINT64_MAX);
        dealloc_sched(sched);
    }
}

/* ---- numbers ------------------------------------------------------------------------------ */

bool tutti__sched_is_idle(struct tutti__sched *sched)
{
    /* First what has settled, then what was submitted. Each number only grows, and a task is counted
     * as submitted before it is counted as settled; so if the sums are equal they were equal at a
     * moment between the two readings. acquire pairs with the release in count_settled. */
    uint64_t settled = TUTTI_LOAD(&sched->settled_outside, acquire);
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, acquire);
    for (; thread != NULL; thread = thread->next) {
        settled += TUTTI_LOAD(&thread->counters.settled, acquire);
    }
    uint64_t submitted = 0;
    thread = TUTTI_LOAD(&sched->threads, acquire); /* again: a thread may have come */
    for (; thread != NULL; thread = thread->next) {
        submitted += TUTTI_LOAD(&thread->counters.submitted, relaxed); /* after the acquires above */
    }
    return settled == submitted;
}

void tutti__sched_stats(struct tutti__sched *sched, tutti_stats *out)
{
    uint64_t settled = TUTTI_LOAD(&sched->settled_outside, relaxed);
    uint64_t submitted = 0;
    uint64_t steals = 0;
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, acquire);
    for (; thread != NULL; thread = thread->next) {
        settled += TUTTI_LOAD(&thread->counters.settled, relaxed);
        submitted += TUTTI_LOAD(&thread->counters.submitted, relaxed);
        steals += TUTTI_LOAD(&thread->counters.steals, relaxed);
    }
    out->submitted = submitted;
    out->settled = settled;
    out->steals = steals;
    out->wakes = tutti__idle_wakes(&sched->idle);
    out->slab_bytes = tutti__store_bytes(&sched->store);
    out->workers = sched->worker_count;
    out->spares = tutti__spares_standing(sched);
    out->blocking = tutti__blocking_threads(sched);
}

uint32_t tutti__sched_workers(const struct tutti__sched *sched)
{
    return sched->worker_count;
}

uint32_t tutti__sched_fork_count(const struct tutti__sched *sched)
{
    return sched->fork_count;
}

uint32_t tutti__sched_spin_ns(const struct tutti__sched *sched)
{
    return sched->spin_ns;
}

struct tutti__watchdog *tutti__sched_watchdog(struct tutti__sched *sched)
{
    return &sched->watchdog;
}

const tutti_allocator *tutti__sched_memory(const struct tutti__sched *sched)
{
    return sched->memory;
}

void *tutti__sched_user(const struct tutti__sched *sched)
{
    return sched->user;
}

const struct tutti__env *tutti__sched_env(const struct tutti__sched *sched)
{
    return sched->env;
}

/* ---- the loop thread ---------------------------------------------------------------------- */

int tutti__sched_adopt_loop(struct tutti__sched *sched, struct tutti__home *home)
{
    struct tutti__thread *thread = tutti__thread_enter(sched, TUTTI__THREAD_FOREIGN);
    if (thread == NULL) {
        return TUTTI_ENOMEM;
    }
    int rc = TUTTI_EINVAL;
    tutti__mutex_lock(&sched->mu);
    if (sched->loop == NULL && thread->home == NULL) {
        sched->loop = thread;
        sched->left_home = NULL;
        thread->home = home;
        sched->pinned.home = home;
        sched->creator_loops = thread == sched->creator;
        rc = TUTTI_OK;
    }
    tutti__mutex_unlock(&sched->mu);
    return rc;
}

void tutti__sched_leave_loop(struct tutti__sched *sched)
{
    struct tutti__thread *thread = tutti__thread_here(sched);
    tutti__mutex_lock(&sched->mu);
    if (thread != NULL && sched->loop == thread) {
        sched->left_home = thread->home;
        thread->home = NULL;
        sched->loop = NULL;
    }
    tutti__mutex_unlock(&sched->mu);
}
