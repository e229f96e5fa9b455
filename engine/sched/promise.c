/* SPDX-License-Identifier: MIT */
/*
 * promise.c - tasks that something else than their body settles.
 *
 * A plain promise is won by CLAIMED, as an early settle is: settle and cancel race for it. For a
 * suspended body settle wins SETTLING, stores the outcome, then sets OUTCOME; the body's return sets
 * RETURNED. Whoever comes second of the two completes the task. A promise that was started is the same
 * with RETURNED set from the beginning.
 *
 * Layer: sched. Locks: none.
 * Invariant: status and result are written by the one winner, before the close.
 */
#include "base/value.h"
#include "sched/core.h"

/* The outcome is stored and this thread is the one to settle the task. */
static void complete(struct tutti__sched *sched, tutti_task *task)
{
    struct tutti__wave *outer = tutti__wave_active(sched);
    if (outer != NULL) {
        tutti__wave_suspended_end(outer, task); /* within a notice: when that has returned */
        return;
    }
    struct tutti__wave wave;
    tutti__wave_begin(&wave, sched, tutti__thread_here(sched));
    tutti__wave_suspended_end(&wave, task);
    tutti__wave_end(&wave, false);
}

static void store_outcome(tutti_task *task, int status, tutti_value *value)
{
    /* a skipped one has a cause */
    TUTTI_SET(task->status, status == TUTTI_ESKIPPED ? TUTTI_EFAILED : status);
    tutti__task_set_result(task, value);
}

static bool is_promise(const tutti_task *task)
{
    return (tutti__record_flags(task) & TUTTI__RECORD_PROMISE) != 0;
}

bool tutti__promise_start(tutti_task *task)
{
    uint64_t pending = TUTTI_LOAD(&task->pending, relaxed); /* the exchange decides */
    TUTTI_ASSERT(is_promise(task));
    while ((pending & (TUTTI__PENDING_CLAIMED | TUTTI__PENDING_STARTED)) == 0) {
        /* acq_rel: in one order with the claims. RETURNED: no body is going to return. */
        if (TUTTI_CAS_WEAK(&task->pending, &pending,
                           pending | TUTTI__PENDING_STARTED | TUTTI__PENDING_RETURNED, acq_rel,
                           acquire)) {
            return true;
        }
    }
    return (pending & TUTTI__PENDING_CLAIMED) == 0;
}

static bool is_started(const tutti_task *task)
{
    /* acquire: settles of a promise come after its start, wherever that was. */
    return (TUTTI_LOAD(&task->pending, acquire) & TUTTI__PENDING_STARTED) != 0;
}

static int settle_promise(tutti_task *task, int status, tutti_value *value)
{
    if (!tutti__task_claim(task)) {
        return TUTTI_ESETTLED;
    }
    store_outcome(task, status, value);
    complete(tutti__sched_of(task), task);
    return TUTTI_OK;
}

/* Win the right to settle a task whose body has begun. */
static int win_started(tutti_task *task)
{
    uint64_t pending = TUTTI_LOAD(&task->pending, acquire);
    if ((pending & TUTTI__PENDING_CLAIMED) != 0) {
        return TUTTI_ESETTLED;
    }
    if ((pending & TUTTI__PENDING_STARTED) == 0) {
        return TUTTI_EINVAL;
    }
    /* acq_rel: before the loser is told, the winner's call has begun; nothing else hangs on it. */
    uint64_t old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_SETTLING, acq_rel);
    return (old & TUTTI__PENDING_SETTLING) != 0 ? TUTTI_ESETTLED : TUTTI_OK;
}

static int settle_started(tutti_task *task, int status, tutti_value *value)
{
    int rc = win_started(task);
    if (rc != TUTTI_OK) {
        return rc;
    }
    struct tutti__sched *sched = tutti__sched_of(task);
    store_outcome(task, status, value);
    /* acq_rel: the body's thread sees the outcome, or this one sees what the body did. */
    uint64_t old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_OUTCOME, acq_rel);
    if ((old & TUTTI__PENDING_RETURNED) != 0) {
        complete(sched, task);
    }
    return TUTTI_OK;
}

int tutti__promise_settle(tutti_task *task, int status, tutti_value *value)
{
    int rc;
    if (status > 0) {
        rc = TUTTI_EINVAL;
    } else if (tutti__task_is_done(task)) {
        rc = TUTTI_ESETTLED;
    } else if (!is_promise(task) || is_started(task)) {
        rc = settle_started(task, status, value);
    } else {
        rc = settle_promise(task, status, value);
    }
    if (rc != TUTTI_OK && value != NULL) {
        tutti__value_free(value);
    }
    return rc;
}

void tutti__promise_abandon(tutti_task *task)
{
    uint64_t pending = TUTTI_LOAD(&task->pending, acquire);
    if ((pending & TUTTI__PENDING_RETURNED) != 0) {
        settle_started(task, TUTTI_ECANCELED, NULL);
    }
}
