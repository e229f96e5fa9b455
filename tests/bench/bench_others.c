/* SPDX-License-Identifier: MIT */
/*
 * bench_others.c - how much of the machine other programs used meanwhile: figures from a machine where that
 * is much say little.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench_report.h"

/* The first line of /proc/stat, in ticks of all CPUs: user nice system idle iowait irq softirq steal. */
enum { FIELDS = 8, IDLE = 3, IOWAIT = 4 };

struct bench_machine bench_machine_now(void)
{
    struct bench_machine now = { 0, 0, 0 };
    unsigned long long ticks[FIELDS] = { 0 };
    FILE *file = fopen("/proc/stat", "r");
    int found = 0;
    if (file != NULL) {
        found = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
                       &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
        fclose(file);
    }
    if (found != FIELDS) {
        return now;
    }
    double hertz = (double)sysconf(_SC_CLK_TCK);
    for (int i = 0; i < FIELDS; i++) {
        now.total_s += (double)ticks[i] / hertz;
        now.busy_s += i == IDLE || i == IOWAIT ? 0 : (double)ticks[i] / hertz;
    }
    struct timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    now.own_s = (double)own.tv_sec + (double)own.tv_nsec / 1e9;
    return now;
}

double bench_others_since(const struct bench_machine *begin)
{
    struct bench_machine now = bench_machine_now();
    double total = now.total_s - begin->total_s;
    double others = now.busy_s - begin->busy_s - (now.own_s - begin->own_s);
    return total <= 0 || others < 0 ? 0 : others / total;
}
