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

/* CPU seconds of the whole machine, and of this process. */
struct bench_machine {
    double total_s;
    double busy_s;
    double own_s;
};

struct bench_machine bench_machine_now(void);
/* The share of all CPU time that other programs have used since then: 0 to 1. */
double bench_others_since(const struct bench_machine *begin);

void bench_report(const struct bench_outcome *outcomes, unsigned count, double others);

#endif
