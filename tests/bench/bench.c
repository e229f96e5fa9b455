/* SPDX-License-Identifier: MIT */
/*
 * bench.c - the driver: `tutti-bench [NAME...]`, JSON lines on stdout.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench_report.h"

#ifndef __OPTIMIZE__
enum { IS_SLOW_BUILD = 1 };
#else
enum { IS_SLOW_BUILD = 0 };
#endif

/* Workloads run in the order of their first case. */
static const struct bench_case *const tables[] = {
    bench_spawn, bench_fib,    bench_graph, bench_range, bench_cancel, bench_wake, bench_growth, bench_crowd,
#ifdef TUTTI_BENCH_TBB
    onetbb_spawn, onetbb_graph, onetbb_range,
#endif
};
enum { TABLES = sizeof tables / sizeof tables[0], CASES_MAX = 32 };

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool complain(const struct bench_case *c, const char *what)
{
    fprintf(stderr, "bench: %s on %s with %u threads %s\n", c->name, c->system, c->threads, what);
    return false;
}

/* Prove the outcome (i < 0), or measure round i, with a warm-up round before it. */
static bool run_case(struct bench_outcome *o, int i)
{
    const struct bench_case *c = o->which;
    void *state = c->start(c->threads);
    if (state == NULL) {
        return complain(c, "cannot start");
    }
    uint64_t warm = c->round(state, c->n, i < 0);
    uint64_t ns = i < 0 ? 1 : c->round(state, c->n, false);
    c->stop(state);
    if (warm == 0 || ns == 0) {
        return complain(c, i < 0 ? "computes the wrong thing" : "failed while it was timed");
    }
    if (i >= 0) {
        o->first = i == 0 ? (double)warm / (double)c->n : o->first;
        o->ns[i] = (double)ns / (double)c->n;
    }
    return true;
}

/* All systems take turns, so that what else the machine does strikes each of them. */
static bool run_cases(struct bench_outcome *outcomes, unsigned count)
{
    struct bench_machine begin = bench_machine_now();
    for (int i = -1; i < BENCH_ROUNDS; i++) {
        for (unsigned k = 0; k < count; k++) {
            if (!run_case(&outcomes[k], i)) {
                return false;
            }
        }
    }
    bench_report(outcomes, count, bench_others_since(&begin));
    return true;
}

static bool run_workload(const char *name)
{
    struct bench_outcome outcomes[CASES_MAX];
    unsigned count = 0;
    for (unsigned t = 0; t < TABLES; t++) {
        for (const struct bench_case *c = tables[t]; c->name != NULL && count < CASES_MAX; c++) {
            if (strcmp(c->name, name) == 0) {
                outcomes[count++].which = c;
            }
        }
    }
    return run_cases(outcomes, count);
}

/* Call visit(name) for each workload. */
static bool each_workload(bool (*visit)(const char *name))
{
    bool all = true;
    const char *last = "";
    for (unsigned t = 0; t < TABLES; t++) {
        for (const struct bench_case *c = tables[t]; c->name != NULL; c++) {
            if (strcmp(c->system, "tutti") == 0 && strcmp(last, c->name) != 0) {
                last = c->name;
                all &= visit(last);
            }
        }
    }
    return all;
}

static bool print_name(const char *name)
{
    fprintf(stderr, " %s", name);
    return true;
}

static bool is_known(const char *name)
{
    bool known = false;
    for (unsigned t = 0; t < TABLES; t++) {
        for (const struct bench_case *c = tables[t]; c->name != NULL; c++) {
            known |= strcmp(c->name, name) == 0;
        }
    }
    return known;
}

int main(int argc, char **argv)
{
    if (IS_SLOW_BUILD) {
        fprintf(stderr, "bench: this is a debug build; figures from it would mean nothing\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        if (!is_known(argv[i])) {
            fprintf(stderr, "bench: no workload is called '%s'; there are:", argv[i]);
            each_workload(print_name);
            fprintf(stderr, "\n");
            return 2;
        }
    }
    bool right = argc > 1 || each_workload(run_workload);
    for (int i = 1; i < argc; i++) {
        right &= run_workload(argv[i]);
    }
    return right ? 0 : 1;
}
