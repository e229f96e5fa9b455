/* SPDX-License-Identifier: MIT */
/* test_api_engine.c - engines: configuration, refusals, many of them, natives, posts, values. */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "api/bridge.h"
#include "api/engine.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "support/proc.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *make(uint32_t loop)
{
    tutti_engine *e = NULL;
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop };
    REQUIRE(tutti_engine_new(&e, &config) == TUTTI_OK, "an engine is made");
    return e;
}

/* ---- configuration --------------------------------------------------------------------------- */

static void test_config(void)
{
    tutti_engine *e = NULL;
    tutti_config config = { .struct_size = sizeof config };
    EQ_INT(tutti_engine_new(NULL, &config), TUTTI_EINVAL, "nowhere to put the engine");
    config.struct_size = 3;
    EQ_INT(tutti_engine_new(&e, &config), TUTTI_EINVAL, "a wrong struct_size");
    config.struct_size = sizeof config;
    config.loop = 7;
    EQ_INT(tutti_engine_new(&e, &config), TUTTI_EINVAL, "an unknown kind of loop");
    config.loop = 0;
    config.workers = TUTTI_WORKERS_MAX + 1;
    EQ_INT(tutti_engine_new(&e, &config), TUTTI_EINVAL, "too many workers");
    EQ_PTR(e, NULL, "nothing is written on an error");
    REQUIRE(tutti_engine_new(&e, NULL) == TUTTI_OK, "no configuration is the default one");
    EQ_UINT(tutti_engine_workers(e), tutti__cpu_count(), "with a worker for each usable CPU");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "and is freed");
}

static void test_null(void)
{
    tutti_task *task = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc };
    tutti_stats stats = { .struct_size = 1 };
    tutti_engine *e = make(TUTTI_LOOP_CALLER);
    EQ_INT(tutti_engine_free(NULL), TUTTI_EINVAL, "free of nothing");
    EQ_INT(tutti_submit(NULL, &desc, NULL, 0, &task), TUTTI_EINVAL, "submit without engine");
    EQ_INT(tutti_submit(e, NULL, NULL, 0, &task), TUTTI_EINVAL, "submit without desc");
    EQ_INT(tutti_submit(e, &desc, NULL, 0, &task), TUTTI_EINVAL, "submit without function");
    EQ_INT(tutti_submit(e, &desc, NULL, 3, &task), TUTTI_EINVAL, "three dependencies, but nowhere");
    EQ_INT(tutti_promise_new(e, NULL), TUTTI_EINVAL, "a promise for nobody");
    EQ_INT(tutti_promise_settle(NULL, TUTTI_OK, NULL), TUTTI_EINVAL, "settle of nothing");
    EQ_INT(tutti_task_wait(NULL, 0), TUTTI_EINVAL, "wait for nothing");
    EQ_INT(tutti_task_cancel(NULL), TUTTI_EINVAL, "cancel of nothing");
    EQ_INT(tutti_post(e, NULL, NULL), TUTTI_EINVAL, "post of nothing");
    EQ_INT(tutti_sleep(e, 0, NULL), TUTTI_EINVAL, "a sleep for nobody");
    EQ_INT(tutti_run(NULL), TUTTI_EINVAL, "run of nothing");
    EQ_INT(tutti_wait_idle(NULL), TUTTI_EINVAL, "wait_idle of nothing");
    EQ_INT(tutti_get_stats(e, &stats), TUTTI_EINVAL, "stats with a wrong size");
    EQ_UINT(tutti_engine_workers(NULL), 0, "no engine has no workers");
    tutti_task_ref(NULL);
    tutti_task_unref(NULL);
    tutti_value_free(NULL);
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "none of this has hurt");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static int free_in_task(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = tutti_engine_free(arg) };
    return TUTTI_OK;
}

static void *free_elsewhere(void *arg)
{
    return (void *)(intptr_t)tutti_engine_free(arg);
}

static int post_status;

static void free_in_post(void *user)
{
    post_status = tutti_engine_free(user);
}

static void test_free_refused(uint32_t loop)
{
    tutti_engine *e = make(loop);
    tutti_task *task = NULL;
    const tutti_value *value = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = free_in_task, .arg = e };
    REQUIRE(tutti_submit(e, &desc, NULL, 0, &task) == TUTTI_OK, "submit");
    EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "wait");
    tutti_task_result(task, &value);
    EQ_INT(value->as.integer, TUTTI_EDEADLK, "freeing from inside a task is refused");
    tutti_task_unref(task);
    pthread_t thread;
    void *status = NULL;
    pthread_create(&thread, NULL, free_elsewhere, e);
    pthread_join(thread, &status);
    EQ_INT((intptr_t)status, TUTTI_EINVAL, "and from another thread");
    post_status = 0;
    tutti_post(e, free_in_post, e);
    tutti_task *promise = NULL;
    REQUIRE(tutti_sleep(e, 5 * TUTTI_NS_PER_MS, &promise) == TUTTI_OK, "a sleep, to let it run");
    tutti_task_wait(promise, TUTTI_FOREVER);
    tutti_task_unref(promise);
    EQ_INT(post_status, TUTTI_EDEADLK, "and from within the loop");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "the creator may");
}

/* ---- a thousand ------------------------------------------------------------------------------ */

static int nothing(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)arg;
    (void)result;
    return TUTTI_OK;
}

static void use_one(uint32_t loop)
{
    tutti_engine *e = NULL;
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop };
    if (tutti_engine_new(&e, &config) != TUTTI_OK) {
        FAIL("an engine could not be made");
        exit(1);
    }
    tutti_task *task = NULL;
    tutti_task *sleep_task = NULL;
    tutti_task *promise = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = nothing };
    tutti_submit(e, &desc, NULL, 0, &task);
    tutti_sleep(e, 60 * TUTTI_NS_PER_S, &sleep_task); /* still asleep at the end */
    tutti_promise_new(e, &promise);                   /* never settled */
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_unref(task);
    tutti_task_unref(sleep_task);
    tutti_task_unref(promise);
    tutti_engine_free(e);
}

static void test_thousand(void)
{
    use_one(TUTTI_LOOP_OWN_THREAD); /* what libuv and libc keep for ever is made now */
    use_one(TUTTI_LOOP_CALLER);
    size_t fds = proc_descriptors();
    size_t threads = proc_count("/proc/self/task");
    uint64_t live = tutti__alloc_live();
    unsigned long rounds = tap_rounds(1000);
    for (unsigned long i = 0; i < rounds; i++) {
        use_one(i % 2 == 0 ? TUTTI_LOOP_OWN_THREAD : TUTTI_LOOP_CALLER);
    }
    EQ_UINT(proc_descriptors(), fds, "a thousand engines leave no descriptor");
    OK(proc_threads(threads) <= threads, "and no thread"); /* one of before may have been leaving */
    EQ_UINT(tutti__alloc_live(), live, "and no memory");
}

static void test_several(void)
{
    enum { SEVERAL = 4 };
    tutti_engine *e[SEVERAL];
    tutti_task *task[SEVERAL];
    for (int i = 0; i < SEVERAL; i++) {
        e[i] = make(i % 2 == 0 ? TUTTI_LOOP_OWN_THREAD : TUTTI_LOOP_CALLER);
        REQUIRE(tutti_sleep(e[i], TUTTI_NS_PER_MS, &task[i]) == TUTTI_OK, "a sleep");
    }
    for (int i = SEVERAL - 1; i >= 0; i--) {
        EQ_INT(tutti_task_wait(task[i], TUTTI_FOREVER), TUTTI_OK, "each engine serves its own");
        tutti_task_unref(task[i]);
    }
    for (int i = 0; i < SEVERAL; i++) {
        EQ_INT(tutti_engine_free(e[i]), TUTTI_OK, "in any order");
    }
}

static void test_out_of_memory(void)
{
    uint64_t live = tutti__alloc_live();
    size_t fds = proc_descriptors();
    int failed = 0;
    tutti_engine *e = NULL;
    tutti_config config = { .struct_size = sizeof config, .workers = 2 };
    for (uint64_t nth = 1; e == NULL && nth < 1000; nth++) {
        if (!tutti__alloc_fail_nth(nth)) {
            NOTE("no failing allocations in this build");
            return;
        }
        int rc = tutti_engine_new(&e, &config);
        failed += rc != TUTTI_OK ? 1 : 0;
        if (rc != TUTTI_OK && rc != TUTTI_ENOMEM && rc != TUTTI_EAGAIN) {
            FAIL("allocation %d: status %d", (int)nth, rc);
        }
    }
    tutti__alloc_fail_nth(0);
    OK(failed > 3, "each of the first allocations can fail");
    tutti_engine_free(e);
    EQ_UINT(tutti__alloc_live(), live, "a failed start leaves no memory");
    EQ_UINT(proc_descriptors(), fds, "and no descriptor");
}

/* ---- natives, values ------------------------------------------------------------------------- */

static int native(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                  tutti_value *result)
{
    (void)self;
    (void)user;
    (void)args;
    (void)argc;
    (void)result;
    return TUTTI_OK;
}

static void test_natives(void)
{
    tutti_engine *e = make(TUTTI_LOOP_CALLER);
    char name[32];
    static int users[100];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%d", (i * 37) % 100);
        EQ_INT(tutti_register(e, name, native, &users[(i * 37) % 100]), TUTTI_OK, name);
    }
    EQ_INT(tutti_register(e, "f5", native, NULL), TUTTI_EINVAL, "a name is taken once");
    EQ_INT(tutti_register(e, "", native, NULL), TUTTI_EINVAL, "an empty name is refused");
    EQ_INT(tutti_register(e, "x", NULL, NULL), TUTTI_EINVAL, "so is no function");
    int wrong = 0;
    tutti_native_fn fn = NULL;
    void *user = NULL;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%d", i);
        bool found = tutti__bridge_native(e, name, &fn, &user);
        wrong += found && fn == native && user == &users[i] ? 0 : 1;
    }
    EQ_INT(wrong, 0, "each is found with its own user data");
    OK(!tutti__bridge_native(e, "f100", &fn, &user), "what was not registered is not found");
    tutti_engine_free(e);
}

static int dropped;

static void drop(void *pointer)
{
    dropped += pointer == &dropped ? 1 : 100;
}

static void test_values(void)
{
    tutti_value v = { .kind = TUTTI_NIL };
    EQ_INT(tutti_value_bytes(&v, "a\0b", 3), TUTTI_OK, "bytes are copied");
    OK(v.kind == TUTTI_BYTES && v.more.length == 3 && memcmp(v.as.pointer, "a\0b", 3) == 0,
       "with zeros in them");
    tutti_value_free(&v);
    EQ_UINT(v.kind, TUTTI_NIL, "a freed value is nil");
    EQ_INT(tutti_value_bytes(&v, NULL, 1), TUTTI_EINVAL, "one byte from nowhere is refused");
    v = (tutti_value){ .kind = TUTTI_OPAQUE, .as.pointer = &dropped, .more.drop = drop };
    tutti_value_free(&v);
    tutti_value_free(&v);
    EQ_INT(dropped, 1, "an opaque value is dropped once");
    EQ_STR(tutti_status_text(TUTTI_ENOLOOP), "no thread runs the loop of this engine",
           "a status text");
    EQ_STR(tutti_status_text(12345), "unknown status", "the text of no status");
}

int main(void)
{
    TAP_BEGIN();
    test_config();
    test_null();
    test_free_refused(TUTTI_LOOP_OWN_THREAD);
    test_free_refused(TUTTI_LOOP_CALLER);
    test_thousand();
    test_several();
    test_out_of_memory();
    test_natives();
    test_values();
    return TAP_END();
}
