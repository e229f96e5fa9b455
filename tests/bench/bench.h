/* SPDX-License-Identifier: MIT */
/*
 * bench.h - one driver for tutti and its rivals. See README.md for the method.
 *
 * A case is a workload on one system with so many threads. Its state is made anew for each round; the
 * driver has it prove that it computes the right thing, then times a warm-up round and the round that
 * counts, and prints a JSON line for each case and one for each pair of cases that are compared.
 */
#ifndef TUTTI_TESTS_BENCH_BENCH_H
#define TUTTI_TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_case {
    const char *name;    /* of the workload */
    const char *system;  /* "tutti", "onetbb", ... */
    const char *variant; /* NULL: there is only one form */
    unsigned threads;    /* the submitter counts */
    uint64_t n;          /* tasks */
    void *(*start)(unsigned threads);
    /* Do the work once and return its time (0: it could not be done), or with `check` do it with
     * bodies that compute something and return 1 if that is right, else 0. */
    uint64_t (*round)(void *state, uint64_t n, bool check);
    void (*stop)(void *state);
};

uint64_t bench_now_ns(void);

/* About 100 ns of arithmetic that cannot be left out or done at once for several `seed`. The same in C
 * and in C++. */
static inline uint64_t bench_work(uint64_t seed)
{
    for (int i = 0; i < 64; i++) {
        seed ^= seed >> 29;
        seed *= UINT64_C(0x9E3779B97F4A7C15);
    }
    return seed;
}

/* The next of a row of numbers that look random, the same for all systems. */
static inline uint64_t bench_next(uint64_t *row)
{
    *row ^= *row << 13;
    *row ^= *row >> 7;
    *row ^= *row << 17;
    return *row;
}

/* random_dag: task i comes after two different ones of the BENCH_DAG_BACK before it. */
enum { BENCH_DAG_BACK = 1000 };

struct bench_two {
    uint64_t first;
    uint64_t second; /* as first where there is only one */
};

static inline struct bench_two bench_dag_after(uint64_t *row, uint64_t i)
{
    uint64_t back = i < BENCH_DAG_BACK ? i : (uint64_t)BENCH_DAG_BACK;
    uint64_t first = bench_next(row) % back;
    uint64_t second = back > 1 ? (first + 1 + bench_next(row) % (back - 1)) % back : first;
    struct bench_two two = { i - 1 - first, i - 1 - second };
    return two;
}

enum { BENCH_SIDE_MAX = 2000 }; /* of a wavefront */

/* Each table ends with a case without a name. */
extern const struct bench_case bench_spawn[];
extern const struct bench_case bench_graph[];
extern const struct bench_case bench_fib[];
extern const struct bench_case bench_range[];
extern const struct bench_case bench_cancel[];
extern const struct bench_case bench_wake[];
extern const struct bench_case bench_growth[];
extern const struct bench_case bench_crowd[];
extern const struct bench_case onetbb_spawn[];
extern const struct bench_case onetbb_graph[];
extern const struct bench_case onetbb_range[];

#ifdef __cplusplus
}
#endif
#endif
