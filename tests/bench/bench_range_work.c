/* SPDX-License-Identifier: MIT */
/*
 * bench_range_work.c - the work of parallel_for and its proof, compiled once for all systems.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_range.h"

uint64_t *range_new(uint64_t n)
{
    uint64_t *out = malloc(n * sizeof *out);
    if (out == NULL) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    memset(out, 0xff, n * sizeof *out);
    return out;
}

static uint64_t light_of(uint64_t i)
{
    return 3 * i + 1;
}

static uint64_t heavy_of(uint64_t i)
{
    return bench_work(i + 1);
}

void range_light(uint64_t *out, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        out[i] = light_of(i);
    }
}

void range_heavy(uint64_t *out, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        out[i] = heavy_of(i);
    }
}

bool range_is_right(const uint64_t *out, uint64_t n, bool is_heavy)
{
    bool right = true;
    for (uint64_t i = 0; i < n; i++) {
        right &= out[i] == (is_heavy ? heavy_of(i) : light_of(i));
    }
    return right;
}
