/* SPDX-License-Identifier: MIT */
/*
 * spares.h - blocks of one size that a Lua state uses again and again: what malloc would give to one
 * thread and take from it for each task.
 *
 * Layer: lua. Thread: the state's home. Locks: none.
 * Invariant: at most TUTTI__SPARES_MAX blocks are kept, none of them once the state has ended.
 */
#ifndef TUTTI_LUA_SPARES_H
#define TUTTI_LUA_SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
enum { TUTTI__SPARES_MAX = 0 }; /* it sees more when blocks are freed */
#else
enum { TUTTI__SPARES_MAX = 1024 };
#endif

struct tutti__spares {
    void *first; /* each begins with a pointer to the next one */
    uint32_t count;
};

/* A block of `size` bytes, always the same for one list, at least that of a pointer; zeroed.
 * Returns: NULL - out of memory. */
void *tutti__spares_take(struct tutti__spares *spares, size_t size);

/* Give a block back. Args: is_over - the state has ended, nothing is kept any more. */
void tutti__spares_give(struct tutti__spares *spares, void *block, bool is_over);

/* Free those that are kept. */
void tutti__spares_drop(struct tutti__spares *spares);

#endif
