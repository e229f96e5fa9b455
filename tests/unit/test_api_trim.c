/* SPDX-License-Identifier: MIT */
/* test_api_trim.c - tutti_trim: what a peak has taken goes back, and what is in use stays. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "api/engine.h"
#include "sched/slab.h"
#include "support/tap.h"
#include "tutti.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(TUTTI_TSAN)
enum { MANY = 100000, SANITIZED = 1 };
#else
enum { MANY = 1000000, SANITIZED = 0 };
#endif
enum { NEAR_BYTES = 16 << 20 };

static tutti_engine *engine;

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &pages, &resident) != 2) {
        FAIL("statm cannot be read");
    }
    if (file != NULL) {
        fclose(file);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t slab_bytes(void)
{
    tutti_stats stats = { .struct_size = sizeof stats };
    EQ_INT(tutti_get_stats(engine, &stats), TUTTI_OK, "stats");
    return stats.slab_bytes;
}

static int empty(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_OK;
}

/* A great many tasks that wait for one promise, come and go. */
static void peak(void)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = empty };
    tutti_task *gate = NULL;
    bool ok = tutti_promise_new(engine, &gate) == TUTTI_OK;
    for (int i = 0; i < MANY && ok; i++) {
        ok = tutti_submit(engine, &desc, &gate, 1, NULL) == TUTTI_OK;
    }
    REQUIRE(ok, "%d tasks wait", MANY);
    tutti_promise_settle(gate, TUTTI_OK, NULL);
    tutti_task_unref(gate);
    for (int i = 0; i < MANY && ok; i++) {
        ok = tutti_submit(engine, &desc, NULL, 0, NULL) == TUTTI_OK;
    }
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "all have come and gone");
}

/* Workers give back what is theirs on their own time. */
static bool comes_near(uint64_t before)
{
    for (int i = 0; i < 1000; i++) {
        if (resident_bytes() <= before + NEAR_BYTES) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

static void test_peak(uint32_t workers, uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .loop = loop };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with %d workers", (int)workers);
    uint64_t slabs_before = slab_bytes();
    uint64_t before = resident_bytes();
    for (int round = 0; round < 2; round++) {
        peak();
        uint64_t slabs = slab_bytes();
        uint64_t at_peak = resident_bytes();
        EQ_INT(tutti_trim(engine), TUTTI_OK, "trimmed");
        bool near = SANITIZED || comes_near(before);
        NOTE("resident: %llu MiB before, %llu at the peak, %llu after",
             (unsigned long long)before >> 20, (unsigned long long)at_peak >> 20,
             (unsigned long long)resident_bytes() >> 20);
        OK(near, "memory is near what it was");
        OK(slabs > (uint64_t)MANY * 64, "records took %llu KiB", (unsigned long long)slabs >> 10);
        for (int i = 0; i < 1000 && slab_bytes() > slabs_before + ((uint64_t)8 << 20); i++) {
            usleep(10000);
        }
        OK(slab_bytes() <= slabs_before + ((uint64_t)8 << 20), "and give back most, of it %llu KiB stay",
           (unsigned long long)slab_bytes() >> 10);
    }
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

/* ---- what is in use stays -------------------------------------------------------------------- */

enum { KEPT = 3000 };

static int give_number(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = *(const int *)arg };
    return TUTTI_OK;
}

static void test_in_use(void)
{
    static tutti_task *kept[KEPT];
    tutti_config config = { .struct_size = sizeof config, .workers = 2 };
    tutti_task *gate = NULL;
    bool right = true;
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    tutti_promise_new(engine, &gate);
    for (int i = 0; i < KEPT; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = give_number, .arg = &i,
                                 .arg_bytes = sizeof i };
        if (tutti_submit(engine, &desc, &gate, (size_t)i % 2, &kept[i]) != TUTTI_OK) {
            REQUIRE(false, "task %d", i);
        }
        if (i % 100 == 0) {
            tutti_trim(engine);
        }
    }
    tutti_trim(engine);
    tutti_promise_settle(gate, TUTTI_OK, NULL);
    tutti_wait_idle(engine);
    tutti_trim(engine);
    for (int i = 0; i < KEPT; i++) {
        const tutti_value *value = NULL;
        right = right && tutti_task_result(kept[i], &value) == TUTTI_OK && value->as.integer == i;
        tutti_task_unref(kept[i]);
    }
    OK(right, "tasks and results outlive trims");
    tutti_task_unref(gate);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *submit_and_go(void *unused)
{
    peak();
    return unused;
}

static void test_of_a_thread_that_has_ended(void)
{
    pthread_t thread;
    tutti_config config = { .struct_size = sizeof config, .workers = 1 };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    pthread_create(&thread, NULL, submit_and_go, NULL);
    pthread_join(thread, NULL);
    tutti_trim(engine);
    for (int i = 0; i < 1000 && slab_bytes() > (uint64_t)8 << 20; i++) {
        usleep(10000);
        tutti_trim(engine);
    }
    OK(slab_bytes() <= (uint64_t)8 << 20, "a foreign thread's records go back when it has ended: %llu KiB",
       (unsigned long long)slab_bytes() >> 10);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

static _Atomic bool stop_trimming;

static void *trim_on(void *unused)
{
    while (!stop_trimming) {
        tutti_trim(engine);
        usleep(50);
    }
    return unused;
}

static void test_while_busy(void)
{
    pthread_t threads[2];
    tutti_config config = { .struct_size = sizeof config, .workers = 2 };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = empty };
    tutti_task *last = NULL;
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    stop_trimming = false;
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, trim_on, NULL);
    }
    for (int i = 0; i < 50000; i++) {
        tutti_task *next = NULL;
        tutti_task *after[2] = { last, NULL };
        if (tutti_submit(engine, &desc, after, 2, &next) != TUTTI_OK) {
            FAIL("submit %d", i);
        }
        tutti_task_unref(last);
        last = next;
        if (i % 1000 == 0) {
            tutti_task_wait(last, TUTTI_FOREVER);
        }
    }
    EQ_INT(tutti_task_wait(last, TUTTI_FOREVER), TUTTI_OK, "tasks run while others trim");
    tutti_task_unref(last);
    stop_trimming = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    EQ_INT(tutti_trim(NULL), TUTTI_EINVAL, "no engine");
}

static void test_timers(void)
{
    enum { TIMERS = 50000 };
    static tutti_task *tasks[TIMERS];
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = TUTTI_LOOP_CALLER };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    for (int i = 0; i < TIMERS; i++) {
        tutti_sleep(engine, 3600000000000u + (uint64_t)(i * 7919 % TIMERS), &tasks[i]);
    }
    tutti_poll(engine, TUTTI_FOREVER);
    EQ_INT(tutti_trim(engine), TUTTI_OK, "trimmed with many timers armed");
    for (int i = 0; i < TIMERS; i++) {
        tutti_task_cancel(tasks[i]);
        tutti_task_unref(tasks[i]);
    }
    tutti_poll(engine, TUTTI_FOREVER);
    EQ_INT(tutti_trim(engine), TUTTI_OK, "and with none");
    tutti_sleep(engine, 1000, &tasks[0]);
    EQ_INT(tutti_task_wait(tasks[0], TUTTI_FOREVER), TUTTI_OK, "then timers work as before");
    tutti_task_unref(tasks[0]);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

int main(void)
{
    TAP_BEGIN();
    test_peak(2, TUTTI_LOOP_OWN_THREAD);
    test_peak(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD);
    test_in_use();
    test_of_a_thread_that_has_ended();
    test_while_busy();
    test_timers();
    return TAP_END();
}
