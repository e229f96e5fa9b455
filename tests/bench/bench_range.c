/* SPDX-License-Identifier: MIT */
/*
 * bench_range.c - tutti_parallel_for over 1,000,000 indexes, the grain left to tutti, against a plain loop
 * as well. The bodies are the same in both kinds of round, since a round that computes nothing would
 * measure nothing. One call is short: the time is the mean of RANGE_CALLS of them.
 */
#include <stdlib.h>

#include "bench_range.h"
#include "bench_tutti.h"

static int fill_light(void *user, size_t begin, size_t end)
{
    range_light(user, begin, end);
    return TUTTI_OK;
}

static int fill_heavy(void *user, size_t begin, size_t end)
{
    range_heavy(user, begin, end);
    return TUTTI_OK;
}

static uint64_t over(void *engine, uint64_t n, bool check, tutti_range_fn fn)
{
    uint64_t *out = range_new(n);
    tutti_range range = { .begin = 0, .end = n };
    uint64_t begin = bench_now_ns();
    int failed = 0;
    for (int i = 0; i < RANGE_CALLS; i++) {
        failed |= tutti_parallel_for(engine, &range, fn, out);
    }
    uint64_t ns = (bench_now_ns() - begin) / RANGE_CALLS;
    bool right = !check || range_is_right(out, n, fn == fill_heavy);
    free(out);
    return bench_outcome_of(check, right, failed, ns);
}

static uint64_t light(void *engine, uint64_t n, bool check)
{
    return over(engine, n, check, fill_light);
}

static uint64_t heavy(void *engine, uint64_t n, bool check)
{
    return over(engine, n, check, fill_heavy);
}

/* ---- a plain loop ------------------------------------------------------------------------- */

static void *loop_start(unsigned threads)
{
    static char none;
    (void)threads;
    return &none;
}

static void loop_stop(void *state)
{
    (void)state;
}

static uint64_t loop(uint64_t n, bool check, bool is_heavy)
{
    uint64_t *out = range_new(n);
    uint64_t begin = bench_now_ns();
    for (int i = 0; i < RANGE_CALLS; i++) {
        (is_heavy ? range_heavy : range_light)(out, 0, n);
    }
    uint64_t ns = (bench_now_ns() - begin) / RANGE_CALLS;
    bool right = !check || range_is_right(out, n, is_heavy);
    free(out);
    return bench_outcome_of(check, right, 0, ns);
}

static uint64_t loop_light(void *state, uint64_t n, bool check)
{
    (void)state;
    return loop(n, check, false);
}

static uint64_t loop_heavy(void *state, uint64_t n, bool check)
{
    (void)state;
    return loop(n, check, true);
}

#define TUTTI(variant, threads, round)                                                             \
    { "parallel_for", "tutti", variant, threads, RANGE_LENGTH, bench_engine_start, round, bench_engine_stop }
#define LOOP(variant, round)                                                                       \
    { "parallel_for", "loop", variant, 1, RANGE_LENGTH, loop_start, round, loop_stop }

const struct bench_case bench_range[] = {
    TUTTI("light", 1, light), TUTTI("light", 2, light),  LOOP("light", loop_light),
    TUTTI("heavy", 1, heavy), TUTTI("heavy", 2, heavy),  LOOP("heavy", loop_heavy),
    { .name = NULL },
};
