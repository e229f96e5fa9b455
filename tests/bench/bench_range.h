/* SPDX-License-Identifier: MIT */
/*
 * bench_range.h - the work of parallel_for, the same for all systems: light (a store) or heavy (about
 * 100 ns) for each index. Not inlined into anybody's loop, so that all call the same code.
 */
#ifndef TUTTI_TESTS_BENCH_BENCH_RANGE_H
#define TUTTI_TESTS_BENCH_BENCH_RANGE_H

#include <stddef.h>

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RANGE_LENGTH = 1000000, RANGE_CALLS = 5 };

/* n numbers, all pages in; NULL is not returned. */
uint64_t *range_new(uint64_t n);
void range_light(uint64_t *out, size_t begin, size_t end);
void range_heavy(uint64_t *out, size_t begin, size_t end);
bool range_is_right(const uint64_t *out, uint64_t n, bool is_heavy);

#ifdef __cplusplus
}
#endif
#endif
