/* SPDX-License-Identifier: MIT */
/*
 * bench_report.c - the JSON lines, and which cases are compared with which.
 *
 * A ratio is the median of the rounds' ratios: the two systems of a round were measured right after each
 * other, so what else the machine did struck both.
 */
#include "bench_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a case of tutti is compared with, all else being equal. */
enum pair {
    RIVAL,         /* another system, whatever its variant */
    ALIKE,         /* another system, of the same variant */
    FEWER_TASKS,   /* itself with fewer tasks */
    FEWER_THREADS, /* itself with fewer threads */
};

/* The figures that are to be met: no more than so many times the other's time, for tutti with one thread
 * and with more. README.md says where each comes from; 0: none has been set, the ratio is printed for
 * information. */
struct goal {
    const char *name;
    enum pair pair;
    double at_most_one;
    double at_most_more;
};

static const struct goal goals[] = {
    { "independent", RIVAL, 0.6, 0.75 },
    { "chain", RIVAL, 0.2, 0.4 },
    { "fan_in", RIVAL, 0.2, 0.4 },
    { "wavefront", RIVAL, 0.2, 0.4 },
    { "random_dag", RIVAL, 0.2, 0.4 },
    { "binary_tree", RIVAL, 0.3, 0.3 },
    { "fib", RIVAL, 0.6, 0.8 },
    { "fib", FEWER_THREADS, 0, 1 / 1.7 },
    { "parallel_for", ALIKE, 0, 0 },
    { "parallel_for", FEWER_THREADS, 0, 0 },
    { "wake", RIVAL, 0, 1.3 },
    { "cancel", RIVAL, 0, 0 },
    { "growth", FEWER_TASKS, 1.3, 1.3 },
    { "oversubscribed", FEWER_THREADS, 0, 1.5 },
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sort a copy: the order of the rounds is needed for the ratios. */
static void sorted(const double *from, double *to)
{
    memcpy(to, from, BENCH_ROUNDS * sizeof *to);
    qsort(to, BENCH_ROUNDS, sizeof *to, compare);
}

static double median(const double *ns)
{
    double order[BENCH_ROUNDS];
    sorted(ns, order);
    return order[BENCH_ROUNDS / 2];
}

static void print_variant(const char *key, const char *variant)
{
    if (variant != NULL) {
        printf(",\"%s\":\"%s\"", key, variant);
    }
}

static void print_case(const struct bench_outcome *o)
{
    const struct bench_case *c = o->which;
    double ns[BENCH_ROUNDS];
    sorted(o->ns, ns);
    printf("{\"bench\":\"%s\",\"system\":\"%s\"", c->name, c->system);
    print_variant("variant", c->variant);
    printf(",\"threads\":%u,\"n\":%" PRIu64 ",\"ns\":%.2f,\"first\":%.2f,\"min\":%.2f,\"max\":%.2f}\n",
           c->threads, c->n, ns[BENCH_ROUNDS / 2], o->first, ns[0], ns[BENCH_ROUNDS - 1]);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_pair(enum pair pair, const struct bench_case *ours, const struct bench_case *other)
{
    bool rival = strcmp(other->system, "tutti") != 0;
    bool variant = is_same(ours->variant, other->variant);
    bool threads = ours->threads == other->threads;
    switch (pair) {
    case RIVAL:
        return rival && threads && ours->n == other->n;
    case ALIKE:
        return rival && threads && ours->n == other->n && variant;
    case FEWER_TASKS:
        return !rival && variant && threads && ours->n > other->n;
    case FEWER_THREADS:
        return !rival && variant && ours->threads > other->threads && ours->n == other->n;
    }
    return false;
}

static void print_ratio(const struct goal *goal, const struct bench_outcome *ours,
                        const struct bench_outcome *other, double others)
{
    const struct bench_case *c = ours->which;
    double ratios[BENCH_ROUNDS];
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        ratios[i] = ours->ns[i] / other->ns[i];
    }
    double ratio = median(ratios);
    printf("{\"bench\":\"%s\"", c->name);
    print_variant("variant", c->variant);
    printf(",\"threads\":%u,\"n\":%" PRIu64 ",\"ratio\":%.3f,\"against\":\"%s\"", c->threads, c->n, ratio,
           other->which->system);
    print_variant("against_variant", other->which->variant);
    if (goal->pair == FEWER_TASKS) {
        printf(",\"against_n\":%" PRIu64, other->which->n);
    } else if (goal->pair == FEWER_THREADS) {
        printf(",\"against_threads\":%u", other->which->threads);
    }
    printf(",\"ns\":%.2f,\"against_ns\":%.2f", median(ours->ns), median(other->ns));
    double at_most = c->threads == 1 ? goal->at_most_one : goal->at_most_more;
    if (at_most > 0) {
        printf(",\"at_most\":%.2f,\"met\":%s", at_most, ratio <= at_most ? "true" : "false");
    }
    printf(",\"others\":%.2f}\n", others);
}

static void print_ratios(const struct goal *goal, const struct bench_outcome *outcomes, unsigned count,
                         double others)
{
    for (unsigned k = 0; k < count; k++) {
        const struct bench_case *ours = outcomes[k].which;
        if (strcmp(ours->system, "tutti") != 0 || strcmp(ours->name, goal->name) != 0) {
            continue;
        }
        for (unsigned i = 0; i < count; i++) {
            const struct bench_case *other = outcomes[i].which;
            if (is_pair(goal->pair, ours, other)) {
                print_ratio(goal, &outcomes[k], &outcomes[i], others);
            }
        }
    }
}

void bench_report(const struct bench_outcome *outcomes, unsigned count, double others)
{
    for (unsigned k = 0; k < count; k++) {
        print_case(&outcomes[k]);
    }
    for (unsigned i = 0; i < sizeof goals / sizeof goals[0]; i++) {
        print_ratios(&goals[i], outcomes, count, others);
    }
    fflush(stdout);
}
