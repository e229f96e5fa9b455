/* SPDX-License-Identifier: MIT */
/*
 * stress_parallel.c - ranges from several threads and tasks at once, nested, failing, with every grain: each
 * index once, and nothing of a caller's stack is touched after its return.
 */
#include "stress/stress.h"
#include "tutti.h"

enum { THREADS = 3, LENGTH_MAX = 3000, GARBAGE = 0x5a };

static tutti_engine *engine;
static atomic_bool failed;

/* Lies on the caller's stack and is overwritten as soon as the call has returned. */
struct call {
    atomic_uint marks[LENGTH_MAX];
    size_t fail_at;
    unsigned depth;
    uint64_t rng;
};

static bool one_call(uint64_t *rng, unsigned depth);

static int chunk(void *user, size_t begin, size_t end)
{
    struct call *call = user;
    uint64_t rng = call->rng + begin;
    for (size_t i = begin; i < end; i++) {
        atomic_fetch_add_explicit(&call->marks[i], 1, memory_order_relaxed);
        if (i == call->fail_at) {
            return TUTTI_EIO;
        }
    }
    if (tap_random(&rng) % 16 == 0) {
        random_pause(&rng);
    }
    if (call->depth > 0 && tap_random(&rng) % 64 == 0 && !one_call(&rng, call->depth - 1)) {
        return TUTTI_EFAILED;
    }
    return TUTTI_OK;
}

static bool is_right(const struct call *call, size_t length, int rc)
{
    for (size_t i = 0; i < length; i++) {
        unsigned times = atomic_load_explicit(&call->marks[i], memory_order_relaxed);
        if (times > 1 || (rc == TUTTI_OK && times != 1)) {
            return false;
        }
    }
    return rc == (call->fail_at < length ? TUTTI_EIO : TUTTI_OK);
}

static bool one_call(uint64_t *rng, unsigned depth)
{
    struct call call;
    size_t length = tap_random(rng) % LENGTH_MAX;
    tutti_range range = { 0, length, tap_random(rng) % 3 == 0 ? 0 : 1 + tap_random(rng) % 200 };
    memset(&call, 0, sizeof call);
    call.fail_at = tap_random(rng) % 8 == 0 ? tap_random(rng) % LENGTH_MAX : SIZE_MAX;
    call.depth = depth;
    call.rng = tap_random(rng);
    int rc = tutti_parallel_for(engine, &range, chunk, &call);
    bool right = is_right(&call, length, rc);
    memset(&call, GARBAGE, sizeof call);
    if (!right) {
        atomic_store(&failed, true);
    }
    return right;
}

static void *call_on(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    uint64_t end_ns = stress_end_ns();
    unsigned calls = 0;
    while (!stress_is_over(end_ns) && !atomic_load(&failed)) {
        (void)one_call(&rng, 2);
        calls++;
    }
    NOTE("%u calls", calls);
    return NULL;
}

static int body_call(tutti_task *self, void *arg, tutti_value *result)
{
    uint64_t rng = tap_seed() ^ (uintptr_t)arg;
    (void)self, (void)result;
    return one_call(&rng, 1) ? TUTTI_OK : TUTTI_EFAILED;
}

static void *submit_on(void *unused)
{
    enum { AT_ONCE = 8 };
    uint64_t end_ns = stress_end_ns();
    uintptr_t number = 0;
    while (!stress_is_over(end_ns) && !atomic_load(&failed)) {
        tutti_task *tasks[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            tutti_task_desc desc = {
                .struct_size = sizeof desc, .fn = body_call, .arg = (void *)number++ /* a number */
            };
            tutti_submit(engine, &desc, NULL, 0, &tasks[i]);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            tutti_task_wait(tasks[i], TUTTI_FOREVER);
            tutti_task_unref(tasks[i]);
        }
    }
    return unused;
}

static void test(uint32_t workers)
{
    pthread_t threads[THREADS + 1];
    tutti_config config = { .struct_size = sizeof config, .workers = workers };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with %u workers", workers);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, call_on, (void *)i);
    }
    pthread_create(&threads[THREADS], NULL, submit_on, NULL);
    (void)call_on((void *)(uintptr_t)THREADS);
    for (int i = 0; i <= THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    OK(!atomic_load(&failed), "each index once, and the right status");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

int main(void)
{
    TAP_BEGIN();
    test(1);
    test(2);
    test(4);
    return TAP_END();
}
