/* SPDX-License-Identifier: MIT */
/*
 * task.c - tasks and promises of tutti.h: argument checks, then one call down.
 *
 * Layer: api. Locks: none.
 */
#include "api/engine.h"
#include "base/value.h"

TUTTI_API int tutti_submit(tutti_engine *e, const tutti_task_desc *desc, tutti_task *const *after,
                           size_t after_count, tutti_task **out)
{
    if (TUTTI_UNLIKELY(e == NULL)) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    return tutti__sched_submit(e->sched, desc, after, after_count, out);
}

TUTTI_API void tutti_task_ref(tutti_task *t)
{
    if (t != NULL && !tutti__task_is_forked(t)) {
        tutti__task_ref(t);
    }
}

/* In a process that was forked, or a child of one that was. */
static TUTTI_NOINLINE void unref_after_fork(tutti_task *t)
{
    if (!tutti__task_is_forked(t)) {
        tutti__task_unref(t);
    }
}

TUTTI_API void tutti_task_unref(tutti_task *t)
{
    if (TUTTI_UNLIKELY(t == NULL)) {
        return;
    }
    if (TUTTI_UNLIKELY(tutti__fork_count() != 0)) {
        unref_after_fork(t);
        return;
    }
    tutti__task_unref(t);
}

TUTTI_API enum tutti_task_state tutti_task_state(const tutti_task *t)
{
    return tutti__task_state(t);
}

TUTTI_API bool tutti_task_is_done(const tutti_task *t)
{
    return !tutti__task_is_forked(t) && tutti__task_is_done(t);
}

TUTTI_API int tutti_task_cancel(tutti_task *t)
{
    if (t == NULL) {
        return TUTTI_EINVAL;
    }
    return tutti__task_is_forked(t) ? TUTTI_EFORKED : tutti__task_cancel(t);
}

TUTTI_API bool tutti_task_is_cancelled(const tutti_task *t)
{
    if (t == NULL || tutti__task_is_forked(t)) {
        return false;
    }
    /* Only in its own body are a task's parents sure to be there to be asked. */
    struct tutti__thread *here = tutti__thread_here(tutti__sched_of(t));
    bool is_own = here != NULL && tutti__thread_running(here) == t;
    return is_own ? tutti__task_is_cancelled(t) : tutti__task_was_cancelled(t);
}

TUTTI_API int tutti_task_result(const tutti_task *t, const tutti_value **value)
{
    if (t == NULL) {
        return TUTTI_EINVAL;
    }
    return tutti__task_is_forked(t) ? TUTTI_EFORKED : tutti__task_result(t, value);
}

TUTTI_API tutti_task *tutti_task_cause(const tutti_task *t)
{
    return t == NULL || tutti__task_is_forked(t) ? NULL : tutti__task_cause(t);
}

TUTTI_API int tutti_task_error(const tutti_task *t, const tutti_value **value)
{
    static const tutti_value nil;
    if (t == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__task_is_forked(t)) {
        return TUTTI_EFORKED;
    }
    if (!tutti__task_is_done(t)) {
        return TUTTI_EPENDING;
    }
    const tutti_task *cause = tutti__task_cause(t);
    if (cause != NULL) {
        return tutti__task_result(cause, value);
    }
    if (value != NULL) {
        *value = &nil;
    }
    return TUTTI_OK;
}

TUTTI_API int tutti_promise_new(tutti_engine *e, tutti_task **out)
{
    if (e == NULL || out == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    return tutti__sched_promise_new(e->sched, out);
}

TUTTI_API int tutti_promise_settle(tutti_task *t, int status, tutti_value *value)
{
    if (t == NULL || tutti__task_is_forked(t)) {
        if (value != NULL) {
            tutti__value_free(value); /* taken whatever the outcome */
        }
        return t == NULL ? TUTTI_EINVAL : TUTTI_EFORKED;
    }
    return tutti__promise_settle(t, status, value);
}
