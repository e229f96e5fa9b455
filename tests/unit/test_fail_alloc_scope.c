/* SPDX-License-Identifier: MIT */
/* test_fail_alloc_scope.c - out of memory, in each allocation of each scenario: scopes, continuations. */
#include "unit/test_fail_alloc.h"

/* ---- scopes ----------------------------------------------------------------------------------- */

/* Submit into a scope, without a handle. */
static bool enter(struct run *run, tutti_scope *scope, tutti_task_fn fn, tutti_task *after)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg_drop = drop_count,
                             .scope = scope };
    bool taken = took(run, tutti_submit(run->e, &desc, &after, 1, NULL));
    run->accepted += taken ? 1 : 0;
    return taken;
}

static bool is_outcome(int rc)
{
    return rc == TUTTI_OK || rc == TUTTI_ENOMEM || rc == TUTTI_EFAILED || rc == TUTTI_ECANCELED;
}

/* A scope must end up empty, and then be freed: without memory, too, or at least afterwards. */
static void leave(struct run *run, tutti_scope *scope)
{
    tutti_task *failed = NULL;
    int rc = tutti_scope_wait(scope, HANG_NS, &failed);
    if (rc == TUTTI_ENOMEM) {
        disarm(run);
        rc = tutti_scope_wait(scope, HANG_NS, &failed);
    }
    took(run, is_outcome(rc) ? TUTTI_OK : rc);
    tutti_task_unref(failed);
    took(run, tutti_scope_count(scope) == 0 ? TUTTI_OK : TUTTI_EPENDING);
    took(run, tutti_scope_free(scope));
}

static void act_scope(struct run *run)
{
    tutti_scope *scope = NULL;
    if (!took(run, tutti_scope_new(run->e, TUTTI_SCOPE_COLLECT, &scope))) {
        return;
    }
    tutti_task *promise = run_promise(run);
    for (int i = 0; i < 100; i++) {
        enter(run, scope, i % 10 == 3 ? body_fail : body_empty, i % 2 == 0 ? promise : NULL);
    }
    if (promise != NULL) {
        took(run, tutti_promise_settle(promise, TUTTI_OK, NULL));
    }
    leave(run, scope);
}

static int body_in_scope(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct run *run = arg;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
    for (int i = 0; i < 20; i++) {
        took(run, tutti_submit(run->e, &desc, NULL, 0, NULL));
    }
    return TUTTI_OK;
}

static void act_scope_cancelled(struct run *run)
{
    tutti_scope *scope = NULL;
    if (!took(run, tutti_scope_new(run->e, 0, &scope))) {
        return;
    }
    tutti_task *promise = run_promise(run);
    for (int i = 0; i < 30; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_in_scope, .arg = run,
                                 .scope = scope };
        took(run, tutti_submit(run->e, &desc, &promise, i % 2 == 0 ? 1 : 0, NULL));
    }
    took(run, tutti_scope_cancel(scope));
    leave(run, scope);
    if (promise != NULL) {
        took(run, tutti_promise_settle(promise, TUTTI_OK, NULL));
    }
}

/* ---- continuations ---------------------------------------------------------------------------- */

static int look(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    (void)self, (void)user;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = tutti_task_result(done, NULL) };
    return TUTTI_OK;
}

static void act_then(struct run *run)
{
    static const uint32_t flags[] = { 0, TUTTI_BLOCKING, TUTTI_NO_HELP, TUTTI_PIN_LOOP, TUTTI_DETACH };
    tutti_task *promise = run_promise(run);
    for (int i = 0; promise != NULL && i < 10; i++) {
        tutti_task *then = NULL;
        int rc = tutti_task_then(promise, look, NULL, flags[i % 5], i % 3 == 0 ? NULL : &then);
        keep(run, rc, then);
    }
    if (promise != NULL) {
        took(run, tutti_promise_settle(promise, TUTTI_EIO, NULL));
    }
    tutti_task_desc desc = { .fn = body_fail };
    tutti_task *failed = run_submit(run, desc, NULL, 0);
    if (failed != NULL) {
        tutti_task *then = NULL;
        int rc = tutti_task_then(failed, look, NULL, 0, &then);
        keep(run, rc, then);
    }
}

int main(void)
{
    static const struct scenario scenarios[] = {
        { "a scope", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_scope },
        { "a scope on the caller's loop", 1, TUTTI_LOOP_CALLER, false, false, act_scope },
        { "a cancelled scope", 2, TUTTI_LOOP_OWN_THREAD, false, false, act_scope_cancelled },
        { "continuations", 1, TUTTI_LOOP_OWN_THREAD, false, false, act_then },
        { "continuations on the caller's loop", 1, TUTTI_LOOP_CALLER, false, false, act_then },
    };
    TAP_BEGIN();
    run_scenarios(scenarios, sizeof scenarios / sizeof scenarios[0]);
    return TAP_END();
}
