/* SPDX-License-Identifier: MIT */
/*
 * fork.h - has this process been forked since something was made?
 *
 * A child of fork has the parent's memory but none of its threads: what was made before can only be
 * left alone. Every engine remembers the count at its making; each entry compares.
 *
 * Layer: base. Locks: none.
 * Invariant: the count differs from that of every ancestor process once one has called
 * tutti__fork_watch.
 */
#ifndef TUTTI_BASE_FORK_H
#define TUTTI_BASE_FORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/* How many forks lie between this process and the first that watched. Read it by tutti__fork_count. */
#if defined(__GNUC__)
__attribute__((visibility("hidden"))) /* so that it is read without a detour in a shared library */
#endif
extern TUTTI_ATOMIC(uint32_t) tutti__forks;

/* Begin to count, once for the process. Returns: false when out of memory. */
bool tutti__fork_watch(void);

static inline uint32_t tutti__fork_count(void)
{
    /* relaxed: it is written in a process that has one thread yet. */
    return TUTTI_LOAD(&tutti__forks, relaxed);
}

#endif
