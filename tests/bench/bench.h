/* SPDX-License-Identifier: MIT */
/*
 * bench.h - one driver for tutti and its rivals. See README.md for the method.
 *
 * A case is a workload on one system with so many threads. The driver makes its state once, has it
 * prove that it computes the right thing, then times a warm-up round and the rounds that count, all in
 * one process, and prints one JSON line.
 */
#ifndef TUTTI_TESTS_BENCH_BENCH_H
#define TUTTI_TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_case {
    const char *name;   /* of the workload */
    const char *system; /* "tutti", "onetbb", ... */
    unsigned threads;   /* the submitter counts */
    uint64_t n;         /* tasks */
    void *(*start)(unsigned threads);
    /* Do the work once and return its time, or with `check` do it with bodies that compute something
     * and return 1 if that is right, else 0. */
    uint64_t (*round)(void *state, uint64_t n, bool check);
    void (*stop)(void *state);
};

uint64_t bench_now_ns(void);

extern const struct bench_case bench_tutti[];
extern const unsigned bench_tutti_count;
extern const struct bench_case bench_onetbb[];
extern const unsigned bench_onetbb_count;

#ifdef __cplusplus
}
#endif
#endif
