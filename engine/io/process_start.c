/* SPDX-License-Identifier: MIT */
/*
 * process_start.c - starting processes on extra threads, in order, also when the system runs short.
 *
 * Starts wait in one queue. A few are under way at once, which is all that helps: a start is work
 * for the CPU. When one fails for lack of descriptors or processes it goes back to the head of the
 * queue, and from then on one is tried at a time, after each process that has given its own back. A
 * start that fails although nothing else held anything while it was under way fails for good.
 *
 * Layer: io. Locks: none. Thread: the loop's, but for `start_work`.
 * Invariant: while the queue is not empty, a start is under way or a process holds descriptors.
 */
#include <errno.h>

#include "base/assert.h"
#include "io/process_record.h"

/* Starts that may open a FIFO, and wait there for the other side, do not count. */
static const uint32_t starting_max = 8;

static void on_started(struct tutti__post *post);

/* ---- the queue ------------------------------------------------------------------------------ */

static void enqueue_first(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    p->phase = TUTTI__PROCESS_QUEUED;
    p->queued_next = all->queue_first;
    all->queue_first = p;
    if (all->queue_last == NULL) {
        all->queue_last = p;
    }
}

static void enqueue_last(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    p->phase = TUTTI__PROCESS_QUEUED;
    p->queued_next = NULL;
    if (all->queue_last == NULL) {
        all->queue_first = p;
    } else {
        all->queue_last->queued_next = p;
    }
    all->queue_last = p;
}

void tutti__process_unqueue(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    struct tutti__process *before = NULL;
    for (struct tutti__process *at = all->queue_first; at != p; at = at->queued_next) {
        TUTTI_ASSERT(at != NULL);
        before = at;
    }
    if (before == NULL) {
        all->queue_first = p->queued_next;
    } else {
        before->queued_next = p->queued_next;
    }
    if (all->queue_last == p) {
        all->queue_last = before;
    }
    p->queued_next = NULL;
}

/* ---- the start ------------------------------------------------------------------------------ */

static bool is_named(const struct tutti__process_out *out)
{
    return out->kind == TUTTI__STDOUT_FILE;
}

static bool may_open_fifo(const struct tutti__process *p)
{
    return p->spec.stdin_kind == TUTTI__STDIN_FILE || is_named(&p->spec.out[0]) ||
           is_named(&p->spec.out[1]);
}

/* Thread: an extra one. */
static void start_work(struct tutti__block_job *job)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(job, job);
    const struct tutti__env *env = tutti__loop_env(p->all->loop);
    p->spawn.spec = &p->spec;
    p->spawn.error = 0;
    if (job->cancelled || tutti__task_is_cancelled(p->task)) {
        p->spawn.error = ECANCELED;
        return;
    }
    int rc = env->process_start != NULL ? env->process_start(env->user, &p->spawn)
                                        : tutti__spawn_start(&p->spawn);
    if (rc != TUTTI_OK && p->spawn.error == 0) {
        p->spawn.error = EIO;
    }
    p->started_ns = env->now_ns(env->user);
}

static void start_now(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    p->phase = TUTTI__PROCESS_STARTING;
    p->began_alone = all->holding_count == tutti__process_feeders_holding(p);
    p->begun_number = ++all->begun_count;
    all->holding_count++;
    all->starting_count += may_open_fifo(p) ? 0 : 1;
    p->job = (struct tutti__block_job){
        .work = start_work,
        .post.fn = on_started,
        .home = tutti__loop_home(all->loop),
    };
    int rc = tutti__blocking_submit(all->sched, &p->job);
    if (rc != TUTTI_OK) {
        /* No thread to start it on counts as a lack of processes; the post keeps the order of
         * things. */
        p->spawn.error = rc == TUTTI_EAGAIN ? EAGAIN : ECANCELED;
        p->spawn.what = "program";
        tutti__home_post(p->job.home, &p->job.post);
    }
}

/* Start what may start. */
static void start_queued(struct tutti__processes *all)
{
    while (all->queue_first != NULL && !all->is_blocked) {
        struct tutti__process *p = all->queue_first;
        uint32_t limit = all->is_scarce ? 1 : starting_max;
        if (all->starting_count >= limit && !may_open_fifo(p)) {
            return;
        }
        if (p->reader != NULL || p->feeder != NULL) {
            struct tutti__process *last = tutti__process_last(p);
            if (all->opening != NULL && all->opening != last) {
                return; /* one at a time: half a pipeline may never give anything back */
            }
            all->opening = last;
        }
        tutti__process_unqueue(p);
        start_now(p);
    }
    if (all->queue_first == NULL) {
        all->is_scarce = false;
    }
}

void tutti__process_start_soon(struct tutti__process *p)
{
    enqueue_last(p);
    start_queued(p->all);
}

void tutti__process_start_next(struct tutti__process *p)
{
    enqueue_first(p);
    start_queued(p->all);
}

void tutti__process_opened(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    if (all->opening == p) {
        all->opening = NULL;
        start_queued(all);
    }
}

void tutti__process_gave_back(struct tutti__processes *all)
{
    TUTTI_ASSERT(all->holding_count > 0);
    all->holding_count--;
    all->is_blocked = false;
    start_queued(all);
}

/* ---- its outcome ---------------------------------------------------------------------------- */

static void fail(struct tutti__process *p)
{
    struct tutti__process_result *result = &p->box->result;
    if (p->spawn.error == ECANCELED) {
        p->end = TUTTI__END_CANCEL;
    } else {
        p->end = TUTTI__END_ERROR;
        result->start_errno = p->spawn.error;
        result->start_what = p->spawn.what;
        result->start_hint = p->spawn.hint;
        p->spawn.hint = NULL;
    }
    tutti__process_opened(tutti__process_last(p));
    tutti__process_settle(p);
}

/* It could not be started for lack of something. */
static void wait_for_more(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    all->is_scarce = true;
    /* With others left, one of them will give something back; with none left it is tried alone. */
    all->is_blocked = all->holding_count > tutti__process_feeders_holding(p);
    enqueue_first(p);
    start_queued(all);
}

static void on_started(struct tutti__post *post)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(post, job.post);
    struct tutti__processes *all = p->all;
    all->starting_count -= may_open_fifo(p) ? 0 : 1;
    if (p->spawn.error == 0) {
        all->is_blocked = false;
        tutti__process_begin(p);
        if (p->reader != NULL) {
            tutti__process_feed(p);
        } else {
            tutti__process_opened(p);
        }
        start_queued(all);
        return;
    }
    bool was_alone = p->began_alone && p->begun_number == all->begun_count;
    bool is_cancelled = p->end == TUTTI__END_CANCEL;
    if (tutti__spawn_may_retry(p->spawn.error) && !was_alone && !is_cancelled) {
        all->holding_count--; /* not `gave_back`: what it had taken was not enough for itself */
        wait_for_more(p);
        return;
    }
    if (is_cancelled) {
        p->spawn.error = ECANCELED;
    }
    fail(p);
    tutti__process_gave_back(all);
}
