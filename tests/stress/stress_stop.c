/* SPDX-License-Identifier: MIT */
/* stress_stop.c - engines that end while foreign threads submit, settle, cancel and wait; a thousand
 * engines one after the other; several at once. */
#include "base/alloc.h"
#include "stress/stress.h"

enum { FOREIGN = 3 };

static struct tutti__sched *sched;
static atomic_int begun;
static atomic_int accepted;
static atomic_int ended;

static void drop_ended(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&ended, 1, memory_order_relaxed);
}

static int body_child(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    if (arg != NULL) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_child,
                                 .arg_drop = drop_ended };
        if (tutti__sched_submit(sched, &desc, NULL, 0, NULL) == TUTTI_OK) {
            atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        }
    }
    return TUTTI_OK;
}

static void *intruder(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg + (uint64_t)atomic_load(&accepted);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_child, .arg = &sched,
                             .arg_drop = drop_ended };
    tutti_task *promise = promise_make(sched);
    tutti_task *last = NULL;
    atomic_fetch_add(&begun, 1);
    for (;;) {
        uint64_t r = tap_random(&rng);
        tutti_task *task = NULL;
        tutti_task *after[2] = { promise, last };
        desc.flags = (r >> 8) % 4 == 0 ? TUTTI_NO_HELP : (r >> 8) % 16 == 1 ? TUTTI_BLOCKING : 0;
        int rc = tutti__sched_submit(sched, &desc, after, r % 3, &task);
        if (rc != TUTTI_OK) {
            if (rc != TUTTI_ESTOPPED) {
                FAIL("submit: %d", rc);
            }
            break;
        }
        atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        if (last != NULL) {
            tutti__task_unref(last);
        }
        last = task;
        if (r % 7 == 0) {
            tutti__task_cancel(task);
        }
        if (r % 64 == 0 && promise != NULL) {
            tutti__promise_settle(promise, r % 128 == 0 ? TUTTI_OK : TUTTI_EFAILED, NULL);
            tutti__task_unref(promise);
            promise = promise_make(sched);
        }
    }
    /* Settle or wait for what is left, while or after the engine ends. */
    if (promise != NULL) {
        if (tap_random(&rng) % 2 == 0) {
            tutti__promise_settle(promise, TUTTI_OK, NULL);
        }
        tutti__task_wait(promise, TUTTI_FOREVER);
        tutti__task_unref(promise);
    }
    if (last != NULL) {
        tutti__task_wait(last, TUTTI_FOREVER);
        tutti__task_unref(last);
    }
    return NULL;
}

static void against_foreign(void)
{
    uint64_t end_ns = stress_end_ns() + 700000000u;
    uint64_t rng = tap_seed();
    int rounds = 0;
    while (!stress_is_over(end_ns)) {
        sched = sched_make(stress_workers(1 + (uint32_t)(rounds % 3)));
        atomic_store(&begun, 0);
        pthread_t threads[FOREIGN];
        for (uintptr_t i = 0; i < FOREIGN; i++) {
            pthread_create(&threads[i], NULL, intruder, (void *)i);
        }
        while (atomic_load(&begun) < FOREIGN) {
            sched_yield();
        }
        for (uint64_t i = tap_random(&rng) % 20; i > 0; i--) {
            random_pause(&rng);
        }
        tutti__sched_stop(sched, UINT64_MAX);
        for (int i = 0; i < FOREIGN; i++) {
            pthread_join(threads[i], NULL);
        }
        if (!tutti__sched_is_idle(sched)) {
            FAIL("not idle after the stop");
        }
        tutti__sched_free(sched);
        rounds++;
    }
    EQ_INT(atomic_load(&ended), atomic_load(&accepted), "each accepted task's argument was dropped once");
    NOTE("%d engines, %d tasks", rounds, atomic_load(&accepted));
}

static void thousand(void)
{
    atomic_int ran = 0;
    struct tutti__sched_config config = { .workers = 1, .seed = 3 };
    for (int i = 0; i < 1000; i++) {
        struct tutti__sched *s = NULL;
        if (tutti__sched_new(&s, &config) != TUTTI_OK) {
            FAIL("engine %d", i);
            break;
        }
        tutti_task *task = spawn(s, body_count, &ran);
        tutti_task *promise = promise_make(s); /* left pending */
        if (i % 2 == 0) {
            await(task);
        }
        tutti__task_unref(task);
        tutti__task_unref(promise);
        tutti__sched_free(s);
    }
    OK(ran >= 500, "a thousand engines: %d tasks ran", ran);
    EQ_UINT(tutti__alloc_live(), 0, "and nothing is left");
}

static void several(void)
{
    enum { ENGINES = 4, TASKS = 2000 };
    struct tutti__sched *all[ENGINES];
    atomic_int ran = 0;
    for (int i = 0; i < ENGINES; i++) {
        all[i] = sched_make(1);
    }
    for (int i = 0; i < TASKS * ENGINES; i++) {
        tutti__task_unref(spawn(all[i % ENGINES], body_count, &ran));
    }
    for (int i = ENGINES; i-- > 0;) {
        EQ_INT(tutti__sched_wait_idle(all[i]), TUTTI_OK, "one of several is idle");
        tutti__sched_free(all[i]);
    }
    EQ_INT(ran, TASKS * ENGINES, "all tasks of all engines ran");
}

int main(void)
{
    TAP_BEGIN();
    against_foreign();
    thousand();
    several();
    return TAP_END();
}
