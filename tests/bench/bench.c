/* SPDX-License-Identifier: MIT */
/*
 * bench.c - the driver: `tutti-bench [NAME...]`, one JSON line for each case on stdout.
 */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 7 };

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What has been measured of one case, in ns a task. */
struct outcome {
    const struct bench_case *which;
    double first; /* the very first warm-up round */
    double ns[ROUNDS];
};

/* Prove the outcome, or measure round `i`: each time with a warm-up round before it. */
static bool run_case(struct outcome *o, int i)
{
    const struct bench_case *c = o->which;
    void *state = c->start(c->threads);
    if (state == NULL) {
        fprintf(stderr, "bench: %s on %s cannot start\n", c->name, c->system);
        return false;
    }
    bool right = i >= 0 || c->round(state, c->n, true) == 1;
    if (i >= 0) {
        double first = (double)c->round(state, c->n, false) / (double)c->n;
        o->first = i == 0 ? first : o->first;
        o->ns[i] = (double)c->round(state, c->n, false) / (double)c->n;
    }
    c->stop(state);
    if (!right) {
        fprintf(stderr, "bench: %s on %s computes the wrong thing\n", c->name, c->system);
    }
    return right;
}

static void print(struct outcome *o)
{
    const struct bench_case *c = o->which;
    qsort(o->ns, ROUNDS, sizeof o->ns[0], compare);
    printf("{\"bench\":\"%s\",\"system\":\"%s\",\"threads\":%u,\"n\":%" PRIu64 ",\"ns\":%.1f,"
           "\"first\":%.1f,\"min\":%.1f,\"max\":%.1f}\n",
           c->name, c->system, c->threads, c->n, o->ns[ROUNDS / 2], o->first, o->ns[0],
           o->ns[ROUNDS - 1]);
}

static unsigned gather(const char *name, const struct bench_case *cases, unsigned count,
                       struct outcome *out)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            out[found++].which = &cases[i];
        }
    }
    return found;
}

/* All systems take turns, so that what else the machine does strikes each of them. */
static bool run_workload(const char *name)
{
    struct outcome outcomes[16];
    unsigned count = gather(name, bench_tutti, bench_tutti_count, outcomes);
#ifdef TUTTI_BENCH_TBB
    count += gather(name, bench_onetbb, bench_onetbb_count, outcomes + count);
#endif
    for (int i = -1; i < ROUNDS; i++) {
        for (unsigned k = 0; k < count; k++) {
            if (!run_case(&outcomes[k], i)) {
                return false;
            }
        }
    }
    for (unsigned k = 0; k < count; k++) {
        print(&outcomes[k]);
    }
    fflush(stdout);
    return true;
}

static bool is_known(const char *name)
{
    bool known = false;
    for (unsigned i = 0; i < bench_tutti_count; i++) {
        known |= strcmp(bench_tutti[i].name, name) == 0;
    }
    return known;
}

static void print_names(FILE *to)
{
    const char *last = "";
    for (unsigned k = 0; k < bench_tutti_count; k++) {
        if (strcmp(last, bench_tutti[k].name) != 0) {
            last = bench_tutti[k].name;
            fprintf(to, " %s", last);
        }
    }
    fprintf(to, "\n");
}

int main(int argc, char **argv)
{
#if defined(TUTTI_DEBUG) || !defined(__OPTIMIZE__)
    fprintf(stderr, "bench: this is a debug build; figures from it would mean nothing\n");
    return 2;
#endif
    for (int i = 1; i < argc; i++) {
        if (!is_known(argv[i])) {
            fprintf(stderr, "bench: no workload is called '%s'; there are:", argv[i]);
            print_names(stderr);
            return 2;
        }
    }
    bool right = true;
    const char *last = "";
    for (unsigned k = 0; argc == 1 && k < bench_tutti_count; k++) {
        if (strcmp(last, bench_tutti[k].name) != 0) {
            last = bench_tutti[k].name;
            right &= run_workload(last);
        }
    }
    for (int i = 1; i < argc; i++) {
        right &= run_workload(argv[i]);
    }
    return right ? 0 : 1;
}
