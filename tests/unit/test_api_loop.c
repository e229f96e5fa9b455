/* SPDX-License-Identifier: MIT */
/* test_api_loop.c - what the loop gives through tutti.h and bridge.h: sleep, post, waits, run. */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "api/bridge.h"
#include "api/engine.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "io/loop.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;

static void begin(uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 2, .loop = loop };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine is made");
}

static uint64_t now_ns(void)
{
    return tutti__bridge_now_ns(engine);
}

/* ---- sleep ----------------------------------------------------------------------------------- */

static void test_sleep(void)
{
    tutti_task *task = NULL;
    uint64_t begin_ns = now_ns();
    EQ_INT(tutti_sleep(engine, 3500 * TUTTI_NS_PER_US, &task), TUTTI_OK, "a sleep is a task");
    EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "it can be waited for");
    OK(now_ns() - begin_ns >= 3500 * TUTTI_NS_PER_US, "and is never early");
    EQ_INT(tutti_task_result(task, NULL), TUTTI_OK, "it is done");
    tutti_task_unref(task);
    EQ_INT(tutti_sleep(engine, 0, &task), TUTTI_OK, "a sleep of nothing");
    EQ_INT(tutti_task_wait(task, 10 * TUTTI_NS_PER_S), TUTTI_OK, "ends");
    tutti_task_unref(task);
}

static bool heap_is_empty(void *user)
{
    (void)user;
    return tutti__loop_is_quiet(engine->loop);
}

static void test_sleep_cancelled(void)
{
    enum { MANY = 5000 };
    static tutti_task *tasks[MANY];
    for (int i = 0; i < MANY; i++) {
        if (tutti_sleep(engine, 3600 * TUTTI_NS_PER_S, &tasks[i]) != TUTTI_OK) {
            FAIL("sleep %d", i);
        }
    }
    tutti_task_wait(tasks[0], 5 * TUTTI_NS_PER_MS); /* some of them reach the heap */
    int cancelled = 0;
    for (int i = 0; i < MANY; i++) {
        cancelled += tutti_task_cancel(tasks[i]) == TUTTI_OK ? 1 : 0;
    }
    EQ_INT(cancelled, MANY, "a sleeping task is not done, and settles at once when it is cancelled");
    EQ_INT(tutti_task_result(tasks[7], NULL), TUTTI_ECANCELED, "as cancelled");
    for (int i = 0; i < MANY; i++) {
        tutti_task_unref(tasks[i]);
    }
    if (!engine->has_own_loop) {
        EQ_INT(tutti__bridge_run_until(engine, heap_is_empty, NULL), TUTTI_OK,
               "and its timer is taken out of the heap");
    }
}

static int note_time(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)result;
    *(uint64_t *)arg = now_ns();
    return TUTTI_OK;
}

static void test_sleep_then_submit(void)
{
    tutti_task *sleep_task = NULL;
    tutti_task *after = NULL;
    uint64_t ran_ns = 0;
    uint64_t begin_ns = now_ns();
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = note_time, .arg = &ran_ns };
    tutti_sleep(engine, 2 * TUTTI_NS_PER_MS, &sleep_task);
    EQ_INT(tutti_submit(engine, &desc, &sleep_task, 1, &after), TUTTI_OK, "a task after a sleep");
    EQ_INT(tutti_task_wait(after, TUTTI_FOREVER), TUTTI_OK, "runs");
    OK(ran_ns - begin_ns >= 2 * TUTTI_NS_PER_MS, "when the sleep is over");
    tutti_task_unref(sleep_task);
    tutti_task_unref(after);
}

static void *sleep_elsewhere(void *arg)
{
    for (int i = 0; i < 200; i++) {
        tutti_task *task = NULL;
        int rc = tutti_sleep(engine, (uint64_t)(i % 5) * 100 * TUTTI_NS_PER_US, &task);
        if (rc != TUTTI_OK || tutti_task_wait(task, 20 * TUTTI_NS_PER_S) != TUTTI_OK) {
            FAIL("sleep %d of a foreign thread", i);
            return NULL;
        }
        tutti_task_unref(task);
    }
    *(_Atomic bool *)arg = true;
    return NULL;
}

static bool is_true(void *user)
{
    return *(_Atomic bool *)user;
}

static void wake_only(void *user)
{
    (void)user;
}

static void *finish_and_wake(void *arg)
{
    sleep_elsewhere(arg);
    tutti_post(engine, wake_only, NULL); /* the flag alone would not wake the loop */
    return NULL;
}

static void test_sleep_from_elsewhere(void)
{
    pthread_t thread;
    _Atomic bool done = false;
    pthread_create(&thread, NULL, finish_and_wake, &done);
    if (!engine->has_own_loop) {
        EQ_INT(tutti__bridge_run_until(engine, is_true, &done), TUTTI_OK, "the loop serves others");
    }
    pthread_join(thread, NULL);
    OK(done, "another thread can sleep and wait");
}

/* ---- posts ----------------------------------------------------------------------------------- */

static int order[100];
static int order_count;
static bool posts_on_loop = true;

static void on_post(void *user)
{
    posts_on_loop = posts_on_loop && tutti__bridge_here(engine) == tutti__bridge_loop(engine);
    order[order_count++] = (int)(intptr_t)user;
}

static void test_post(void)
{
    order_count = 0;
    for (int i = 0; i < 100; i++) {
        tutti_post(engine, on_post, (void *)(intptr_t)i);
    }
    tutti_task *task = NULL;
    tutti_sleep(engine, 0, &task); /* comes behind them in the inbox */
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_unref(task);
    bool in_order = order_count == 100;
    for (int i = 0; i < order_count; i++) {
        in_order = in_order && order[i] == i;
    }
    OK(in_order, "posts of one thread run in their order");
    OK(posts_on_loop, "on the loop thread");
}

/* ---- waits ----------------------------------------------------------------------------------- */

static void test_wait_deadline(void)
{
    tutti_task *promise = NULL;
    REQUIRE(tutti_promise_new(engine, &promise) == TUTTI_OK, "a promise");
    uint64_t begin_ns = now_ns();
    EQ_INT(tutti_task_wait(promise, 4 * TUTTI_NS_PER_MS), TUTTI_ETIMEDOUT, "a wait ends");
    OK(now_ns() - begin_ns >= 4 * TUTTI_NS_PER_MS, "lasts until then");
    EQ_INT(tutti_task_wait(promise, 0), TUTTI_ETIMEDOUT, "a wait of nothing polls");
    uint64_t live = 0;
    for (int i = 0; i < 2000; i++) {
        if (tutti_task_wait(promise, 1) != TUTTI_ETIMEDOUT) {
            FAIL("wait %d", i);
        }
        if (i == 10) {
            live = tutti__alloc_live();
        }
    }
    OK(tutti__alloc_live() <= live, "waits that end early leave nothing behind"); /* the loop may free more */
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    EQ_INT(tutti_task_wait(promise, TUTTI_FOREVER), TUTTI_OK, "and the next one still works");
    tutti_task_unref(promise);
}

static void *settle_later(void *arg)
{
    usleep(3000);
    tutti_value value = { .kind = TUTTI_INT, .as.integer = 42 };
    tutti_promise_settle(arg, TUTTI_OK, &value);
    return NULL;
}

static void test_wait_for_foreign_promise(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        tutti_task *promise = NULL;
        const tutti_value *value = NULL;
        tutti_promise_new(engine, &promise);
        pthread_create(&thread, NULL, settle_later, promise);
        int rc = tutti_task_wait(promise, TUTTI_FOREVER);
        tutti_task_result(promise, &value);
        OK(rc == TUTTI_OK && value->as.integer == 42, "a foreign thread settles it");
        pthread_join(thread, NULL);
        tutti_task_unref(promise);
    }
}

static int linger(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)result;
    usleep(2000);
    atomic_fetch_add((_Atomic int *)arg, 1);
    return TUTTI_OK;
}

static void test_wait_idle(void)
{
    for (int round = 0; round < 30; round++) {
        _Atomic int count = 0;
        tutti_task *sleep_task = NULL;
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = linger, .arg = &count };
        tutti_sleep(engine, TUTTI_NS_PER_MS, &sleep_task);
        for (int i = 0; i < 3; i++) {
            tutti_submit(engine, &desc, &sleep_task, 1, NULL);
        }
        tutti_task_unref(sleep_task);
        if (tutti_wait_idle(engine) != TUTTI_OK || count != 3) {
            FAIL("round %d: idle with %d of 3 tasks run", round, (int)count);
        }
    }
    OK(true, "wait_idle returns when the last task has ended on a worker");
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "and at once when there is none");
}

static int wait_in_task(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    *result = (tutti_value){ .kind = TUTTI_INT,
                             .as.integer = tutti_task_wait(arg, 10 * TUTTI_NS_PER_MS) };
    return TUTTI_OK;
}

static int status_in_post;

static void wait_in_post(void *user)
{
    status_in_post = tutti_task_wait(user, TUTTI_FOREVER);
}

static void test_wait_refused(void)
{
    tutti_task *promise = NULL;
    tutti_task *task = NULL;
    tutti_task *sleep_task = NULL;
    const tutti_value *value = NULL;
    tutti_promise_new(engine, &promise);
    tutti_task_desc desc = {
        .struct_size = sizeof desc, .fn = wait_in_task, .arg = promise, .flags = TUTTI_NO_HELP,
    };
    tutti_submit(engine, &desc, NULL, 0, &task);
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_result(task, &value);
    EQ_INT(value->as.integer, TUTTI_ETIMEDOUT, "a body on a worker may wait");
    tutti_task_unref(task);
    status_in_post = 1;
    tutti_post(engine, wait_in_post, promise);
    tutti_sleep(engine, 0, &sleep_task);
    tutti_task_wait(sleep_task, TUTTI_FOREVER);
    tutti_task_unref(sleep_task);
    EQ_INT(status_in_post, TUTTI_EDEADLK, "nor may a callback of the loop");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
}

static void *wait_elsewhere(void *arg)
{
    return (void *)(intptr_t)tutti_task_wait(arg, 10 * TUTTI_NS_PER_MS);
}

static void test_no_loop(void)
{
    pthread_t thread;
    void *status = NULL;
    tutti_task *promise = NULL;
    begin(TUTTI_LOOP_CALLER);
    tutti_promise_new(engine, &promise);
    pthread_create(&thread, NULL, wait_elsewhere, promise);
    pthread_join(thread, &status);
    EQ_INT((intptr_t)status, TUTTI_ENOLOOP, "a wait elsewhere, while nobody has ever run the loop");
    tutti_task_wait(promise, 1);
    pthread_create(&thread, NULL, wait_elsewhere, promise);
    pthread_join(thread, &status);
    EQ_INT((intptr_t)status, TUTTI_ETIMEDOUT, "once it has run, a wait lasts to its deadline");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
    tutti_engine_free(engine);
}

/* ---- run ------------------------------------------------------------------------------------- */

static bool bare_timer_fired;

static void on_bare_timer(struct tutti__timer *timer)
{
    (void)timer;
    bare_timer_fired = true;
}

static int chain_left;

static int chain(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)arg;
    (void)result;
    if (--chain_left > 0) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = chain, .flags = TUTTI_DETACH };
        usleep(500);
        return tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

static void test_run(void)
{
    EQ_INT(tutti_run(engine), TUTTI_OK, "with nothing to do run returns");
    struct tutti__timer timer = { .fn = on_bare_timer };
    EQ_INT(tutti__bridge_timer_start(engine, &timer, now_ns() + 2 * TUTTI_NS_PER_MS), TUTTI_OK,
           "a timer of the bridge");
    chain_left = 20;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = chain };
    tutti_submit(engine, &desc, NULL, 0, NULL);
    tutti_task *sleep_task = NULL;
    tutti_sleep(engine, 6 * TUTTI_NS_PER_MS, &sleep_task);
    EQ_INT(tutti_run(engine), TUTTI_OK, "run returns");
    EQ_INT(chain_left, 0, "when the last task of a chain on the workers has ended");
    OK(bare_timer_fired, "and the timers have fired");
    OK(tutti_task_is_done(sleep_task), "and the sleeping tasks are done");
    tutti_task_unref(sleep_task);
}

/* ---- the bridge ------------------------------------------------------------------------------ */

static struct tutti__watch watch;
static _Atomic bool watch_came;
static bool watch_on_loop;

static void on_watch(struct tutti__post *post)
{
    watch_on_loop = post == &watch.post && tutti__bridge_here(engine) == tutti__bridge_loop(engine);
    watch_came = true;
}

static void test_watch(void)
{
    tutti_task *promise = NULL;
    tutti_task *sleep_task = NULL;
    tutti_promise_new(engine, &promise);
    watch = (struct tutti__watch){ .post.fn = on_watch, .home = tutti__bridge_loop(engine) };
    watch_came = false;
    OK(tutti__bridge_watch(promise, &watch), "a pending task can be watched");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_sleep(engine, 0, &sleep_task);
    tutti_task_wait(sleep_task, TUTTI_FOREVER);
    tutti_task_unref(sleep_task);
    OK(watch_came && watch_on_loop, "its end is posted to the home");
    OK(!tutti__bridge_watch(promise, &watch), "a settled one is told at once");
    tutti_task_unref(promise);
}

static int slot_value;
static _Atomic int slots_dropped;

static int use_slot(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)arg;
    void **slot = tutti__bridge_slot(engine);
    bool home = tutti__bridge_here(engine) != NULL &&
                tutti__bridge_here(engine) != tutti__bridge_loop(engine);
    *result = (tutti_value){ .kind = TUTTI_BOOL, .as.boolean = *slot == NULL && home };
    *slot = &slot_value;
    return TUTTI_OK;
}

static void on_slot(void *slot)
{
    slots_dropped += slot == &slot_value ? 1 : 100;
}

static void test_slot(void)
{
    tutti_task *task = NULL;
    const tutti_value *value = NULL;
    slots_dropped = 0;
    tutti__bridge_on_worker_stop(engine, on_slot);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = use_slot, .flags = TUTTI_NO_HELP };
    tutti_submit(engine, &desc, NULL, 0, &task);
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_result(task, &value);
    OK(value->as.boolean, "a worker has a home of its own and an empty slot");
    tutti_task_unref(task);
}

int main(void)
{
    TAP_BEGIN();
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        begin(loop);
        test_sleep();
        test_sleep_cancelled();
        test_sleep_then_submit();
        test_sleep_from_elsewhere();
        test_post();
        test_wait_deadline();
        test_wait_for_foreign_promise();
        test_wait_idle();
        test_wait_refused();
        if (loop == TUTTI_LOOP_CALLER) {
            test_run();
        } else {
            EQ_INT(tutti_run(engine), TUTTI_EINVAL, "run is for a caller's loop");
        }
        test_watch();
        test_slot();
        EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
        EQ_INT(slots_dropped, 1, "the slot of a worker that used it is handed over when it stops");
    }
    test_no_loop();
    return TAP_END();
}
