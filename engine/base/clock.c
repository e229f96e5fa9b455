/* SPDX-License-Identifier: MIT */
/*
 * clock.c - see clock.h.
 *
 * Layer: base. Locks: none.
 */
#include "base/clock.h"

#include <time.h>

#include "base/limits.h"

uint64_t tutti__clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TUTTI_NS_PER_S + (uint64_t)now.tv_nsec;
}
