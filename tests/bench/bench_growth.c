/* SPDX-License-Identifier: MIT */
/*
 * bench_growth.c - does a task cost the same when there are four times as many, in the same warm engine?
 */
#include "bench_tutti.h"

enum { MILLION = 1000000 };

#define GROWTH(variant, threads, n, round)                                                         \
    { "growth", "tutti", variant, threads, n, bench_engine_start, round, bench_engine_stop }

const struct bench_case bench_growth[] = {
    GROWTH("independent", 1, MILLION, bench_independent),
    GROWTH("independent", 1, 4 * MILLION, bench_independent),
    GROWTH("independent", 2, MILLION, bench_independent),
    GROWTH("independent", 2, 4 * MILLION, bench_independent),
    GROWTH("chain", 1, MILLION, bench_chain),
    GROWTH("chain", 1, 4 * MILLION, bench_chain),
    GROWTH("chain", 2, MILLION, bench_chain),
    GROWTH("chain", 2, 4 * MILLION, bench_chain),
    GROWTH("wavefront", 1, MILLION, bench_wavefront),
    GROWTH("wavefront", 1, 4 * MILLION, bench_wavefront),
    GROWTH("wavefront", 2, MILLION, bench_wavefront),
    GROWTH("wavefront", 2, 4 * MILLION, bench_wavefront),
    { .name = NULL },
};
