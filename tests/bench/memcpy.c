/* SPDX-License-Identifier: MIT */
/*
 * memcpy.c - the limit for values.lua: a bare memcpy of 1 MiB, from and to memory that is there.
 *
 * Prints one JSON line: the best of 20 rounds, in CPU time. See README.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 1 << 20, ROUNDS = 20, EACH = 20 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
    char *from = malloc(BYTES);
    char *to = malloc(BYTES);
    double best = 1e18;
    if (from == NULL || to == NULL)
        return 1;
    memset(from, 'x', BYTES);
    memset(to, 'y', BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < EACH; i++) {
            memcpy(to, from, BYTES);
            __asm__ volatile("" : : "r"(to) : "memory"); /* each copy is wanted */
        }
        double ns = (now_ns() - begin) / EACH;
        best = ns < best ? ns : best;
    }
    printf("{\"bench\":\"values\",\"system\":\"memcpy\",\"case\":\"string 1 MiB\",\"ns\":%.1f}\n", best);
    free(from);
    free(to);
    return 0;
}
