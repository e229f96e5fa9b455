/* SPDX-License-Identifier: MIT */
/*
 * stress_catalogue_memory.c - threads submit, settle, cancel, sleep and post while allocations fail at
 * random, on whichever thread they come. What was accepted ends, each argument is dropped once, what was
 * refused was refused for want of memory, and nothing is left.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "stress/stress.h"

enum { THREADS = 3, KEPT = 32 };

static tutti_engine *e;
static atomic_long accepted;
static atomic_long ended;
static atomic_long refused;
static atomic_int wrong_status;
static atomic_bool over;

static void drop_ended(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&ended, 1, memory_order_relaxed);
}

static bool took(int rc)
{
    if (rc == TUTTI_OK) {
        return true;
    }
    if (rc == TUTTI_ENOMEM) {
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    } else {
        atomic_store(&wrong_status, rc);
    }
    return false;
}

/* Makes some children, and a result that needs memory. */
static int body(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    for (uintptr_t i = (uintptr_t)arg % 4; i > 0; i--) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body, .arg_drop = drop_ended };
        if (took(tutti_submit(e, &desc, NULL, 0, NULL))) {
            atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        }
    }
    return (uintptr_t)arg % 8 == 5 ? tutti_value_bytes(result, "some bytes", 10) : TUTTI_OK;
}

static tutti_task *submit_one(uint64_t r, tutti_task *const *kept)
{
    static char bytes[20000];
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body, .arg_drop = drop_ended };
    desc.flags = (r >> 8) % 16 == 0 ? TUTTI_BLOCKING : (r >> 8) % 8 == 1 ? TUTTI_NO_HELP : 0;
    desc.flags |= (r >> 16) % 2 == 0 ? TUTTI_RUN_ON_SKIP : 0;
    desc.arg = bytes;
    desc.arg_bytes = (r >> 24) % 32 == 0 ? sizeof bytes : 0;
    if (desc.arg_bytes == 0) {
        desc.arg = (void *)(uintptr_t)(r >> 32);
    }
    tutti_task *task = NULL;
    if (!took(tutti_submit(e, &desc, kept, (r >> 20) % KEPT, &task))) {
        return NULL;
    }
    atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
    return task;
}

static void on_post(void *user)
{
    drop_ended(user);
}

static tutti_task *do_something(uint64_t r, tutti_task *const *kept)
{
    tutti_task *task = NULL;
    switch (r % 6) {
    case 0:
        (void)took(tutti_promise_new(e, &task));
        break;
    case 1:
        (void)took(tutti_sleep(e, (r >> 32) % (200 * TUTTI_NS_PER_US), &task));
        break;
    case 2:
        if (took(tutti_post(e, on_post, NULL))) {
            atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        }
        break;
    default:
        task = submit_one(r, kept);
    }
    return task;
}

/* Let go of one: promises are settled, others cancelled now and then. */
static void let_go(tutti_task *task, bool is_promise, uint64_t r)
{
    if (task == NULL) {
        return;
    }
    if (is_promise) {
        tutti_promise_settle(task, r % 3 == 0 ? TUTTI_EIO : TUTTI_OK, NULL);
    } else if (r % 5 == 0) {
        tutti_task_cancel(task);
    }
    tutti_task_unref(task);
}

static void *work(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    tutti_task *kept[KEPT] = { NULL };
    bool is_promise[KEPT] = { false };
    while (!atomic_load(&over)) {
        uint64_t r = tap_random(&rng);
        unsigned at = (unsigned)(r >> 58) % KEPT;
        let_go(kept[at], is_promise[at], r >> 8);
        kept[at] = NULL; /* nothing can come after it any more */
        kept[at] = do_something(r, kept);
        is_promise[at] = r % 6 == 0;
    }
    for (int i = 0; i < KEPT; i++) {
        let_go(kept[i], is_promise[i], 1);
    }
    return NULL;
}

static void one_engine(uint32_t loop, uint64_t *rng)
{
    tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(2), .loop = loop };
    REQUIRE(tutti_engine_new(&e, &config) == TUTTI_OK, "an engine");
    pthread_t threads[THREADS];
    atomic_store(&over, false);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    }
    uint64_t end_ns = stress_end_ns();
    uint64_t late_ns = end_ns + 60 * TUTTI_NS_PER_S; /* until something has been refused, where that can be */
    bool can_fail = tutti__alloc_fail_nth(0);
    while (!stress_is_over(can_fail && atomic_load(&refused) == 0 ? late_ns : end_ns)) {
        tutti__alloc_fail_nth(1 + tap_random(rng) % 20);
        tutti_task *sleep = NULL;
        if (took(tutti_sleep(e, 50 * TUTTI_NS_PER_US, &sleep))) {
            int rc = tutti_task_wait(sleep, TUTTI_FOREVER);
            (void)took(rc);
            tutti_task_unref(sleep);
        }
    }
    tutti__alloc_fail_nth(0);
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

int main(void)
{
    TAP_BEGIN();
    uint64_t rng = tap_seed();
    one_engine(TUTTI_LOOP_OWN_THREAD, &rng);
    uint64_t live = tutti__alloc_live(); /* a line for each thread that used an engine may stay */
    one_engine(TUTTI_LOOP_OWN_THREAD, &rng);
    one_engine(TUTTI_LOOP_CALLER, &rng);
    EQ_INT(atomic_load(&wrong_status), 0, "nothing was refused for another reason");
    EQ_INT(atomic_load(&ended), atomic_load(&accepted), "what was accepted has ended");
    OK(tutti__alloc_live() <= live, "nothing is left");
    OK(!tutti__alloc_fail_nth(0) || atomic_load(&refused) > 0, "%ld were accepted, %ld refused",
       atomic_load(&accepted), atomic_load(&refused));
    return TAP_END();
}
