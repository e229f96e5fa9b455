/* SPDX-License-Identifier: MIT */
/*
 * bench_tutti.h - what the workloads on tutti share. They use tutti.h as any program would.
 *
 * The same code runs in both kinds of round: with bodies that compute something, to prove that all ran
 * and in order, and with an empty body, to be timed. Submits come from the engine's creator, which
 * helps while it waits.
 */
#ifndef TUTTI_TESTS_BENCH_BENCH_TUTTI_H
#define TUTTI_TESTS_BENCH_BENCH_TUTTI_H

#include <stdatomic.h>

#include "bench.h"
#include "tutti.h"

/* An engine of threads - 1 workers; NULL if that cannot be. */
void *bench_engine_start(unsigned threads);
void bench_engine_stop(void *engine);

int bench_body_empty(tutti_task *self, void *arg, tutti_value *result);
/* Adds 1 to the _Atomic(uint64_t) at `arg`. */
int bench_body_count(tutti_task *self, void *arg, tutti_value *result);

/* Rounds that more than one workload uses. */
uint64_t bench_independent(void *engine, uint64_t n, bool check);
uint64_t bench_binary_tree(void *engine, uint64_t n, bool check);
uint64_t bench_chain(void *engine, uint64_t n, bool check);
uint64_t bench_wavefront(void *engine, uint64_t n, bool check);

static inline tutti_task_desc bench_describe(tutti_task_fn fn, void *arg)
{
    return (tutti_task_desc){ .struct_size = sizeof(tutti_task_desc), .fn = fn, .arg = arg };
}

/* What a round returns: whether it was right, or its time, which is 0 if a call failed. */
static inline uint64_t bench_outcome_of(bool check, bool right, int failed, uint64_t ns)
{
    return check ? right && failed == 0 : failed == 0 ? ns : 0;
}

#endif
