/* SPDX-License-Identifier: MIT */
/*
 * bench_report.h - what the driver prints: a line for each case, a line for each pair that is compared.
 */
#ifndef TUTTI_TESTS_BENCH_BENCH_REPORT_H
#define TUTTI_TESTS_BENCH_BENCH_REPORT_H

#include "bench.h"

enum { BENCH_ROUNDS = 7 };

/* What has been measured of one case, in ns a task, round by round. */
struct bench_outcome {
    const struct bench_case *which;
    double first; /* the very first warm-up round */
    double ns[BENCH_ROUNDS];
};

void bench_report(const struct bench_outcome *outcomes, unsigned count);

#endif
