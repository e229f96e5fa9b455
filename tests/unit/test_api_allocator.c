/* SPDX-License-Identifier: MIT */
/*
 * test_api_allocator.c - config.allocator: what an engine holds comes from there and goes back there,
 * with its size; and what happens when it has nothing to give.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "support/tap.h"
#include "tutti.h"

/* ---- an allocator that counts, checks and fails ---------------------------------------------- */

#ifdef TUTTI_TSAN
enum { FENCE = 64, STEP = 7 }; /* it takes its time */
#else
enum { FENCE = 64, STEP = 1 };
#endif

struct note {
    size_t bytes;
    size_t align;
    void *block;
};

static struct {
    pthread_mutex_t mu;
    uint64_t live_count;
    uint64_t live_bytes;
    uint64_t peak_bytes;
    uint64_t asked;   /* since fail_at was set */
    uint64_t fail_at; /* 0: never; the n-th request fails */
    bool fail_on;     /* ... and all that follow */
    bool wrong;       /* a size, alignment or fence was not right */
} heap = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* The note lies right before the block, a fence right behind it. */
static struct note *note_of(void *ptr)
{
    return (struct note *)(void *)((char *)ptr - sizeof(struct note));
}

static void *heap_alloc(void *user, size_t align, size_t bytes)
{
    void *block = NULL;
    size_t unit = align < 64 ? 64 : align;
    pthread_mutex_lock(user);
    heap.asked++;
    bool fails = heap.fail_at != 0 &&
                 (heap.asked == heap.fail_at || (heap.fail_on && heap.asked > heap.fail_at));
    heap.wrong = heap.wrong || (align & (align - 1)) != 0 || align == 0 || align > 65536;
    if (!fails && posix_memalign(&block, unit, unit + bytes + FENCE) != 0) {
        block = NULL;
    }
    if (block != NULL) {
        heap.live_count++;
        heap.live_bytes += bytes;
        heap.peak_bytes = heap.live_bytes > heap.peak_bytes ? heap.live_bytes : heap.peak_bytes;
    }
    pthread_mutex_unlock(user);
    if (block == NULL) {
        return NULL;
    }
    char *ptr = (char *)block + unit;
    memset(ptr, 0xa5, bytes); /* not zeroed */
    memset(ptr + bytes, 0x5a, FENCE);
    *note_of(ptr) = (struct note){ bytes, align, block };
    return ptr;
}

static void heap_free(void *user, void *ptr, size_t bytes)
{
    struct note note = *note_of(ptr);
    bool right = note.bytes == bytes;
    for (int i = 0; i < FENCE; i++) {
        right = right && ((unsigned char *)ptr)[note.bytes + (size_t)i] == 0x5a;
    }
    pthread_mutex_lock(user);
    heap.wrong = heap.wrong || !right;
    heap.live_count--;
    heap.live_bytes -= bytes;
    pthread_mutex_unlock(user);
    free(note.block);
}

static tutti_allocator allocator = { heap_alloc, heap_free, &heap.mu };

static void heap_fail(uint64_t nth, bool on)
{
    pthread_mutex_lock(&heap.mu);
    heap.asked = 0;
    heap.fail_at = nth;
    heap.fail_on = on;
    pthread_mutex_unlock(&heap.mu);
}

static void heap_fail_no_more(void)
{
    pthread_mutex_lock(&heap.mu);
    heap.fail_on = false;
    pthread_mutex_unlock(&heap.mu);
}

static bool has_failed(void)
{
    pthread_mutex_lock(&heap.mu);
    bool failed = heap.fail_at != 0 && heap.asked >= heap.fail_at;
    pthread_mutex_unlock(&heap.mu);
    return failed;
}

static bool is_balanced(void)
{
    return heap.live_count == 0 && heap.live_bytes == 0 && !heap.wrong;
}

/* ---- everything that takes memory ------------------------------------------------------------ */

static tutti_engine *engine;
static int bad_status; /* neither TUTTI_OK nor TUTTI_ENOMEM was returned */

static int seen(int rc)
{
    if (rc != TUTTI_OK && rc != TUTTI_ENOMEM) {
        bad_status = rc;
    }
    return rc;
}

static int empty(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_OK;
}

static void finish(tutti_task *task)
{
    if (task != NULL) {
        seen(tutti_task_wait(task, TUTTI_FOREVER));
        tutti_task_unref(task);
    }
}

static void use_submit(void)
{
    static char big[200000];
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = empty };
    tutti_task *one = NULL;
    tutti_task *large = NULL;
    tutti_task *many = NULL;
    tutti_task *after[600];
    seen(tutti_submit(engine, &desc, NULL, 0, &one));
    for (int i = 0; i < 600; i++) {
        after[i] = one;
    }
    seen(tutti_submit(engine, &desc, after, 600, &many));
    desc.arg = big;
    desc.arg_bytes = sizeof big;
    seen(tutti_submit(engine, &desc, NULL, 0, &large));
    finish(large);
    finish(many);
    finish(one);
}

static void use_many(void)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = empty };
    tutti_task *gate = NULL;
    if (seen(tutti_promise_new(engine, &gate)) != TUTTI_OK) {
        return;
    }
    for (int i = 0; i < 5000; i++) {
        seen(tutti_submit(engine, &desc, i % 2 == 0 ? &gate : NULL, i % 2 == 0 ? 1 : 0, NULL));
    }
    seen(tutti_promise_settle(gate, TUTTI_OK, NULL));
    tutti_task_unref(gate);
    seen(tutti_wait_idle(engine));
}

static void do_nothing(void *user)
{
    (void)user;
}

static int give_nothing(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                        tutti_value *result)
{
    (void)self, (void)user, (void)args, (void)argc, (void)result;
    return TUTTI_OK;
}

static void use_loop(void)
{
    static char name[] = "native_00";
    tutti_task *task = NULL;
    for (int i = 0; i < 20; i++) {
        name[7] = (char)('0' + i / 10);
        name[8] = (char)('0' + i % 10);
        seen(tutti_register(engine, name, give_nothing, NULL));
        seen(tutti_post(engine, do_nothing, NULL));
    }
    for (uint64_t i = 0; i < 100; i++) {
        tutti_task *sleep_task = NULL;
        seen(tutti_sleep(engine, i * 1000, &sleep_task));
        if (sleep_task != NULL) {
            tutti_task_unref(task);
            task = sleep_task;
        }
    }
    if (task != NULL) { /* without memory it may have failed, or not be waited for */
        seen(tutti_task_wait(task, TUTTI_FOREVER));
        tutti_task_cancel(task);
        tutti_task_unref(task);
    }
}

static void use_process(void)
{
    static const char *const argv[] = { "/bin/echo", "hello", NULL };
    tutti_exec_desc desc = { .struct_size = sizeof desc, .argv = argv };
    tutti_task *task = NULL;
    if (seen(tutti_exec(engine, &desc, &task)) == TUTTI_OK) {
        if (seen(tutti_task_wait(task, TUTTI_FOREVER)) == TUTTI_ENOMEM) {
            heap_fail_no_more(); /* a process must be waited for, memory or not */
            seen(tutti_task_wait(task, TUTTI_FOREVER));
        }
        tutti_task_unref(task);
    }
}

static int count(void *user, size_t begin, size_t end)
{
    (void)user, (void)begin, (void)end;
    return TUTTI_OK;
}

static int add(void *user, void *value, size_t begin, size_t end)
{
    (void)user;
    *(uint64_t *)value += end - begin;
    return TUTTI_OK;
}

static void join(void *user, void *left, const void *right)
{
    (void)user;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void use_ranges(void)
{
    static const uint64_t zero;
    uint64_t sum = 0;
    tutti_range range = { 0, 1000, 1 };
    tutti_reduce_desc desc = { .struct_size = sizeof desc, .range = range, .value_bytes = sizeof sum,
                               .identity = &zero, .fold = add, .join = join };
    if (tutti_parallel_for(engine, &range, count, NULL) != TUTTI_OK) {
        FAIL("a range needs no memory");
    }
    if (seen(tutti_parallel_reduce(engine, &desc, &sum)) == TUTTI_OK && sum != 1000) {
        FAIL("a wrong sum");
    }
}

static void *use_foreign(void *unused)
{
    use_submit();
    return unused;
}

static void use_all(void)
{
    pthread_t thread;
    use_submit();
    use_many();
    use_loop();
    use_process();
    use_ranges();
    pthread_create(&thread, NULL, use_foreign, NULL);
    pthread_join(thread, NULL);
    seen(tutti_trim(engine));
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* A count of the heap's: the loop thread may be at work. */
static uint64_t read_count(const uint64_t *count)
{
    pthread_mutex_lock(&heap.mu);
    uint64_t bytes = *count;
    pthread_mutex_unlock(&heap.mu);
    return bytes;
}

static int make(uint32_t loop)
{
    tutti_allocator copied = allocator;
    tutti_config config = {
        .struct_size = sizeof config, .workers = 2, .loop = loop, .allocator = &copied
    };
    int rc = tutti_engine_new(&engine, &config);
    memset(&copied, 0, sizeof copied); /* it was copied */
    return rc;
}

static void test_all(uint32_t loop)
{
    REQUIRE(make(loop) == TUTTI_OK, "an engine with a host's allocator");
    OK(read_count(&heap.live_bytes) > 10000, "which has given some memory");
    if (loop == TUTTI_LOOP_CALLER) {
        tutti_run(engine);
    }
    use_all();
    EQ_INT(bad_status, TUTTI_OK, "all goes well");
    OK(read_count(&heap.peak_bytes) > 500000, "tasks are from there too");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    OK(is_balanced(), "everything has come back, with its size");
}

static void test_engine_new_fails(uint32_t loop)
{
    int rc = TUTTI_ENOMEM;
    uint64_t k = 0;
    bool balanced = true;
    while (rc == TUTTI_ENOMEM && k < 1000) {
        heap_fail(++k, false);
        rc = make(loop);
        balanced = balanced && (rc == TUTTI_OK || is_balanced());
    }
    heap_fail(0, false);
    EQ_INT(rc, TUTTI_OK, "an engine is made once nothing fails");
    OK(balanced && k > 8, "%d failures before that left nothing behind", (int)k - 1);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    OK(is_balanced(), "everything has come back");
}

static void test_use_fails(uint32_t loop, bool on)
{
    bool more = true;
    bool balanced = true;
    uint64_t k = 0;
    while (more && k < 200) {
        heap_fail(0, false);
        if (make(loop) != TUTTI_OK) {
            FAIL("no engine");
            return;
        }
        if (loop == TUTTI_LOOP_CALLER) {
            tutti_run(engine);
        }
        k += STEP;
        heap_fail(k, on);
        use_all();
        more = has_failed();
        heap_fail(0, false);
        use_submit(); /* it still works */
        balanced = tutti_engine_free(engine) == TUTTI_OK && is_balanced() && balanced;
    }
    EQ_INT(bad_status, TUTTI_OK, "only TUTTI_ENOMEM is returned when memory runs out");
    OK(balanced && k > 10, "after each of %d requests that failed %s", (int)k - 1,
       on ? "with all that followed" : "alone");
}

static void test_refused(void)
{
    tutti_allocator half = { heap_alloc, NULL, NULL };
    tutti_config config = { .struct_size = sizeof config, .allocator = &half };
    EQ_INT(tutti_engine_new(&engine, &config), TUTTI_EINVAL, "an allocator that cannot free");
}

int main(void)
{
    TAP_BEGIN();
    test_refused();
    test_all(TUTTI_LOOP_OWN_THREAD);
    test_all(TUTTI_LOOP_CALLER);
    test_engine_new_fails(TUTTI_LOOP_OWN_THREAD);
    test_engine_new_fails(TUTTI_LOOP_CALLER);
    test_use_fails(TUTTI_LOOP_OWN_THREAD, false);
    test_use_fails(TUTTI_LOOP_CALLER, false);
    test_use_fails(TUTTI_LOOP_CALLER, true);
    return TAP_END();
}
