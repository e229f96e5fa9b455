/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - memory for one thread's many small blocks whose sizes are known when they are freed: what a
 * Lua state asks for.
 *
 * Blocks of one size lie side by side in pages of 64 KiB, without heads; whoever frees a block finds its
 * page by the address. Larger ones come from the C library. A page that is empty serves any size again,
 * thirty-two of them that are empty go back to the system.
 *
 *     arena (2 MiB)   page 0   page 1 ...  page 31
 *                     [head][block][block]...
 *
 * Layer: base. Locks: none. Thread: one at a time.
 * Invariant: a heap goes with its last block: whoever uses it need not know when.
 */
#ifndef TUTTI_BASE_BLOCKS_H
#define TUTTI_BASE_BLOCKS_H

#include <stddef.h>

struct tutti__blocks;

/* Make an empty heap with one hold on it. Returns: owned (tutti__blocks_release); NULL - out of memory. */
struct tutti__blocks *tutti__blocks_new(void);

/* Take the hold back. The heap goes now, or with its last block. */
void tutti__blocks_release(struct tutti__blocks *heap);

/**
 * Allocate, move or free, as lua_Alloc says.
 * Args:    user - the heap; ptr - NULL: allocate (old_bytes means nothing); bytes - 0: free ptr.
 * Returns: NULL - freed, or out of memory; then ptr is as it was. Of blocks that shrink only one that
 *          changes from large to small can run out.
 */
void *tutti__blocks_realloc(void *user, void *ptr, size_t old_bytes, size_t bytes);

#endif
