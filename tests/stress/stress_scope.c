/* SPDX-License-Identifier: MIT */
/*
 * stress_scope.c - four threads submit into one scope while it fails, is cancelled and waited for.
 *
 * Each accepted member settles exactly once, its argument is dropped exactly once, each refused one is
 * left to its maker; an outcome is given only for what had been counted. Then pinned tasks, priorities
 * and scopes together.
 */
#include "base/limits.h"
#include "stress/stress.h"

enum { SUBMITTERS = 4 };

static tutti_engine *engine;
static tutti_scope *scope;
static tutti_task *never;
static atomic_bool over;
static atomic_long accepted, refused, gone, errors;

static void drop_gone(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&gone, 1, memory_order_relaxed);
}

static int body_any(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    uintptr_t choice = (uintptr_t)arg;
    if (choice % 64 == 0) {
        return TUTTI_EIO;
    }
    if (choice % 16 == 1) {
        for (int i = 0; i < 200 && !tutti_task_is_cancelled(self); i++) {
            tutti__cpu_relax();
        }
    }
    if (choice % 16 == 2) { /* a child, and one that is no child */
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty,
                                 .flags = choice % 32 == 2 ? TUTTI_DETACH : 0 };
        tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

static void submit_one(uint64_t *rng, tutti_task **recent)
{
    uint64_t r = tap_random(rng);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_any, .arg_drop = drop_gone,
                             .arg = (void *)(uintptr_t)(r >> 32), .scope = scope,
                             .priority = (uint32_t)r % 3 };
    desc.flags |= r / 8 % 8 == 0 ? TUTTI_PIN_LOOP : r / 8 % 8 == 1 ? TUTTI_NO_HELP : 0;
    desc.flags |= r / 64 % 16 == 0 ? TUTTI_RUN_ON_SKIP : 0;
    tutti_task *after[2] = { r / 1024 % 4 == 0 ? never : NULL, *recent };
    tutti_task *task = NULL;
    int rc = tutti_submit(engine, &desc, after, 2, r / 4096 % 2 == 0 ? &task : NULL);
    if (rc == TUTTI_OK) {
        atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
    } else if (rc == TUTTI_ECANCELED) {
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
    }
    if (rc == TUTTI_OK && task != NULL) {
        if (r / 8192 % 8 == 0) {
            tutti_task_cancel(task);
        }
        if (*recent != NULL) {
            tutti_task_unref(*recent);
        }
        *recent = task;
    }
}

static void *submitter(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    tutti_task *recent = NULL;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        submit_one(&rng, &recent);
        random_pause(&rng);
    }
    if (recent != NULL) {
        tutti_task_unref(recent);
    }
    return NULL;
}

/* Now and then cancel, from a thread of its own: members that wait for `never` end only by that. */
static void *canceller(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        for (uint64_t i = tap_random(&rng) % 20; i > 0; i--) {
            random_pause(&rng);
        }
        if (tutti_scope_cancel(scope) != TUTTI_OK) {
            atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
        }
    }
    return NULL;
}

struct outcomes {
    long ok, failed, cancelled, late, other;
};

static void wait_once(uint64_t *rng, struct outcomes *outcomes)
{
    tutti_task *failed = NULL;
    uint64_t timeout_ns = tap_random(rng) % 4 == 0 ? tap_random(rng) % 50000 : 60 * TUTTI_NS_PER_S;
    switch (tutti_scope_wait(scope, timeout_ns, &failed)) {
    case TUTTI_OK:
        outcomes->ok++;
        break;
    case TUTTI_EFAILED:
        outcomes->failed++;
        outcomes->other += failed == NULL || tutti_task_state(failed) != TUTTI_TASK_FAILED ? 1 : 0;
        break;
    case TUTTI_ECANCELED:
        outcomes->cancelled++;
        break;
    case TUTTI_ETIMEDOUT:
        outcomes->late += timeout_ns > TUTTI_NS_PER_S ? 0 : 1;
        outcomes->other += timeout_ns > TUTTI_NS_PER_S ? 1 : 0;
        break;
    default:
        outcomes->other++;
    }
    if (failed != NULL) {
        tutti_task_unref(failed);
    }
}

static void begin(uint32_t flags)
{
    tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(2),
                            .seed = tap_seed() | 1 };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    REQUIRE(tutti_scope_new(engine, flags, &scope) == TUTTI_OK, "a scope");
    REQUIRE(tutti_promise_new(engine, &never) == TUTTI_OK, "a promise that never comes");
    atomic_store(&over, false);
    atomic_store(&accepted, 0);
    atomic_store(&refused, 0);
    atomic_store(&gone, 0);
    atomic_store(&errors, 0);
}

/* Everything at once, with the waits on this thread: it helps meanwhile. */
static void hammer(uint32_t flags, bool ends_alive)
{
    pthread_t threads[SUBMITTERS + 1];
    struct outcomes outcomes = { 0 };
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    begin(flags);
    for (uintptr_t i = 0; i < SUBMITTERS + 1; i++) {
        pthread_create(&threads[i], NULL, i < SUBMITTERS ? submitter : canceller, (void *)(i + 1));
    }
    uint64_t late_ns = end_ns + 60 * TUTTI_NS_PER_S;
    while (!stress_is_over(outcomes.failed + outcomes.cancelled > 0 ? end_ns : late_ns)) {
        wait_once(&rng, &outcomes);
    }
    atomic_store(&over, true);
    for (int i = 0; i < SUBMITTERS + 1; i++) {
        pthread_join(threads[i], NULL);
    }
    NOTE("%ld accepted, %ld refused; outcomes: %ld ok, %ld failed, %ld cancelled, %ld late",
         atomic_load(&accepted), atomic_load(&refused), outcomes.ok, outcomes.failed,
         outcomes.cancelled, outcomes.late);
    EQ_INT(outcomes.other, 0, "only outcomes that may be");
    EQ_INT(atomic_load(&errors), 0, "only answers to submits and cancels that may be");
    OK(outcomes.failed + outcomes.cancelled > 0, "there were outcomes");
    if (!ends_alive) {
        EQ_INT(tutti_scope_cancel(scope), TUTTI_OK, "cancel");
        int rc = tutti_scope_wait(scope, 60 * TUTTI_NS_PER_S, NULL);
        OK(rc == TUTTI_ECANCELED || rc == TUTTI_EFAILED, "the last outcome (%d)", rc);
        EQ_UINT(tutti_scope_count(scope), 0, "no member is left");
        EQ_INT(atomic_load(&gone), atomic_load(&accepted), "each accepted argument went once");
        EQ_INT(tutti_scope_free(scope), TUTTI_OK, "the scope is freed");
        tutti_promise_settle(never, TUTTI_OK, NULL);
        EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "idle");
    }
    tutti_task_unref(never);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "the engine is freed");
    EQ_INT(atomic_load(&gone), atomic_load(&accepted), "each accepted argument went once");
}

/* ---- short lives -------------------------------------------------------------------------- */

/* A scope is freed as soon as its wait has ended: nobody who counted itself out may touch it. */
static void short_lives(void)
{
    uint64_t end_ns = stress_end_ns();
    long rounds = 0, wrong = 0;
    begin(0);
    while (!stress_is_over(end_ns)) {
        tutti_scope *own = NULL;
        wrong += tutti_scope_new(engine, 0, &own) != TUTTI_OK ? 1 : 0;
        for (int i = 0; i < 4; i++) {
            tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_any, .scope = own,
                                     .arg = (void *)(uintptr_t)(rounds % 8 == 0 ? i : 3) };
            int rc = tutti_submit(engine, &desc, NULL, 0, NULL);
            wrong += rc != TUTTI_OK && rc != TUTTI_ECANCELED ? 1 : 0;
        }
        int rc = rounds % 2 == 0 ? tutti_scope_wait(own, 60 * TUTTI_NS_PER_S, NULL) : TUTTI_OK;
        while (rounds % 2 != 0 && tutti_scope_free(own) == TUTTI_EPENDING) {
            sched_yield();
        }
        wrong += rc != TUTTI_OK && rc != TUTTI_EFAILED ? 1 : 0;
        wrong += rounds % 2 == 0 && tutti_scope_free(own) != TUTTI_OK ? 1 : 0;
        rounds++;
    }
    EQ_INT(wrong, 0, "scopes that are freed at the first moment");
    NOTE("%ld rounds", rounds);
    tutti_scope_free(scope);
    tutti_task_cancel(never);
    tutti_task_unref(never);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "the engine is freed");
}

int main(void)
{
    TAP_BEGIN();
    hammer(0, false);
    hammer(TUTTI_SCOPE_COLLECT, false);
    hammer(0, true);
    short_lives();
    return TAP_END();
}
