/* SPDX-License-Identifier: MIT */
/* test_api_pinned.c - TUTTI_PIN_LOOP and TUTTI_NO_LOOP, with both kinds of loop. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;
static uint32_t mode;
static _Atomic(pthread_t) loop_thread;

static tutti_task *submit(tutti_task_desc desc, tutti_task *after)
{
    tutti_task *task = NULL;
    desc.struct_size = sizeof desc;
    int rc = tutti_submit(engine, &desc, &after, after != NULL ? 1 : 0, &task);
    return rc == TUTTI_OK ? task : NULL;
}

static int await(tutti_task *task)
{
    int rc = tutti_task_wait(task, 20 * TUTTI_NS_PER_S);
    return rc == TUTTI_OK ? tutti_task_result(task, NULL) : rc;
}

static void note_loop(void *user)
{
    atomic_store(&loop_thread, pthread_self());
    sem_post(user);
}

static void begin(uint32_t workers)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .loop = mode };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    sem_t known;
    sem_init(&known, 0, 0);
    tutti_post(engine, note_loop, &known);
    if (mode == TUTTI_LOOP_CALLER) {
        tutti_run(engine);
    }
    while (sem_wait(&known) != 0) {
    }
    sem_destroy(&known);
}

static bool is_loop(void)
{
    return pthread_equal(atomic_load(&loop_thread), pthread_self()) != 0;
}

/* ---- where -------------------------------------------------------------------------------- */

static int body_where(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    bool *is = arg;
    *is = is_loop();
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 7 };
    return TUTTI_OK;
}

static void where(void)
{
    bool first = false, second = true, third = false;
    tutti_task *a = submit((tutti_task_desc){ .fn = body_where, .arg = &first,
                                              .flags = TUTTI_PIN_LOOP }, NULL);
    tutti_task *b = submit((tutti_task_desc){ .fn = body_where, .arg = &second,
                                              .flags = TUTTI_NO_LOOP }, a);
    tutti_task *c = submit((tutti_task_desc){ .fn = body_where, .arg = &third,
                                              .flags = TUTTI_PIN_LOOP }, b);
    const tutti_value *value = NULL;
    EQ_INT(await(c), TUTTI_OK, "pinned, free, pinned: a chain ends");
    OK(first && third, "the pinned ones ran on the loop's thread");
    OK(!second, "the one that must not did not");
    EQ_INT(tutti_task_result(c, &value), TUTTI_OK, "with a result");
    EQ_INT(value->as.integer, 7, "as usual");
    tutti_task_unref(a);
    tutti_task_unref(b);
    tutti_task_unref(c);
}

static int body_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    bool *is = arg;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_where, .arg = is,
                             .flags = TUTTI_PIN_LOOP };
    return tutti_submit(engine, &desc, NULL, 0, NULL);
}

static void children(void)
{
    bool is = false;
    tutti_task *parent = submit((tutti_task_desc){ .fn = body_parent, .arg = &is }, NULL);
    EQ_INT(await(parent), TUTTI_OK, "a worker's task joins its pinned child");
    OK(is, "which ran on the loop's thread");
    tutti_task_unref(parent);
    is = false;
    parent = submit((tutti_task_desc){ .fn = body_parent, .arg = &is, .flags = TUTTI_PIN_LOOP },
                    NULL);
    EQ_INT(await(parent), TUTTI_OK, "and a pinned one as well");
    OK(is, "which ran on the loop's thread");
    tutti_task_unref(parent);
}

/* ---- order -------------------------------------------------------------------------------- */

enum { EACH = 50 };

static int ran[3 * EACH];
static int ran_count;

static int body_note(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    ran[ran_count++] = (int)(intptr_t)arg; /* on one thread only */
    return TUTTI_OK;
}

/* All become ready within one task, so that none runs before the last is there. */
static int body_make(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    static const uint32_t PRIORITY[3] = { TUTTI_PRIORITY_LOW, TUTTI_PRIORITY_NORMAL,
                                          TUTTI_PRIORITY_HIGH };
    for (int i = 0; i < 3 * EACH; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_note,
                                 .arg = (void *)(intptr_t)i, .flags = TUTTI_PIN_LOOP,
                                 .priority = PRIORITY[i % 3] };
        tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

static void order(void)
{
    ran_count = 0;
    tutti_task *maker = submit((tutti_task_desc){ .fn = body_make, .flags = TUTTI_PIN_LOOP }, NULL);
    EQ_INT(await(maker), TUTTI_OK, "many");
    EQ_INT(ran_count, 3 * EACH, "all ran");
    int last[3] = { -1, -1, -1 };
    int late = 0;
    bool in_order = true;
    for (int i = 0; i < ran_count; i++) {
        int level = ran[i] % 3;
        in_order = in_order && ran[i] > last[level];
        last[level] = ran[i];
        late += level == 0 && i < 2 * EACH ? 1 : 0;
    }
    OK(in_order, "in the order of becoming ready within a priority");
    OK(late <= 2 * EACH / (int)TUTTI_PINNED_FAIR + 1 && late > 0,
       "low ones at the end, but for a few (%d)", late);
    tutti_task_unref(maker);
}

/* ---- cancel ------------------------------------------------------------------------------- */

static void cancel(void)
{
    tutti_task *promise = NULL;
    bool is = false;
    tutti_promise_new(engine, &promise);
    tutti_task *task = submit((tutti_task_desc){ .fn = body_where, .arg = &is,
                                                 .flags = TUTTI_PIN_LOOP }, promise);
    EQ_INT(tutti_task_cancel(task), TUTTI_OK, "a waiting one is cancelled at once");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(task);
    tutti_task_unref(promise);
    if (mode == TUTTI_LOOP_CALLER) { /* nothing runs it meanwhile */
        task = submit((tutti_task_desc){ .fn = body_where, .arg = &is, .flags = TUTTI_PIN_LOOP },
                      NULL);
        EQ_INT(tutti_task_state(task), TUTTI_TASK_READY, "without a round it waits");
        EQ_INT(tutti_task_cancel(task), TUTTI_OK, "a ready one is cancelled at once");
        tutti_task_unref(task);
    }
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "idle");
    OK(!is, "neither ran");
}

static void refused(void)
{
    static const uint32_t WRONG[] = { TUTTI_PIN_LOOP | TUTTI_NO_LOOP, TUTTI_PIN_LOOP | TUTTI_BLOCKING,
                                      TUTTI_PIN_LOOP | TUTTI_NO_HELP };
    bool is;
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_where, .arg = &is,
                                 .flags = WRONG[i] };
        EQ_INT(tutti_submit(engine, &desc, NULL, 0, NULL), TUTTI_EINVAL, "excluding flags");
    }
}

/* ---- floods ------------------------------------------------------------------------------- */

static atomic_bool flooding;

static int body_flood(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_flood,
                             .flags = TUTTI_PIN_LOOP | TUTTI_DETACH };
    return atomic_load(&flooding) ? tutti_submit(engine, &desc, NULL, 0, NULL) : TUTTI_OK;
}

static int body_end_flood(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_store(&flooding, false);
    return TUTTI_OK;
}

/* Pinned tasks that make pinned tasks: timers and low ones have their turn. */
static void flood(void)
{
    atomic_store(&flooding, true);
    tutti_task *sleep_task = NULL;
    tutti_task_unref(submit((tutti_task_desc){ .fn = body_flood, .flags = TUTTI_PIN_LOOP }, NULL));
    tutti_sleep(engine, 5 * TUTTI_NS_PER_MS, &sleep_task);
    tutti_task *end = submit((tutti_task_desc){ .fn = body_end_flood, .flags = TUTTI_PIN_LOOP,
                                                .priority = TUTTI_PRIORITY_LOW }, sleep_task);
    EQ_INT(await(end), TUTTI_OK, "a timer and a low task come through a flood");
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "then it ends");
    tutti_task_unref(sleep_task);
    tutti_task_unref(end);
}

/* ---- NO_LOOP ------------------------------------------------------------------------------ */

static atomic_int on_loop;

static int body_not_here(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_fetch_add(&on_loop, is_loop() ? 1 : 0);
    return TUTTI_OK;
}

static void no_loop(void)
{
    atomic_store(&on_loop, 0);
    for (int i = 0; i < 2000; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_not_here,
                                 .flags = TUTTI_NO_LOOP, .priority = (uint32_t)i % 3 };
        tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "many that the loop's thread must not run");
    EQ_INT(atomic_load(&on_loop), 0, "it ran none of them");
}

/* ---- the end ------------------------------------------------------------------------------ */

static void stop(void)
{
    enum { MANY = 500 };
    static tutti_task *tasks[MANY];
    atomic_store(&flooding, true); /* bodies that make more until the engine refuses */
    for (int i = 0; i < MANY; i++) {
        tasks[i] = submit((tutti_task_desc){ .fn = body_flood, .flags = TUTTI_PIN_LOOP,
                                             .priority = (uint32_t)i % 3 }, NULL);
    }
    if (mode == TUTTI_LOOP_CALLER) {
        EQ_INT(tutti_task_state(tasks[0]), TUTTI_TASK_READY, "ready when the engine is freed");
    }
    for (int i = 0; i < MANY; i++) {
        tutti_task_unref(tasks[i]);
    }
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "an engine with pinned tasks is freed");
}

int main(void)
{
    TAP_BEGIN();
    for (mode = TUTTI_LOOP_OWN_THREAD; mode <= TUTTI_LOOP_CALLER; mode++) {
        begin(2);
        where();
        children();
        order();
        cancel();
        refused();
        flood();
        no_loop();
        stop();
    }
    mode = TUTTI_LOOP_CALLER;
    begin(TUTTI_NO_WORKERS);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_not_here,
                             .flags = TUTTI_NO_LOOP };
    EQ_INT(tutti_submit(engine, &desc, NULL, 0, NULL), TUTTI_EINVAL,
           "the loop's thread is the only one, and may not");
    tutti_task *task = submit((tutti_task_desc){ .fn = body_not_here, .flags = TUTTI_PIN_LOOP },
                              NULL);
    EQ_INT(await(task), TUTTI_OK, "a pinned task needs no worker");
    tutti_task_unref(task);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    return TAP_END();
}
