/* SPDX-License-Identifier: MIT */
/*
 * task.c - references and questions. See task.h.
 *
 * Layer: sched. Locks: none.
 */
#include <string.h>

#include "base/value.h"
#include "sched/core.h"

/* ---- references --------------------------------------------------------------------------- */

struct tutti__sched *tutti__sched_of(const tutti_task *task)
{
    return tutti__slab_of(task)->sched;
}

void tutti__task_ref(tutti_task *task)
{
    /* relaxed: the caller has a reference, so the record cannot go meanwhile. */
    TUTTI_FETCH_ADD(&task->refs, 1, relaxed);
}

#ifdef TUTTI_DEBUG
/* Make a record that is used after it was freed noticed: no sanitizer sees into a slab. */
static void scribble(const struct tutti__slab *slab, tutti_task *task)
{
    size_t bytes = slab->size_class == TUTTI__SLAB_LARGE
                       ? sizeof *task
                       : (size_t)slab->object_units * TUTTI__SLAB_UNIT;
    memset(&task->u, 0xdd, bytes - offsetof(struct tutti_task, u));
    TUTTI_STORE(&task->link, NULL, relaxed); /* never odd: see record.h */
}
#else
static void scribble(const struct tutti__slab *slab, tutti_task *task)
{
    (void)slab, (void)task;
}
#endif

/* Of a record that is not in a slab of `thread`. */
static TUTTI_NOINLINE void free_remote(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__slab *slab = tutti__slab_of(task);
    if (TUTTI_UNLIKELY(slab->size_class == TUTTI__SLAB_LARGE)) {
        tutti__store_free_large(&slab->sched->store, task);
    } else if (thread != NULL) {
        tutti__batch_free(&thread->batch, slab, task);
    } else {
        uint32_t unit = tutti__slab_unit(slab, task);
        tutti__slab_free_remote(slab, unit, unit, 1);
    }
}

TUTTI_INLINE void record_free(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__slab *slab = tutti__slab_of(task);
    scribble(slab, task);
    tutti__record_set_flags(task, 0); /* not LIVE: a walk passes over it */
    if (TUTTI_LIKELY(thread != NULL && TUTTI_LOAD(&slab->heap, relaxed) == &thread->heap)) {
        tutti__heap_free(&thread->heap, slab, task);
    } else {
        free_remote(thread, task);
    }
}

static TUTTI_NOINLINE void free_with_result(struct tutti__thread *thread, tutti_task *task,
                                            uint32_t flags)
{
    if ((flags & TUTTI__RECORD_RESULT) != 0) {
        tutti__value_free(&task->u.result);
    }
    if (TUTTI_GET(task->status) == TUTTI_ESKIPPED) {
        /* The cause is never itself skipped, so this does not go deeper. */
        tutti_task *cause = TUTTI_LOAD(&task->link, relaxed); /* const since the close */
        if (cause != NULL) {
            tutti__task_drop(thread, cause);
        }
    }
    record_free(thread, task);
}

void tutti__task_free(struct tutti__thread *thread, tutti_task *task)
{
    uint32_t flags = tutti__record_flags(task);
    TUTTI_ASSERT((flags & TUTTI__RECORD_LIVE) != 0);
    TUTTI_ASSERT((flags & TUTTI__RECORD_DROP) == 0);
    if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_RESULT) != 0 ||
                       TUTTI_GET(task->status) == TUTTI_ESKIPPED)) {
        free_with_result(thread, task, flags);
        return;
    }
    record_free(thread, task);
}

void tutti__task_drop(struct tutti__thread *thread, tutti_task *task)
{
    /* If ours is the only one, nobody can make or drop another: no exchange is needed. */
    if (!tutti__task_is_sole(thread, task)) {
        /* release: what this thread did with the record is over before it is freed; acquire: so is
         * what the others did. */
        if (TUTTI_FETCH_SUB(&task->refs, 1, acq_rel) != 1) {
            return;
        }
    }
    tutti__task_free(thread, task);
}

void tutti__task_unref(tutti_task *task)
{
    tutti__task_drop(tutti__thread_here(tutti__sched_of(task)), task);
}

/* ---- what a settler stores ---------------------------------------------------------------- */

void tutti__task_drop_arg(tutti_task *task)
{
    uint32_t flags = tutti__record_flags(task);
    if ((flags & TUTTI__RECORD_DROP) != 0) {
        (*tutti__record_drop(task))(tutti__record_arg(task, flags));
        tutti__record_set_flags(task, tutti__record_flags(task) & ~TUTTI__RECORD_DROP);
    }
}

void tutti__task_set_result(tutti_task *task, tutti_value *value)
{
    if (value != NULL && value->kind != TUTTI_NIL) {
        task->u.result = tutti__value_move(value);
        tutti__record_set_flags(task, tutti__record_flags(task) | TUTTI__RECORD_RESULT);
    }
}

/* ---- questions ---------------------------------------------------------------------------- */

bool tutti__task_is_done(const tutti_task *task)
{
    return tutti__edge_is_closed(&task->succ);
}

enum tutti_task_state tutti__task_state(const tutti_task *task)
{
    if (tutti__task_is_done(task)) {
        switch (TUTTI_GET(task->status)) {
        case TUTTI_OK:
            return TUTTI_TASK_DONE;
        case TUTTI_ECANCELED:
            return TUTTI_TASK_CANCELLED;
        case TUTTI_ESKIPPED:
            return TUTTI_TASK_SKIPPED;
        default:
            return TUTTI_TASK_FAILED;
        }
    }
    uint64_t pending = TUTTI_LOAD(&task->pending, relaxed); /* a snapshot: it may be old already */
    if ((tutti__record_flags(task) & TUTTI__RECORD_PROMISE) != 0) {
        return TUTTI_TASK_SUSPENDED;
    }
    if ((pending & TUTTI__PENDING_STARTED) != 0) {
        bool left = (pending & (TUTTI__PENDING_RETURNED | TUTTI__PENDING_JOINING)) != 0;
        return left ? TUTTI_TASK_SUSPENDED : TUTTI_TASK_RUNNING;
    }
    return (pending & TUTTI__PENDING_EDGES) != 0 ? TUTTI_TASK_WAITING : TUTTI_TASK_READY;
}

int tutti__task_result(const tutti_task *task, const tutti_value **value)
{
    static const tutti_value nil;
    if (!tutti__task_is_done(task)) {
        return TUTTI_EPENDING;
    }
    if (value != NULL) {
        bool has = (tutti__record_flags(task) & TUTTI__RECORD_RESULT) != 0;
        *value = has ? &task->u.result : &nil;
    }
    return TUTTI_GET(task->status);
}

tutti_task *tutti__task_root(tutti_task *task)
{
    if (TUTTI_GET(task->status) != TUTTI_ESKIPPED) {
        return task;
    }
    return TUTTI_LOAD(&task->link, relaxed); /* const since the close, which the caller has seen */
}

tutti_task *tutti__task_cause(const tutti_task *task)
{
    if (!tutti__task_is_done(task) || TUTTI_GET(task->status) == TUTTI_OK) {
        return NULL;
    }
    return tutti__task_root((tutti_task *)(uintptr_t)task);
}

bool tutti__task_was_cancelled(const tutti_task *task)
{
    if (tutti__task_is_done(task)) {
        return TUTTI_GET(task->status) == TUTTI_ECANCELED;
    }
    /* relaxed: a flag that is asked for again; nothing else is read because of it. */
    return (TUTTI_LOAD(&task->pending, relaxed) & TUTTI__PENDING_CANCEL) != 0;
}

bool tutti__task_is_cancelled(const tutti_task *task)
{
    struct tutti__sched *sched = tutti__sched_of(task);
    if (tutti__task_was_cancelled(task) || TUTTI_LOAD(&sched->closed, relaxed) != 0) {
        return true;
    }
    return tutti__cancel_inherited(sched, task);
}

void tutti__task_observe(tutti_task *task)
{
    /* relaxed: a flag of its own; it orders nothing else. */
    (void)TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_OBSERVED, relaxed);
}

bool tutti__task_is_observed(const tutti_task *task)
{
    return (TUTTI_LOAD(&task->pending, relaxed) & TUTTI__PENDING_OBSERVED) != 0;
}
