/* SPDX-License-Identifier: MIT */
/*
 * blocking.c - extra threads. See blocking.h.
 *
 * Layer: sched. Locks: blocking.mu, a leaf.
 * Invariant: while something is queued there is an idle thread that has been told, or as many threads
 * as are allowed (or as the system gives, at least one).
 */
#include "base/clock.h"
#include "sched/core.h"

void tutti__blocking_init(struct tutti__blocking *blocking)
{
    tutti__mutex_init(&blocking->mu);
    tutti__cond_init(&blocking->wake);
    tutti__cond_init(&blocking->ended);
}

void tutti__blocking_deinit(struct tutti__blocking *blocking)
{
    tutti__cond_deinit(&blocking->ended);
    tutti__cond_deinit(&blocking->wake);
    tutti__mutex_deinit(&blocking->mu);
}

/* ---- the threads -------------------------------------------------------------------------- */

static void do_job(struct tutti__block_job *job, bool cancelled)
{
    struct tutti__home *home = job->home; /* without a home, work may free the job */
    job->cancelled = cancelled;
    job->work(job);
    if (home != NULL) {
        tutti__home_post(home, &job->post);
    }
}

static void do_task(struct tutti__sched *sched, tutti_task *task)
{
    struct tutti__thread *thread = tutti__thread_enter(sched, TUTTI__THREAD_BLOCKING);
    if (thread == NULL) {
        /* Without memory for a context no body can run: the task ends as one that has failed. */
        struct tutti__wave wave;
        tutti__wave_begin(&wave, sched, NULL);
        if (tutti__task_claim(task)) {
            tutti__wave_settle_claimed(&wave, task, TUTTI_ENOMEM, NULL);
        }
        tutti__task_drop(NULL, task);
        tutti__wave_end(&wave, false);
        return;
    }
    tutti__run(thread, task);
    tutti__batch_flush(&thread->batch);
}

/* Take one thing out and do it. Returns: false when there is none. */
static bool do_one_locked(struct tutti__sched *sched, struct tutti__blocking *b)
    TUTTI_REQUIRES(b->mu)
{
    struct tutti__block_job *job = b->first;
    tutti_task *task = NULL;
    if (job != NULL) {
        b->first = job->next;
        b->last = b->first == NULL ? NULL : b->last;
    } else if ((task = b->tasks_first) != NULL) {
        b->tasks_first = TUTTI_LOAD(&task->link, relaxed); /* ordered by mu */
        b->tasks_last = b->tasks_first == NULL ? NULL : b->tasks_last;
    } else {
        return false;
    }
    b->queued--;
    bool cancelled = b->stopping;
    tutti__mutex_unlock(&b->mu);
    if (job != NULL) {
        do_job(job, cancelled);
    } else {
        do_task(sched, task); /* settles as cancelled by itself when the intake is closed */
    }
    tutti__mutex_lock(&b->mu);
    return true;
}

static void *blocking_main(void *arg)
{
    struct tutti__sched *sched = arg;
    struct tutti__blocking *b = &sched->blocking;
    tutti__mutex_lock(&b->mu);
    for (bool in_time = true;;) {
        if (do_one_locked(sched, b)) {
            in_time = true;
            continue;
        }
        if (b->stopping || !in_time) {
            break;
        }
        b->idle++;
        in_time = tutti__cond_wait(&b->wake, &b->mu,
                                   tutti__clock_after(tutti__clock_now_ns(), TUTTI_BLOCKING_IDLE_NS));
        b->idle--;
    }
    b->threads--; /* from now on nobody counts on this thread */
    b->leaving++;
    tutti__mutex_unlock(&b->mu);
    tutti__thread_unbind(sched); /* before the stopper is told: afterwards sched may be gone */
    tutti__mutex_lock(&b->mu);
    b->leaving--;
    tutti__cond_broadcast(&b->ended);
    tutti__mutex_unlock(&b->mu);
    return NULL;
}

/* See to it that somebody does what has just been queued. Returns: false if nobody will. */
static bool provide_locked(struct tutti__sched *sched, struct tutti__blocking *b)
    TUTTI_REQUIRES(b->mu)
{
    if (b->idle >= b->queued) {
        tutti__cond_signal(&b->wake);
        return true;
    }
    /* One that sleeps in a wait is not one of those that may be: it may wait for what is queued. */
    if (b->threads - b->asleep < TUTTI_BLOCKING_THREADS_MAX) {
        pthread_t pthread;
        struct tutti__thread_desc desc = { "tutti-block", sched->stack_bytes, blocking_main, sched };
        if (tutti__thread_start(&pthread, &desc) == TUTTI_OK) {
            pthread_detach(pthread);
            b->threads++;
        }
    }
    return b->threads > b->asleep;
}

/* ---- what is given to them ---------------------------------------------------------------- */

int tutti__blocking_submit(struct tutti__sched *sched, struct tutti__block_job *job)
{
    struct tutti__blocking *b = &sched->blocking;
    int rc = TUTTI_ESTOPPED;
    if (sched->env->one_thread) {
        do_job(job, TUTTI_LOAD(&sched->closed, relaxed) != 0); /* of this thread */
        return TUTTI_OK;
    }
    job->next = NULL;
    job->cancelled = false;
    tutti__mutex_lock(&b->mu);
    if (!b->stopping) {
        struct tutti__block_job *last = b->last;
        if (last != NULL) {
            last->next = job;
        } else {
            b->first = job;
        }
        b->last = job;
        b->queued++;
        rc = TUTTI_OK;
        if (!provide_locked(sched, b)) {
            /* No thread that could have looked at the queue: take it out again. */
            b->last = last;
            if (last != NULL) {
                last->next = NULL;
            } else {
                b->first = NULL;
            }
            b->queued--;
            rc = TUTTI_EAGAIN;
        }
    }
    tutti__mutex_unlock(&b->mu);
    return rc;
}

/* Put a ready task into the queue. Returns: false if no thread will run it. */
static bool push_task(struct tutti__sched *sched, tutti_task *task)
{
    struct tutti__blocking *b = &sched->blocking;
    bool provided = false;
    TUTTI_STORE(&task->link, NULL, relaxed); /* ordered by mu */
    tutti__mutex_lock(&b->mu);
    /* When stopping, the threads may have ended; and if none can be started but some run, they will. */
    if (!b->stopping || b->threads != 0) {
        tutti_task *last = b->tasks_last;
        if (last != NULL) {
            TUTTI_STORE(&last->link, task, relaxed);
        } else {
            b->tasks_first = task;
        }
        b->tasks_last = task;
        b->queued++;
        provided = b->stopping ? (tutti__cond_signal(&b->wake), true) : provide_locked(sched, b);
        if (!provided) {
            if (last != NULL) { /* no thread that could have taken any */
                TUTTI_STORE(&last->link, NULL, relaxed);
            } else {
                b->tasks_first = NULL;
            }
            b->tasks_last = last;
            b->queued--;
        }
    }
    tutti__mutex_unlock(&b->mu);
    return provided;
}

void tutti__blocking_push(struct tutti__sched *sched, tutti_task *task)
{
    if (sched->env->one_thread || !push_task(sched, task)) {
        /* Better on a worker, or settled as cancelled by one, than never. */
        tutti__strict_push(&sched->strict, task);
        tutti__idle_notify(&sched->idle);
    }
}

/* ---- bodies that wait --------------------------------------------------------------------- */

int tutti__blocking_lend(struct tutti__sched *sched)
{
    struct tutti__blocking *b = &sched->blocking;
    int rc = TUTTI_OK;
    tutti__mutex_lock(&b->mu);
    b->asleep++;
    if (b->queued > b->idle && !provide_locked(sched, b)) {
        b->asleep--; /* the last one: who would do what is queued? */
        rc = TUTTI_EAGAIN;
    }
    tutti__mutex_unlock(&b->mu);
    return rc;
}

void tutti__blocking_take(struct tutti__sched *sched)
{
    struct tutti__blocking *b = &sched->blocking;
    tutti__mutex_lock(&b->mu);
    b->asleep--;
    tutti__mutex_unlock(&b->mu);
}

/* ---- the end ------------------------------------------------------------------------------ */

uint32_t tutti__blocking_threads(struct tutti__sched *sched)
{
    struct tutti__blocking *b = &sched->blocking;
    tutti__mutex_lock(&b->mu);
    uint32_t threads = b->threads;
    tutti__mutex_unlock(&b->mu);
    return threads;
}

bool tutti__blocking_stop(struct tutti__sched *sched, uint64_t deadline_ns)
{
    struct tutti__blocking *b = &sched->blocking;
    bool in_time = true;
    tutti__mutex_lock(&b->mu);
    b->stopping = true;
    tutti__cond_broadcast(&b->wake);
    while (b->threads + b->leaving != 0 && in_time) {
        in_time = tutti__cond_wait(&b->ended, &b->mu, deadline_ns);
    }
    bool are_gone = b->threads + b->leaving == 0;
    tutti__mutex_unlock(&b->mu);
    return are_gone;
}
