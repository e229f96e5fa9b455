/* SPDX-License-Identifier: MIT */
/* test_virtual.c - the table with a virtual clock and a seed, and engines with one thread that have it. */
#include <string.h>

#include "api/engine.h"
#include "base/virtual.h"
#include "support/tap.h"

/* ---- the table ------------------------------------------------------------------------------- */

static void table(void)
{
    struct tutti__virtual a;
    struct tutti__virtual b;
    tutti__virtual_init(&a, 7);
    tutti__virtual_init(&b, 7);
    OK(a.env.random(&a) == b.env.random(&b) && a.env.choose(&a, 1000) == b.env.choose(&b, 1000),
       "a seed decides");
    tutti__virtual_init(&b, 8);
    OK(a.env.random(&a) != b.env.random(&b), "another seed otherwise");
    OK(a.env.now_ns(&a) == 0, "the clock begins at 0");
    OK(a.env.rest(&a, 5000, false) == 0, "a rest is no sleep");
    OK(a.env.now_ns(&a) == 5000, "but takes its time");
    OK(a.env.rest(&a, UINT64_MAX, true) == UINT64_MAX, "what is awaited outside may take for ever");
    OK(!a.is_stuck && a.env.now_ns(&a) == 5000, "and the clock waits for it");
    uint64_t left_ns = a.env.rest(&a, 3600 * UINT64_C(1000000000), true);
    OK(left_ns > 0 && a.env.now_ns(&a) == 5000, "a timer meanwhile is waited for in real time");
    OK(a.env.rest(&a, 1, true) == 0, "which has passed");
    OK(a.env.now_ns(&a) == 5001, "so the clock is there");
    OK(a.env.rest(&a, UINT64_MAX, false) == 0, "nothing at all to wait for");
    OK(a.is_stuck, "is said");
}

/* ---- an engine ------------------------------------------------------------------------------- */

enum { TASKS = 200 };

static struct {
    tutti_engine *engine;
    char order[TASKS + 1];
    int count;
    int slept;
} run;

static int note(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)result;
    run.order[run.count++] = (char)('0' + *(const int *)arg % 64);
    return TUTTI_OK;
}

static void on_slept(struct tutti__timer *timer)
{
    (void)timer;
    run.slept++;
}

static bool all_noted(void *user)
{
    (void)user;
    return run.count == TASKS && run.slept == 1;
}

/* Tasks of every kind, of which some only a worker or an extra thread would run; a timer a year ahead. */
static void run_all(uint64_t seed)
{
    memset(&run, 0, sizeof run);
    REQUIRE(tutti__solo_new(&run.engine, seed, NULL) == TUTTI_OK, "an engine is made");
    static const uint32_t flags[] = { 0, TUTTI_NO_HELP, TUTTI_BLOCKING, TUTTI_NO_HELP | TUTTI_NO_LOOP };
    for (int i = 0; i < TASKS; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = note, .arg = &i, .arg_bytes = sizeof i,
                                 .flags = flags[i % 4] };
        REQUIRE(tutti_submit(run.engine, &desc, NULL, 0, NULL) == TUTTI_OK, "a task");
    }
    struct tutti__timer timer = { .fn = on_slept };
    uint64_t year_ns = 365 * UINT64_C(86400000000000);
    REQUIRE(tutti__loop_timer_start(run.engine->loop, &timer, year_ns) == TUTTI_OK, "a timer");
    EQ_INT(tutti__engine_run_until(run.engine, all_noted, NULL), TUTTI_OK, "all have run");
    OK(tutti__loop_now_ns(run.engine->loop) == year_ns, "and a year has passed");
    EQ_INT(tutti_engine_free(run.engine), TUTTI_OK, "and it is freed");
}

static void engines(void)
{
    char first[TASKS + 1];
    run_all(1);
    memcpy(first, run.order, sizeof first);
    run_all(1);
    EQ_STR(run.order, first, "the same seed gives the same order");
    run_all(2);
    OK(strcmp(run.order, first) != 0, "another seed another one");
}

int main(void)
{
    TAP_BEGIN();
    table();
    engines();
    return TAP_END();
}
