/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - memory, with a way to make it run out.
 *
 * Every allocation of the engine goes through here. In a debug build a test can have the n-th one
 * fail; running out of memory is an ordinary failure everywhere.
 *
 * Layer: base. Locks: none. Thread: any.
 */
#ifndef TUTTI_BASE_ALLOC_H
#define TUTTI_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tutti.h"

/* Allocate `bytes`, not zeroed. Memory: returns owned (tutti__free), NULL when out of memory. */
void *tutti__alloc(size_t bytes);

/* Allocate `count` * `bytes`, zeroed; NULL also when the product does not fit. */
void *tutti__alloc_zero(size_t count, size_t bytes);

/* Allocate zeroed memory at a multiple of `align` (a power of two, at least 64). */
void *tutti__alloc_aligned(size_t align, size_t bytes);

/* As realloc: NULL leaves the old block as it was. */
void *tutti__realloc(void *ptr, size_t bytes);

/* Free what any of the above returned; NULL is allowed. */
void tutti__free(void *ptr);

/* What is aligned for any type. */
#define TUTTI__ALIGN_ANY ((size_t)16)

/* Memory of one engine: of its host's allocator, or with `memory` NULL as above. Its size must be known
 * when it is freed. Not zeroed. Args: align - a power of two up to 64 KiB. */
static inline void *tutti__memory_alloc(const tutti_allocator *memory, size_t align, size_t bytes)
{
    if (memory != NULL) {
        return memory->alloc(memory->user, align, bytes);
    }
    return align <= TUTTI__ALIGN_ANY ? tutti__alloc(bytes) : tutti__alloc_aligned(align, bytes);
}

/* The same, zeroed. */
static inline void *tutti__memory_zero(const tutti_allocator *memory, size_t align, size_t bytes)
{
    if (memory == NULL) {
        return align <= TUTTI__ALIGN_ANY ? tutti__alloc_zero(1, bytes)
                                         : tutti__alloc_aligned(align, bytes);
    }
    void *ptr = memory->alloc(memory->user, align, bytes);
    return ptr != NULL ? memset(ptr, 0, bytes) : NULL;
}

/* NULL is allowed. */
static inline void tutti__memory_free(const tutti_allocator *memory, void *ptr, size_t bytes)
{
    if (memory == NULL) {
        tutti__free(ptr);
    } else if (ptr != NULL) {
        memory->free(memory->user, ptr, bytes);
    }
}

/**
 * Map zeroed pages at a multiple of `align`, straight from the system.
 * Args: align, bytes - multiples of the page size. Memory: returns owned (tutti__pages_free).
 */
void *tutti__pages_new(size_t align, size_t bytes);
void tutti__pages_free(void *pages, size_t bytes);

/* Where there are huge pages, as many bytes; pages that lie in them cost less to touch. */
#define TUTTI__HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Ask for huge pages; where the system has none nothing changes. Args: pages - at a multiple of
 * TUTTI__HUGE_PAGE_BYTES; bytes - a multiple of it. */
void tutti__pages_prefer_huge(void *pages, size_t bytes);

/* Give the memory behind the pages back but keep the addresses; they read as zero afterwards. */
void tutti__pages_discard(void *pages, size_t bytes);

/**
 * Make the `nth` allocation from now on fail, once (1 = the next one; 0 = none).
 * Debug builds only; elsewhere it does nothing and returns false.
 * Thread: one test at a time; the count is of the whole process.
 */
int tutti__alloc_fail_nth(uint64_t nth);

/* As tutti__alloc_fail_nth, but all that come after the `nth` fail as well, until the next call. */
int tutti__alloc_fail_from(uint64_t nth);

/* How many have failed so since the last call of one of these; debug builds only, else 0. */
uint64_t tutti__alloc_failed(void);

/* Allocations that are not freed yet; debug builds only, else 0. */
uint64_t tutti__alloc_live(void);

#endif
