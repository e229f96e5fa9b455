/* SPDX-License-Identifier: MIT */
/*
 * scope.c - scopes of tutti.h: argument checks, and the wait.
 *
 * Layer: api. Locks: none.
 * Invariant: a gate is on the waiting thread's stack and in the scope, if at all, only during the wait.
 */
#include "api/engine.h"
#include "base/clock.h"
#include "sched/scope.h"

static bool is_forked(const tutti_scope *s)
{
    return tutti__sched_fork_count(tutti__scope_sched(s)) != tutti__fork_count();
}

TUTTI_API int tutti_scope_new(tutti_engine *e, uint32_t flags, tutti_scope **out)
{
    if (e == NULL || out == NULL || (flags & ~(uint32_t)TUTTI_SCOPE_COLLECT) != 0) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    return tutti__scope_new(e->sched, flags, out);
}

TUTTI_API int tutti_scope_free(tutti_scope *s)
{
    if (s == NULL) {
        return TUTTI_EINVAL;
    }
    return is_forked(s) ? TUTTI_EFORKED : tutti__scope_free(s);
}

TUTTI_API int tutti_scope_cancel(tutti_scope *s)
{
    if (s == NULL) {
        return TUTTI_EINVAL;
    }
    if (is_forked(s)) {
        return TUTTI_EFORKED;
    }
    tutti__scope_cancel(s);
    return TUTTI_OK;
}

TUTTI_API size_t tutti_scope_count(const tutti_scope *s)
{
    return s == NULL || is_forked(s) ? 0 : tutti__scope_count(s);
}

TUTTI_API size_t tutti_scope_failures(const tutti_scope *s)
{
    return s == NULL || is_forked(s) ? 0 : tutti__scope_failures(s);
}

/* ---- waiting ------------------------------------------------------------------------------ */

/* What is left of the time. */
static uint64_t left_ns(const struct tutti__env *env, uint64_t deadline_ns)
{
    if (deadline_ns == TUTTI_FOREVER) {
        return TUTTI_FOREVER;
    }
    uint64_t now_ns = env->now_ns(env->user);
    return now_ns < deadline_ns ? deadline_ns - now_ns : 0;
}

/* Wait once. Returns: TUTTI_OK - `gate` is open, or the engine stops · as tutti_task_wait. */
static int wait_at_gate(tutti_scope *s, struct tutti__scope_gate *gate, uint64_t timeout_ns)
{
    int rc = tutti__sched_promise_new(tutti__scope_sched(s), &gate->task);
    if (rc != TUTTI_OK) {
        return rc;
    }
    rc = tutti__scope_ask(s, gate);
    if (rc == TUTTI_EPENDING) {
        rc = tutti_task_wait(gate->task, timeout_ns);
        tutti__scope_withdraw(s, gate);
    }
    tutti__task_cancel(gate->task); /* if nobody has settled it */
    tutti__task_unref(gate->task);
    gate->task = NULL;
    return gate->is_open ? TUTTI_OK : rc;
}

TUTTI_API int tutti_scope_wait(tutti_scope *s, uint64_t timeout_ns, tutti_task **failed)
{
    if (s == NULL) {
        return TUTTI_EINVAL;
    }
    if (is_forked(s)) {
        return TUTTI_EFORKED;
    }
    if (tutti__scope_is_inside(s)) {
        return TUTTI_EDEADLK;
    }
    const struct tutti__env *env = tutti__sched_env(tutti__scope_sched(s));
    uint64_t now_ns = timeout_ns == TUTTI_FOREVER ? 0 : env->now_ns(env->user);
    uint64_t deadline_ns = tutti__clock_after(now_ns, timeout_ns);
    struct tutti__scope_gate gate = { 0 };
    int rc = tutti__scope_ask(s, &gate);
    if (rc == TUTTI_EPENDING && timeout_ns == 0) {
        rc = TUTTI_ETIMEDOUT;
    }
    while (rc == TUTTI_EPENDING || (rc == TUTTI_OK && !gate.is_open)) {
        rc = wait_at_gate(s, &gate, left_ns(env, deadline_ns));
    }
    if (rc != TUTTI_OK) {
        return rc;
    }
    if (failed != NULL) {
        *failed = gate.failed;
    } else if (gate.failed != NULL) {
        tutti__task_unref(gate.failed);
    }
    return gate.rc;
}
