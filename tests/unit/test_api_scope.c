/* SPDX-License-Identifier: MIT */
/* test_api_scope.c - scopes: counts, failures, cancellation, waiting, using one again. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;

static tutti_scope *scope_make(uint32_t flags)
{
    tutti_scope *scope = NULL;
    REQUIRE(tutti_scope_new(engine, flags, &scope) == TUTTI_OK, "a scope");
    return scope;
}

static tutti_scope *scope_make_quiet(void)
{
    tutti_scope *scope = NULL;
    return tutti_scope_new(engine, 0, &scope) == TUTTI_OK ? scope : NULL;
}

static void scope_end(tutti_scope *scope)
{
    if (tutti_scope_free(scope) != TUTTI_OK) {
        FAIL("a scope is freed");
    }
}

static tutti_task *promise_make(void)
{
    tutti_task *promise = NULL;
    REQUIRE(tutti_promise_new(engine, &promise) == TUTTI_OK, "a promise");
    return promise;
}

static int submit(tutti_scope *scope, tutti_task_fn fn, void *arg, tutti_task *after,
                  tutti_task **out)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg, .scope = scope };
    return tutti_submit(engine, &desc, &after, after != NULL ? 1 : 0, out);
}

static int scope_wait(tutti_scope *scope)
{
    return tutti_scope_wait(scope, 30 * TUTTI_NS_PER_S, NULL);
}

static int body_status(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return (int)(intptr_t)arg;
}

static int body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add((atomic_int *)arg, 1);
    return TUTTI_OK;
}

/* Say that it has begun, and end when it sees that it is cancelled. */
static atomic_int begun, seen;

static int body_until_cancelled(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    atomic_fetch_add(&begun, 1);
    while (!tutti_task_is_cancelled(self)) {
        sched_yield();
    }
    atomic_fetch_add(&seen, 1);
    return TUTTI_ECANCELED;
}

static void await_begun(int count)
{
    while (atomic_load(&begun) < count) {
        sched_yield();
    }
}

/* ---- outcomes ----------------------------------------------------------------------------- */

static void plain(void)
{
    atomic_int count = 0;
    tutti_scope *scope = scope_make(0);
    EQ_INT(scope_wait(scope), TUTTI_OK, "an empty scope has an outcome at once");
    for (int i = 0; i < 100; i++) {
        submit(scope, body_count, &count, NULL, NULL);
    }
    EQ_INT(scope_wait(scope), TUTTI_OK, "a scope of 100");
    EQ_INT(atomic_load(&count), 100, "all have run");
    EQ_UINT(tutti_scope_count(scope), 0, "none is left");
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "and nothing else either");
    scope_end(scope);
}

static void collect(void)
{
    atomic_int count = 0;
    tutti_task *failed = NULL;
    tutti_task *bad = NULL;
    tutti_task *promise = promise_make();
    tutti_task *good = NULL;
    tutti_scope *scope = scope_make(TUTTI_SCOPE_COLLECT);
    submit(scope, body_count, &count, promise, &good);
    submit(scope, body_status, (void *)(intptr_t)TUTTI_EIO, NULL, &bad);
    tutti_task_wait(bad, TUTTI_FOREVER);
    while (tutti_scope_count(scope) != 1) {
        sched_yield();
    }
    EQ_UINT(tutti_scope_failures(scope), 1, "collect: one has failed");
    EQ_INT(tutti_task_state(good), TUTTI_TASK_WAITING, "the other goes on waiting");
    EQ_INT(submit(scope, body_count, &count, NULL, NULL), TUTTI_OK, "more may come");
    submit(scope, body_status, (void *)(intptr_t)TUTTI_EFAILED, promise, NULL);
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    EQ_INT(tutti_scope_wait(scope, TUTTI_FOREVER, &failed), TUTTI_EFAILED, "the outcome");
    EQ_PTR(failed, bad, "with the first that failed");
    EQ_INT(atomic_load(&count), 2, "the others have run");
    EQ_UINT(tutti_scope_failures(scope), 0, "failures are counted anew");
    EQ_INT(scope_wait(scope), TUTTI_OK, "and so is the outcome");
    tutti_task_unref(failed);
    tutti_task_unref(bad);
    tutti_task_unref(good);
    tutti_task_unref(promise);
    scope_end(scope);
}

static void fail_fast(void)
{
    atomic_int count = 0;
    tutti_task *failed = NULL;
    tutti_task *never = promise_make();
    tutti_task *waiting = NULL;
    tutti_task *bad = NULL;
    tutti_scope *scope = scope_make(0);
    atomic_store(&begun, 0);
    atomic_store(&seen, 0);
    submit(scope, body_count, &count, never, &waiting);
    submit(scope, body_until_cancelled, NULL, NULL, NULL);
    await_begun(1);
    submit(scope, body_status, (void *)(intptr_t)TUTTI_EIO, NULL, &bad);
    EQ_INT(tutti_scope_wait(scope, TUTTI_FOREVER, &failed), TUTTI_EFAILED, "fail-fast: the outcome");
    EQ_PTR(failed, bad, "the one that failed");
    EQ_INT(tutti_task_result(waiting, NULL), TUTTI_ECANCELED, "one that waited is cancelled");
    EQ_INT(atomic_load(&seen), 1, "one that ran has seen it");
    EQ_INT(atomic_load(&count), 0, "one that waited has not run");
    EQ_INT(submit(scope, body_count, &count, NULL, NULL), TUTTI_OK, "then it can be used again");
    EQ_INT(scope_wait(scope), TUTTI_OK, "with another outcome");
    tutti_task_unref(failed);
    tutti_task_unref(bad);
    tutti_task_unref(waiting);
    tutti_task_cancel(never);
    tutti_task_unref(never);
    scope_end(scope);
}

/* Skipped and cancelled members are no failures. */
static void no_failures(void)
{
    atomic_int count = 0;
    tutti_scope *scope = scope_make(0);
    tutti_task *bad = promise_make();
    tutti_task *late = NULL;
    tutti_task *good = promise_make();
    submit(scope, body_count, &count, bad, NULL);
    submit(scope, body_count, &count, good, &late);
    submit(scope, body_status, (void *)(intptr_t)TUTTI_ECANCELED, NULL, NULL);
    submit(scope, body_count, &count, good, NULL);
    tutti_promise_settle(bad, TUTTI_EIO, NULL);
    tutti_task_cancel(late);
    submit(scope, body_count, &count, bad, NULL);
    tutti_promise_settle(good, TUTTI_OK, NULL);
    EQ_INT(scope_wait(scope), TUTTI_OK, "skipped and cancelled members are not failures");
    EQ_INT(atomic_load(&count), 1, "the one that could has run");
    tutti_task_unref(bad);
    tutti_task_unref(good);
    tutti_task_unref(late);
    scope_end(scope);
}

static void again(void)
{
    atomic_int count = 0;
    int wrong = 0;
    tutti_scope *scope = scope_make(0);
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 5; i++) {
            wrong += submit(scope, body_count, &count, NULL, NULL) != TUTTI_OK ? 1 : 0;
        }
        int want = TUTTI_OK;
        if (round % 3 == 1) {
            want = TUTTI_EFAILED;
            wrong += submit(scope, body_status, (void *)(intptr_t)TUTTI_EIO, NULL, NULL) != TUTTI_OK
                         ? 1 : 0;
        } else if (round % 3 == 2) {
            want = TUTTI_ECANCELED;
            wrong += tutti_scope_cancel(scope) != TUTTI_OK ? 1 : 0;
            wrong += submit(scope, body_count, &count, NULL, NULL) != TUTTI_ECANCELED ? 1 : 0;
        }
        wrong += scope_wait(scope) != want || tutti_scope_count(scope) != 0 ||
                         tutti_scope_failures(scope) != 0 ? 1 : 0;
    }
    EQ_INT(wrong, 0, "1,000 rounds with three kinds of outcome");
    scope_end(scope);
}

/* ---- cancel ------------------------------------------------------------------------------- */

static atomic_int dropped;

static void drop(void *arg)
{
    (void)arg;
    atomic_fetch_add(&dropped, 1);
}

static void cancel_many(void)
{
    enum { MANY = 100000 };
    static tutti_task *tasks[MANY];
    tutti_scope *scope = scope_make(0);
    tutti_task *never = promise_make();
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_status, .scope = scope,
                             .arg_drop = drop };
    atomic_store(&dropped, 0);
    int refused = 0;
    for (int i = 0; i < MANY; i++) { /* half of them a chain, half of them a fan */
        tutti_task *after = i % 2 == 0 || i < 2 ? never : tasks[i - 2];
        refused += tutti_submit(engine, &desc, &after, 1, &tasks[i]) != TUTTI_OK ? 1 : 0;
    }
    EQ_INT(refused, 0, "100,000 that wait for a promise that never comes");
    EQ_UINT(tutti_scope_count(scope), MANY, "are members");
    EQ_INT(tutti_scope_free(scope), TUTTI_EPENDING, "a scope with members is not freed");
    EQ_INT(tutti_scope_wait(scope, 0, NULL), TUTTI_ETIMEDOUT, "nor has it an outcome");
    EQ_INT(tutti_scope_wait(scope, 2 * TUTTI_NS_PER_MS, NULL), TUTTI_ETIMEDOUT, "a moment later");
    EQ_INT(tutti_scope_cancel(scope), TUTTI_OK, "cancel");
    int done = 0;
    for (int i = 0; i < MANY; i++) {
        done += tutti_task_is_done(tasks[i]) ? 1 : 0;
        tutti_task_unref(tasks[i]);
    }
    EQ_INT(done, MANY, "all have settled before it returns");
    EQ_INT(atomic_load(&dropped), MANY, "their arguments were dropped");
    EQ_INT(submit(scope, body_status, NULL, NULL, NULL), TUTTI_ECANCELED, "more are refused");
    EQ_INT(scope_wait(scope), TUTTI_ECANCELED, "until the outcome");
    EQ_INT(submit(scope, body_status, NULL, NULL, NULL), TUTTI_OK, "then not any more");
    EQ_INT(scope_wait(scope), TUTTI_OK, "and the next outcome is another");
    tutti_promise_settle(never, TUTTI_OK, NULL); /* counts 50,000 edges down */
    tutti_task_unref(never);
    scope_end(scope);
}

/* Ready members settle before the cancel returns, although no thread has come to them. */
static void cancel_ready(void)
{
    enum { MANY = 300 };
    static tutti_task *tasks[MANY];
    atomic_int count = 0;
    tutti_scope *busy = scope_make(0);
    tutti_scope *scope = scope_make(0);
    uint32_t workers = tutti_engine_workers(engine);
    atomic_store(&begun, 0);
    for (uint32_t i = 0; i < workers; i++) {
        submit(busy, body_until_cancelled, NULL, NULL, NULL);
    }
    await_begun((int)workers);
    for (int i = 0; i < MANY; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &count,
                                 .scope = scope, .priority = (uint32_t)i % 3,
                                 .flags = i % 2 == 0 ? TUTTI_NO_HELP : 0 };
        tutti_submit(engine, &desc, NULL, 0, &tasks[i]);
    }
    tutti_scope_cancel(scope);
    int done = 0;
    for (int i = 0; i < MANY; i++) {
        done += tutti_task_state(tasks[i]) == TUTTI_TASK_CANCELLED ? 1 : 0;
        tutti_task_unref(tasks[i]);
    }
    EQ_INT(done, MANY, "ready members are cancelled before the cancel returns");
    EQ_INT(scope_wait(scope), TUTTI_ECANCELED, "the outcome");
    scope_end(scope); /* their records are in the queues still, and must not look for it */
    tutti_scope_cancel(busy);
    EQ_INT(scope_wait(busy), TUTTI_ECANCELED, "of those that ran as well");
    EQ_INT(atomic_load(&count), 0, "none has run");
    scope_end(busy);
}

/* The children of members see it, too. */
static int body_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_until_cancelled };
    return tutti_submit(engine, &desc, NULL, 0, NULL);
}

static void cancel_children(void)
{
    tutti_scope *scope = scope_make(0);
    tutti_task *parent = NULL;
    atomic_store(&begun, 0);
    atomic_store(&seen, 0);
    submit(scope, body_parent, NULL, NULL, &parent);
    await_begun(1);
    EQ_INT(tutti_scope_wait(scope, 1, NULL), TUTTI_ETIMEDOUT, "a member joins its children");
    EQ_UINT(tutti_scope_count(scope), 1, "which are not members themselves");
    tutti_scope_cancel(scope);
    EQ_INT(scope_wait(scope), TUTTI_ECANCELED, "cancelled");
    EQ_INT(atomic_load(&seen), 1, "the child has seen it");
    tutti_task_unref(parent);
    scope_end(scope);
}

/* ---- suspended members -------------------------------------------------------------------- */

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    tutti_task_ref(self);
    atomic_store((_Atomic(tutti_task *) *)arg, self);
    return TUTTI_TASK_SUSPEND;
}

static void suspended(void)
{
    _Atomic(tutti_task *) self = NULL;
    tutti_scope *scope = scope_make(0);
    submit(scope, body_suspend, &self, NULL, NULL);
    while (atomic_load(&self) == NULL || tutti_task_state(self) != TUTTI_TASK_SUSPENDED) {
        sched_yield();
    }
    tutti_scope_cancel(scope);
    OK(tutti_task_is_cancelled(self), "a suspended member is told");
    EQ_INT(tutti_scope_wait(scope, TUTTI_NS_PER_MS, NULL), TUTTI_ETIMEDOUT,
           "and settled by who has it");
    tutti_promise_settle(self, TUTTI_ECANCELED, NULL);
    EQ_INT(scope_wait(scope), TUTTI_ECANCELED, "then the scope is empty");
    tutti_task_unref(self);
    scope_end(scope);
}

/* ---- failures that make failures ---------------------------------------------------------- */

enum { SCOPES = 20000 };

static _Atomic(tutti_task *) links[SCOPES + 1];

/* The argument of a waiting member of scope i goes: settle the member of scope i + 1 as failed. */
static void drop_and_fail(void *arg)
{
    intptr_t i = (intptr_t)arg;
    tutti_promise_settle(links[i + 1], TUTTI_EIO, NULL);
}

static int body_link(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    tutti_task_ref(self);
    links[(intptr_t)arg] = self;
    return TUTTI_TASK_SUSPEND;
}

/* Scope after scope fails because of the one before: flat, however many. */
static void cascade(void)
{
    static tutti_scope *scopes[SCOPES];
    tutti_task *never = promise_make();
    for (intptr_t i = 0; i < SCOPES; i++) {
        atomic_store(&links[i], NULL);
        scopes[i] = scope_make_quiet();
        submit(scopes[i], body_link, (void *)i, NULL, NULL);
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_status, .scope = scopes[i],
                                 .arg = (void *)i, .arg_drop = i + 1 < SCOPES ? drop_and_fail : NULL };
        tutti_submit(engine, &desc, &never, 1, NULL);
    }
    for (intptr_t i = 0; i < SCOPES; i++) {
        while (links[i] == NULL) {
            sched_yield();
        }
    }
    tutti_promise_settle(links[0], TUTTI_EIO, NULL);
    int failed = 0;
    for (intptr_t i = 0; i < SCOPES; i++) {
        failed += scope_wait(scopes[i]) == TUTTI_EFAILED ? 1 : 0;
        scope_end(scopes[i]);
        tutti_task_unref(links[i]);
    }
    EQ_INT(failed, SCOPES, "a failure goes from scope to scope without recursion");
    tutti_task_cancel(never);
    tutti_task_unref(never);
}

/* ---- waiting ------------------------------------------------------------------------------ */

struct inside {
    tutti_scope *scope;
    int rc;
    int other_rc;
    tutti_scope *other;
    tutti_task *never;
    atomic_bool is_second;
};

static int body_wait_own(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct inside *inside = arg;
    inside->rc = scope_wait(inside->scope);
    inside->other_rc = tutti_scope_wait(inside->other, 0, NULL);
    return TUTTI_OK;
}

static int body_wait_in_child(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_wait_own, .arg = arg };
    return tutti_submit(engine, &desc, NULL, 0, NULL);
}

static void inside(void)
{
    struct inside inside = { .scope = scope_make(0), .other = scope_make(0), .rc = 1 };
    submit(inside.scope, body_wait_own, &inside, NULL, NULL);
    EQ_INT(scope_wait(inside.scope), TUTTI_OK, "a member that waits for its own scope");
    EQ_INT(inside.rc, TUTTI_EDEADLK, "is told that this cannot end");
    EQ_INT(inside.other_rc, TUTTI_OK, "another scope's outcome it may have");
    inside.rc = 1;
    submit(inside.scope, body_wait_in_child, &inside, NULL, NULL);
    EQ_INT(scope_wait(inside.scope), TUTTI_OK, "a child of a member");
    EQ_INT(inside.rc, TUTTI_EDEADLK, "as well");
    scope_end(inside.scope);
    scope_end(inside.other);
}

/* A task, with no other worker, waits for a scope that it fills: a spare thread runs the members. */
static int body_fill(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct inside *inside = arg;
    atomic_int count = 0;
    for (int i = 0; i < 50; i++) {
        submit(inside->other, body_count, &count, NULL, NULL);
    }
    inside->rc = scope_wait(inside->other);
    inside->other_rc = atomic_load(&count);
    submit(inside->other, body_status, NULL, inside->never, NULL);
    atomic_store(&inside->is_second, true);
    return tutti_scope_wait(inside->other, TUTTI_FOREVER, NULL);
}

static void waits_in_task(void)
{
    tutti_engine *outer = engine;
    tutti_config config = { .struct_size = sizeof config, .workers = 1 };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with one worker");
    struct inside inside = { .scope = scope_make(0), .other = scope_make(0),
                             .never = promise_make(), .rc = 1 };
    tutti_task *task = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_fill, .arg = &inside,
                             .flags = TUTTI_NO_HELP, .scope = inside.scope };
    tutti_submit(engine, &desc, NULL, 0, &task);
    while (!atomic_load(&inside.is_second)) {
        sched_yield(); /* this thread does not help */
    }
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL); /* likely in its second wait */
    tutti_scope_cancel(inside.scope); /* it waits for ever: it is told */
    EQ_INT(scope_wait(inside.scope), TUTTI_ECANCELED, "a task that waits for a scope is cancelled");
    EQ_INT(tutti_task_result(task, NULL), TUTTI_ECANCELED, "its wait said so");
    EQ_INT(inside.rc, TUTTI_OK, "its first wait, for 50 members, ended");
    EQ_INT(inside.other_rc, 50, "after all of them");
    tutti_scope_cancel(inside.other);
    EQ_INT(scope_wait(inside.other), TUTTI_ECANCELED, "the other scope has lost nothing");
    tutti_task_cancel(inside.never);
    tutti_task_unref(inside.never);
    tutti_task_unref(task);
    scope_end(inside.scope);
    scope_end(inside.other);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    engine = outer;
}

static void *settle_later(void *promise)
{
    struct timespec pause = { .tv_nsec = 3000000 };
    nanosleep(&pause, NULL);
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    return NULL;
}

static void *wait_elsewhere(void *scope)
{
    return (void *)(intptr_t)scope_wait(scope);
}

static void waits(void)
{
    atomic_int count = 0;
    pthread_t settler;
    pthread_t waiter;
    void *rc = NULL;
    tutti_scope *scope = scope_make(0);
    tutti_task *promise = promise_make();
    submit(scope, body_count, &count, promise, NULL);
    pthread_create(&settler, NULL, settle_later, promise);
    EQ_INT(scope_wait(scope), TUTTI_OK, "the creator waits");
    pthread_join(settler, NULL);
    tutti_task_unref(promise);
    promise = promise_make();
    submit(scope, body_count, &count, promise, NULL);
    pthread_create(&waiter, NULL, wait_elsewhere, scope);
    pthread_create(&settler, NULL, settle_later, promise);
    pthread_join(waiter, &rc);
    EQ_INT((intptr_t)rc, TUTTI_OK, "another thread waits");
    pthread_join(settler, NULL);
    EQ_INT(atomic_load(&count), 2, "both members have run");
    tutti_task_unref(promise);
    scope_end(scope);
}

static void refused(void)
{
    tutti_scope *scope = NULL;
    tutti_engine *other = NULL;
    tutti_config config = { .struct_size = sizeof config, .workers = 1 };
    EQ_INT(tutti_scope_new(engine, 8, &scope), TUTTI_EINVAL, "an unknown flag");
    EQ_INT(tutti_scope_new(NULL, 0, &scope), TUTTI_EINVAL, "no engine");
    EQ_INT(tutti_scope_free(NULL), TUTTI_EINVAL, "no scope to free");
    EQ_INT(tutti_scope_cancel(NULL), TUTTI_EINVAL, "none to cancel");
    EQ_INT(tutti_scope_wait(NULL, 0, NULL), TUTTI_EINVAL, "none to wait for");
    REQUIRE(tutti_engine_new(&other, &config) == TUTTI_OK, "another engine");
    REQUIRE(tutti_scope_new(other, 0, &scope) == TUTTI_OK, "its scope");
    EQ_INT(submit(scope, body_status, NULL, NULL, NULL), TUTTI_EINVAL, "a scope of another engine");
    scope_end(scope);
    EQ_INT(tutti_engine_free(other), TUTTI_OK, "freed");
}

/* An engine ends although scopes have members of all kinds. */
static void end(void)
{
    tutti_scope *scope = scope_make(0);
    tutti_task *never = promise_make();
    atomic_store(&begun, 0);
    for (int i = 0; i < 100; i++) {
        submit(scope, body_status, NULL, never, NULL);
    }
    submit(scope, body_until_cancelled, NULL, NULL, NULL);
    await_begun(1);
    submit(scope, body_status, (void *)(intptr_t)TUTTI_OK, NULL, NULL);
    tutti_task_unref(never);
    EQ_INT(tutti_scope_free(scope), TUTTI_EPENDING, "a scope with members");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "an engine with such a scope is freed");
}

int main(void)
{
    TAP_BEGIN();
    for (uint32_t workers = 2; workers <= 5; workers += 3) {
        tutti_config config = { .struct_size = sizeof config, .workers = workers };
        REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
        plain();
        collect();
        fail_fast();
        no_failures();
        again();
        cancel_many();
        cancel_ready();
        cancel_children();
        suspended();
        cascade();
        inside();
        waits_in_task();
        waits();
        refused();
        end();
    }
    return TAP_END();
}
