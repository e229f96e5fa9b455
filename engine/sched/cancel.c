/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - cancellation: of what has not started, at once; of what has, a flag and a hook.
 *
 * A hook is stored in task->link with the low bit set, so that a canceller which finds something else
 * there leaves it alone. It belongs to whoever takes it out by an exchange.
 *
 * Layer: sched. Locks: none.
 * Invariant: set: store the hook, then look at CANCEL; cancel: set CANCEL, then look for the hook; all
 * seq_cst. So a hook that is stored is seen by the canceller, or its owner sees CANCEL.
 */
#include "sched/core.h"

bool tutti__task_claim(tutti_task *task)
{
    uint64_t pending = TUTTI_LOAD(&task->pending, relaxed); /* the exchange decides */
    while ((pending & (TUTTI__PENDING_CLAIMED | TUTTI__PENDING_STARTED)) == 0) {
        /* acq_rel: in one order with the start of the body and with the last edge. */
        if (TUTTI_CAS_WEAK(&task->pending, &pending, pending | TUTTI__PENDING_CLAIMED, acq_rel,
                           acquire)) {
            return true;
        }
    }
    return false;
}

void tutti__cancel_uncount(struct tutti__sched *sched, tutti_task *task)
{
    /* Settler and canceller may both come here: the one that clears the bit takes it off. */
    uint64_t old = TUTTI_FETCH_AND(&task->pending, ~TUTTI__PENDING_COUNTED, relaxed);
    if ((old & TUTTI__PENDING_COUNTED) != 0) {
        TUTTI_FETCH_SUB(&sched->cancels, 1, relaxed); /* a hint: see tutti__cancel_inherited */
    }
}

bool tutti__cancel_inherited(struct tutti__sched *sched, const tutti_task *task)
{
    /* As long as no running task has been cancelled there is no need to look at the parents. relaxed:
     * a task that asks a moment too early asks again, or runs. */
    if (TUTTI_LIKELY(TUTTI_LOAD(&sched->cancels, relaxed) == 0)) {
        return false;
    }
    const tutti_task *parent = tutti__record_parent(task);
    for (; parent != NULL; parent = tutti__record_parent(parent)) {
        if ((TUTTI_LOAD(&parent->pending, relaxed) & TUTTI__PENDING_CANCEL) != 0) {
            return true;
        }
    }
    return false;
}

/* Take the hook out of `link`. */
static struct tutti__cancel_hook *take_hook(tutti_task *task)
{
    void *link = TUTTI_LOAD(&task->link, seq_cst);
    if (((uintptr_t)link & 1) == 0) {
        return NULL;
    }
    /* acq_rel: the hook's fields come with it, and go on to its home by the post. */
    if (!TUTTI_CAS_STRONG(&task->link, &link, NULL, acq_rel, relaxed)) {
        return NULL; /* its owner took it back, or another canceller was faster */
    }
    return (struct tutti__cancel_hook *)((uintptr_t)link & ~(uintptr_t)1);
}

struct tutti__cancel_hook *tutti__cancel_take(tutti_task *task)
{
    return take_hook(task);
}

static int cancel_started(struct tutti__sched *sched, tutti_task *task, char **reason)
{
    TUTTI_FETCH_ADD(&sched->cancels, 1, relaxed); /* before CANCEL is seen */
    uint64_t old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_CANCEL | TUTTI__PENDING_COUNTED,
                                  seq_cst);
    if ((old & TUTTI__PENDING_CANCEL) != 0) {
        TUTTI_FETCH_SUB(&sched->cancels, 1, relaxed); /* another canceller has counted it */
    }
    /* The settler closes, then looks for COUNTED; here it is the other way round. */
    if (TUTTI_LOAD(&task->succ, seq_cst) == TUTTI__EDGE_CLOSED) {
        tutti__cancel_uncount(sched, task);
        return TUTTI_ESETTLED;
    }
    struct tutti__cancel_hook *hook = take_hook(task);
    if (hook != NULL) {
        if (hook->reason != NULL) {
            *hook->reason = *reason;
            *reason = NULL;
        }
        tutti__home_post_urgent(hook->home, &hook->post);
    }
    TUTTI_FENCE(seq_cst); /* cancelled and counted before, the look for waiting bodies after: lot.h */
    tutti__lot_wake_bodies(&sched->lot, task);
    return TUTTI_EPENDING;
}

bool tutti__task_withdraw(tutti_task *task)
{
    if (!tutti__task_claim(task)) {
        return false;
    }
    struct tutti__sched *sched = tutti__sched_of(task);
    struct tutti__wave wave;
    tutti__wave_begin(&wave, sched, tutti__thread_here(sched));
    tutti__wave_settle_claimed(&wave, task, TUTTI_ECANCELED, NULL);
    if ((tutti__record_flags(task) & TUTTI__RECORD_PROMISE) != 0) {
        tutti__task_drop(wave.thread, task); /* a promise is in no queue; the caller has one more */
    }
    tutti__wave_end(&wave, false);
    return true;
}

int tutti__task_cancel_for(tutti_task *task, char **reason)
{
    if (tutti__task_is_done(task)) {
        return TUTTI_ESETTLED;
    }
    if (tutti__task_withdraw(task)) {
        return TUTTI_OK;
    }
    struct tutti__sched *sched = tutti__sched_of(task);
    /* acquire: pairs with the claim, or with the start. */
    if ((TUTTI_LOAD(&task->pending, acquire) & TUTTI__PENDING_CLAIMED) != 0) {
        return TUTTI_ESETTLED;
    }
    return cancel_started(sched, task, reason);
}

int tutti__task_cancel(tutti_task *task)
{
    char *none = NULL;
    return tutti__task_cancel_for(task, &none);
}

bool tutti__task_set_cancel_hook(tutti_task *task, struct tutti__cancel_hook *hook)
{
    TUTTI_ASSERT(((uintptr_t)hook & 1) == 0);
    void *tagged = (void *)((uintptr_t)hook | 1);
    TUTTI_STORE(&task->link, tagged, seq_cst);
    if ((TUTTI_LOAD(&task->pending, seq_cst) & TUTTI__PENDING_CANCEL) == 0) {
        return true;
    }
    return !tutti__task_take_cancel_hook(task, hook); /* too late to take it back: it will arrive */
}

bool tutti__task_take_cancel_hook(tutti_task *task, struct tutti__cancel_hook *hook)
{
    void *tagged = (void *)((uintptr_t)hook | 1);
    return TUTTI_CAS_STRONG(&task->link, &tagged, NULL, acq_rel, acquire);
}
