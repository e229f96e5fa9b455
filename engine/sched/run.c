/* SPDX-License-Identifier: MIT */
/*
 * run.c - one task's body, from READY to what follows it.
 *
 * Layer: sched. Locks: none.
 * Invariant: a body begins only in a task that nobody has claimed, and no claim succeeds after that.
 */
#include "base/value.h"
#include "sched/core.h"

/* Instead of calling its body. */
static TUTTI_COLD void settle_as_cancelled(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__wave wave;
    TUTTI_SET(task->status, TUTTI_ECANCELED);
    tutti__wave_begin(&wave, thread->sched, thread);
    tutti__wave_settle(&wave, task);
    tutti__wave_end(&wave, false);
}

/* Returns: whether the scheduler stops. */
static TUTTI_COLD bool heed_alarm(struct tutti__sched *sched, uint32_t alarm)
{
    tutti__watch_check(sched); /* what this thread ran before has settled */
    return (alarm & TUTTI__ALARM_CLOSED) != 0;
}

/* Thread: who has started `task`: now nobody settles it early, so what it is a child of is there. */
static bool must_not_run(struct tutti__sched *sched, const tutti_task *task)
{
    TUTTI_FENCE_LIGHT(); /* what ran before has settled: see tutti__watch_check */
    /* relaxed: a task that starts a moment after the close is one that was running. */
    uint32_t alarm = TUTTI_LOAD(&sched->alarm, relaxed);
    if (TUTTI_UNLIKELY(alarm != 0) && heed_alarm(sched, alarm)) {
        return true;
    }
    return tutti__cancel_inherited(sched, task);
}

/* Mark `task` as started. Returns: false if somebody has settled it early. */
static bool start(struct tutti__thread *thread, tutti_task *task)
{
    uint64_t old;
    if (tutti__task_is_sole(thread, task)) {
        /* Only a reference can claim, and ours is the only one. */
        old = TUTTI_LOAD(&task->pending, relaxed);
        TUTTI_STORE(&task->pending, old | TUTTI__PENDING_STARTED, relaxed);
    } else {
        /* acq_rel: in one order with the claims (cancel.c). */
        old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_STARTED, acq_rel);
    }
    return (old & TUTTI__PENDING_CLAIMED) == 0;
}

/* The body wants the task to be settled later, by tutti__promise_settle; that may have come already. */
static TUTTI_NOINLINE tutti_task *suspended(struct tutti__thread *thread, tutti_task *task, uint32_t children)
{
    uint64_t returned = TUTTI__PENDING_RETURNED;
    if (children != 0) {
        /* One more, for the suspension itself: see tutti__wave_suspended_end. */
        TUTTI_FETCH_ADD(&task->children, children + 1, acq_rel);
        returned |= TUTTI__PENDING_CHILDREN;
    }
    /* acq_rel: the settler sees what the body did, or this thread sees the outcome. */
    uint64_t old = TUTTI_FETCH_OR(&task->pending, returned, acq_rel);
    if ((old & TUTTI__PENDING_OUTCOME) == 0) {
        return NULL; /* not ours to look at any more */
    }
    struct tutti__wave wave;
    tutti__wave_begin(&wave, thread->sched, thread);
    tutti__wave_suspended_end(&wave, task);
    return tutti__wave_end(&wave, true);
}

/* What a body may return, as the status of a task. */
TUTTI_INLINE int status_of(int returned)
{
    if (TUTTI_LIKELY(returned == TUTTI_OK)) {
        return TUTTI_OK;
    }
    return returned > 0 || returned == TUTTI_ESKIPPED ? TUTTI_EFAILED : returned;
}

/* The body has succeeded, and so have the children, if it made some; is the record the caller's alone?
 * Then nobody can wait for it, cancel it, come after it or ask for its result any more, and what follows
 * needs no wave. */
TUTTI_INLINE bool is_unknown(struct tutti__thread *thread, const tutti_task *task)
{
    if (!tutti__task_is_sole(thread, task)) { /* first: see tutti__count_down */
        return false;
    }
    uint64_t pending = TUTTI_LOAD(&task->pending, relaxed) & ~TUTTI__PENDING_JOINING;
    return pending == TUTTI__PENDING_STARTED && TUTTI_GET(task->status) == TUTTI_OK;
}

/* Is `list` nothing, or one edge that leads to a task? */
TUTTI_INLINE bool is_short(tutti__link list)
{
    return list == 0 || (tutti__link_kind(list) <= TUTTI__EDGE_NARROW_MAX &&
                         TUTTI_GET(tutti__link_edge(list)->next) == 0);
}

/* Is it unknown, and does at most one task come after it? */
TUTTI_INLINE bool is_simple(struct tutti__thread *thread, const tutti_task *task)
{
    /* acquire: what was pushed is seen. */
    return is_unknown(thread, task) && is_short(TUTTI_LOAD(&task->succ, acquire));
}

/* End a task that is_simple, up to its parent. Returns: the task that is to run next. */
TUTTI_INLINE tutti_task *end_simple(struct tutti__thread *thread, tutti_task *task)
{
    tutti_task *next = NULL;
    tutti__link list = TUTTI_LOAD(&task->succ, relaxed); /* acquired by is_simple; const since */
    tutti__task_drop_arg(task);
    if (list != 0) {
        next = tutti__count_down(thread, tutti__link_task(list), 1);
        uint32_t flags = next != NULL ? tutti__record_flags(next) : 0;
        if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_ELSEWHERE) != 0) &&
            !tutti__may_run(thread, flags)) {
            tutti__push_ready(thread, next);
            next = NULL;
        }
    }
    uint64_t settled = TUTTI_LOAD(&thread->counters.settled, relaxed);
    TUTTI_STORE(&thread->counters.settled, settled + 1, release); /* as in complete.c */
    tutti__task_free(thread, task);
    return next;
}

/* End a parent whose last child has just ended. Returns: as run_one. */
static TUTTI_NOINLINE tutti_task *end_parent(struct tutti__thread *thread, tutti_task *parent,
                                             tutti_task *next)
{
    struct tutti__wave wave;
    tutti__wave_begin(&wave, thread->sched, thread);
    wave.next = next;
    tutti__wave_ended(&wave, parent);
    return tutti__wave_end(&wave, true);
}

/* End a task that is_simple, and its parents as far as it was their last child. Returns: as run_one. */
TUTTI_INLINE tutti_task *end_family(struct tutti__thread *thread, tutti_task *task)
{
    tutti_task *next;
    tutti_task *parent = task;
    do {
        task = parent;
        parent = tutti__record_parent(task);
        next = end_simple(thread, task);
        if (parent == NULL || !tutti__child_ended(parent)) {
            return next;
        }
    } while (next == NULL && is_simple(thread, parent));
    return end_parent(thread, parent, next);
}

/* ---- hooks -------------------------------------------------------------------------------- */

static const char *name_of(tutti_task *task)
{
    bool named = (tutti__record_flags(task) & TUTTI__RECORD_NAME) != 0;
    return named ? tutti__record_extra(task)->name : NULL;
}

static TUTTI_COLD void tell_begin(const struct tutti__sched *sched, tutti_task *task)
{
    if (sched->hooks->task_begin != NULL) {
        sched->hooks->task_begin(sched->hooks->user, task, name_of(task));
    }
}

/* The body has returned, so the task cannot have settled: this thread is to do its part first. */
static TUTTI_COLD void tell_end(const struct tutti__sched *sched, tutti_task *task, int returned)
{
    if (sched->hooks->task_end != NULL) {
        sched->hooks->task_end(sched->hooks->user, task, name_of(task), returned);
    }
}

/* ---- one task ----------------------------------------------------------------------------- */

/* End a task with all that may follow. Returns: as run_one. */
static TUTTI_NOINLINE tutti_task *end_fully(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__wave wave;
    tutti__wave_begin(&wave, thread->sched, thread);
    tutti__wave_settle(&wave, task);
    return tutti__wave_end(&wave, true);
}

/* Returns: the task to run next; NULL: none. */
TUTTI_INLINE tutti_task *run_one(struct tutti__thread *thread, tutti_task *task)
{
    if (TUTTI_UNLIKELY(!start(thread, task))) {
        tutti__task_drop(thread, task); /* the queue's reference */
        return NULL;
    }
    if (TUTTI_UNLIKELY(must_not_run(thread->sched, task))) {
        settle_as_cancelled(thread, task);
        return NULL;
    }
    struct tutti__frame frame = { .task = task, .children = 0 };
    struct tutti__frame *outer = thread->frame;
    tutti_value result = { 0 };
    thread->frame = &frame;
    if (TUTTI_UNLIKELY(thread->sched->has_task_hooks)) {
        tell_begin(thread->sched, task);
    }
    int returned = task->u.start.fn(task, tutti__record_arg(task, tutti__record_flags(task)), &result);
    if (TUTTI_UNLIKELY(thread->sched->has_task_hooks)) {
        tell_end(thread->sched, task, returned);
    }
    thread->frame = outer;

    /* relaxed: only to see a settle that the body itself made or knows of; SUSPEND decides below. */
    bool settling = (TUTTI_LOAD(&task->pending, relaxed) & TUTTI__PENDING_SETTLING) != 0;
    if (TUTTI_UNLIKELY(returned == TUTTI_TASK_SUSPEND || settling)) {
        tutti__value_free(&result);
        return suspended(thread, task, frame.children);
    }
    TUTTI_SET(task->status, status_of(returned));
    tutti__task_set_result(task, &result);
    if (frame.children != 0) {
        if (tutti__leave_to_children(thread, task, frame.children)) {
            return NULL;
        }
    } else if (is_simple(thread, task)) {
        return end_family(thread, task);
    }
    return end_fully(thread, task);
}

/* ---- what follows ------------------------------------------------------------------------- */

/* Leave a ready task to whoever comes for it. */
static TUTTI_NOINLINE void offer(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__wave wave;
    tutti__wave_begin(&wave, thread->sched, thread);
    wave.next = task;
    tutti__wave_end(&wave, false);
}

/* `next` has become ready and could be run right away, but something may rank above it. Returns: what is
 * to be run. */
static TUTTI_NOINLINE tutti_task *choose_other(struct tutti__thread *thread, tutti_task *next)
{
    uint32_t flags = tutti__record_flags(next);
    if (thread->frame != NULL) {
        return next; /* within a body that waits only its own tasks may run: nothing is looked for */
    }
    tutti_task *above = tutti__find_above(thread, tutti__rank(flags));
    if (above == NULL) {
        return next;
    }
    offer(thread, next);
    return above;
}

TUTTI_INLINE tutti_task *choose_next(struct tutti__thread *thread, tutti_task *next)
{
    bool is_low = (tutti__record_flags(next) & TUTTI__RECORD_LOW) != 0;
    /* relaxed: a hint. */
    if (TUTTI_LIKELY(TUTTI_LOAD(&thread->sched->raised, relaxed) == 0 && !is_low)) {
        return next;
    }
    return choose_other(thread, next);
}

void tutti__run(struct tutti__thread *thread, tutti_task *task)
{
    for (uint32_t n = 0;; n++) {
        task = run_one(thread, task);
        if (task == NULL) {
            return;
        }
        if (n == TUTTI_DIRECT_RUN_MAX) {
            /* A long chain must not keep this thread from its inbox and from others' tasks. */
            offer(thread, task);
            return;
        }
        task = choose_next(thread, task);
    }
}

void tutti__run_alone(struct tutti__thread *thread, tutti_task *task)
{
    tutti_task *next = run_one(thread, task);
    if (next != NULL) {
        offer(thread, next);
    }
}
