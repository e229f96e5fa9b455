/* SPDX-License-Identifier: MIT */
/*
 * spread.c - see spread.h.
 *
 *   caller ---- submits up to one helper a worker ---> helper tasks
 *      \                                               /
 *       +----> job.next: each takes the next number <--+     one exchange for a step
 *
 * When no step is left the caller withdraws the helpers that have not started and waits until those that
 * are inside have left. A helper that comes later finds no step; the job is on the heap and counted, so
 * such a latecomer touches nothing of the caller's.
 *
 * Waiting like this cannot go round in a circle: who waits waits for a step that was begun before its
 * thread began the range that it waits in, so along such a chain the ranges become ever younger.
 *
 * Layer: api. Locks: none.
 * Invariant: who has got a number below `count` has counted itself in `inside` before.
 */
#include "api/spread.h"

#include "api/engine.h"
#include "base/alloc.h"
#include "base/futex.h"
#include "base/limits.h"

struct job {
    struct tutti__spread work;    /* [const] */
    const tutti_allocator *memory; /* [const] of the job */
    size_t bytes;                 /* [const] */
    uint32_t helper_count;        /* [caller] */
    TUTTI_ATOMIC(uint32_t) refs;  /* [any] of the caller and of each helper task */
    TUTTI_ATOMIC(int32_t) status; /* [any] the first that ended it; TUTTI_OK: none */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint64_t) next; /* [any] number of the next step */
    /* [any] helpers that may be in a step; above: the caller sleeps until that is 0 */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint32_t) inside;
    tutti_task *helpers[]; /* [caller] references */
};

#define CALLER_SLEEPS 0x80000000u

/* ---- steps ---------------------------------------------------------------------------------- */

/* Let no more steps begin. Returns: whether any were left. */
static bool stop_steps(struct job *job)
{
    /* acq_rel: as in take_part. */
    return TUTTI_EXCHANGE(&job->next, job->work.count, acq_rel) < job->work.count;
}

static void end_with(struct job *job, int status)
{
    int32_t none = TUTTI_OK;
    /* relaxed: the caller reads it when all are out, ordered by `inside`. */
    (void)TUTTI_CAS_STRONG(&job->status, &none, status, relaxed, relaxed);
}

/* Do steps until none is left. Args: task - the calling task, whose cancellation ends it; or NULL. */
static void take_part(struct job *job, const tutti_task *task)
{
    for (;;) {
        if (task != NULL && tutti__task_is_cancelled(task)) {
            if (stop_steps(job)) {
                end_with(job, TUTTI_ECANCELED);
            }
            return;
        }
        /* acq_rel: a caller that finds no step left sees everybody who got one counted in `inside`. */
        uint64_t number = TUTTI_FETCH_ADD(&job->next, 1, acq_rel);
        if (number >= job->work.count) {
            return;
        }
        int rc = job->work.step(job->work.user, number);
        if (TUTTI_UNLIKELY(rc != TUTTI_OK)) {
            end_with(job, rc < 0 ? rc : TUTTI_EFAILED);
            (void)stop_steps(job);
            return;
        }
    }
}

/* ---- helpers -------------------------------------------------------------------------------- */

static void job_unref(void *pointer)
{
    struct job *job = pointer;
    /* acq_rel: what the others did with it is over before it is freed. */
    if (TUTTI_FETCH_SUB(&job->refs, 1, acq_rel) == 1) {
        tutti__memory_free(job->memory, job, job->bytes);
    }
}

static int helper_body(tutti_task *self, void *arg, tutti_value *result)
{
    struct job *job = arg;
    (void)self;
    (void)result;
    /* relaxed: only so that a latecomer does not keep a caller waiting; the exchange decides. */
    if (TUTTI_LOAD(&job->next, relaxed) >= job->work.count) {
        return TUTTI_OK;
    }
    TUTTI_FETCH_ADD(&job->inside, 1, relaxed); /* published by the exchange on `next` */
    take_part(job, NULL);
    /* release: the caller that sees this thread out sees what its steps did. */
    if (TUTTI_FETCH_SUB(&job->inside, 1, release) == (CALLER_SLEEPS | 1)) {
        tutti__futex_wake(&job->inside, 1);
    }
    return TUTTI_OK;
}

/* Offer `count` helpers; fewer when memory is short or the engine stops: the caller does what is left. */
static void submit_helpers(tutti_engine *e, struct job *job, uint32_t count)
{
    tutti_task_desc desc = {
        .struct_size = sizeof desc,
        .fn = helper_body,
        .arg = job,
        .arg_drop = job_unref,
        .flags = TUTTI_DETACH | TUTTI_NO_LOOP, /* a long range must not hold up the loop */
    };
    for (uint32_t i = 0; i < count; i++) {
        TUTTI_FETCH_ADD(&job->refs, 1, relaxed); /* the caller has one meanwhile */
        if (tutti__sched_submit(e->sched, &desc, NULL, 0, &job->helpers[i]) != TUTTI_OK) {
            TUTTI_FETCH_SUB(&job->refs, 1, relaxed);
            return;
        }
        job->helper_count++;
    }
}

static void withdraw_helpers(struct job *job)
{
    for (uint32_t i = 0; i < job->helper_count; i++) {
        tutti__task_withdraw(job->helpers[i]);
        tutti__task_unref(job->helpers[i]);
    }
}

/* Wait until nobody else is in a step. */
static void wait_for_helpers(tutti_engine *e, struct job *job)
{
    const struct tutti__env *env = tutti__sched_env(e->sched);
    /* acquire, here and below, pairs with the release in helper_body. */
    uint32_t inside = TUTTI_LOAD(&job->inside, acquire);
    if (inside == 0) {
        return;
    }
    uint64_t spin_end_ns = env->now_ns(env->user) + tutti__sched_spin_ns(e->sched);
    while (inside != 0 && env->now_ns(env->user) < spin_end_ns) {
        tutti__cpu_relax();
        inside = TUTTI_LOAD(&job->inside, acquire);
    }
    if (inside == 0) {
        return;
    }
    inside = TUTTI_FETCH_OR(&job->inside, CALLER_SLEEPS, acquire) | CALLER_SLEEPS;
    while (inside != CALLER_SLEEPS) {
        (void)tutti__futex_wait(&job->inside, inside, UINT64_MAX);
        inside = TUTTI_LOAD(&job->inside, acquire);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* How many workers could help the calling thread. */
static uint32_t helpers_wanted(tutti_engine *e, const struct tutti__spread *work)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    uint32_t others = tutti__sched_workers(e->sched);
    if (others > 0 && here != NULL && tutti__thread_is_worker(here)) {
        others--;
    }
    return work->count - 1 < others ? (uint32_t)(work->count - 1) : others;
}

static tutti_task *running_task(tutti_engine *e)
{
    struct tutti__thread *here = tutti__thread_here(e->sched);
    return here != NULL ? tutti__thread_running(here) : NULL;
}

static int spread_alone(tutti_engine *e, const struct tutti__spread *work)
{
    struct job job = { .work = *work };
    take_part(&job, running_task(e));
    return TUTTI_LOAD(&job.status, relaxed); /* this thread's own */
}

static size_t job_bytes(uint32_t helpers)
{
    return sizeof(struct job) + helpers * sizeof(tutti_task *);
}

int tutti__spread(tutti_engine *e, const struct tutti__spread *work)
{
    uint32_t wanted = work->count > 1 ? helpers_wanted(e, work) : 0;
    struct job *job = NULL;
    if (wanted > 0) {
        job = tutti__memory_zero(e->memory, TUTTI_CACHE_LINE, job_bytes(wanted));
    }
    if (job == NULL) {
        return spread_alone(e, work);
    }
    job->work = *work;
    job->memory = e->memory;
    job->bytes = job_bytes(wanted);
    TUTTI_STORE(&job->refs, 1, relaxed); /* not shared yet */
    submit_helpers(e, job, wanted);
    take_part(job, running_task(e));
    withdraw_helpers(job);
    wait_for_helpers(e, job);
    int status = TUTTI_LOAD(&job->status, relaxed); /* ordered by `inside` */
    job_unref(job);
    return status;
}
