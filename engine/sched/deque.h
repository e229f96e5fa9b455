/* SPDX-License-Identifier: MIT */
/*
 * deque.h - work of one thread: the owner pushes and takes at the bottom, thieves steal at the top.
 *
 *      top (thieves) --> [ oldest | ... | newest ] <-- bottom (owner)
 *
 * The algorithm is Chase and Lev's with the memory orders of Le, Pop, Cohen and Nardelli (PPoPP 2013).
 * The indexes are 64 bits and only grow (bottom dips by one during a take), so they never repeat. A
 * ring that has become too small is replaced by one of twice the size; thieves may still read the old
 * one, so it is kept until the deque is gone: all of them together are as large as the newest.
 *
 * Layer: sched. Locks: none.
 * Invariant: an item is handed out by exactly one of: a take above top, or the exchange that moves top
 * past it.
 */
#ifndef TUTTI_SCHED_DEQUE_H
#define TUTTI_SCHED_DEQUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/limits.h"
#include "tutti.h"

struct tutti__ring {
    struct tutti__ring *older; /* [owner] replaced by this one */
    const tutti_allocator *memory; /* [const] where it is from */
    uint64_t mask;             /* [const] slots - 1 */
    TUTTI_ATOMIC(void *) slots[];
};

struct tutti__deque {
    /* [any] Thieves' line. Read by the owner only when the ring looks full, or nearly empty. */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(int64_t) top;
    /* [owner writes] The owner's line. */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(int64_t) bottom;
    int64_t top_seen;                        /* [owner] top was at least this */
    TUTTI_ATOMIC(struct tutti__ring *) ring; /* [owner writes] */
    bool is_private;                         /* [const] nobody ever steals: a take needs no fence */
};

/* A ring of `slots` (a power of two); with its older ones freed by tutti__ring_free. NULL: no memory. */
struct tutti__ring *tutti__ring_new(const tutti_allocator *memory, uint64_t slots);
void tutti__ring_free(struct tutti__ring *ring);
/* Give the memory behind all slots of large rings back, but keep the addresses: who still reads there
 * finds anything. A host's allocator cannot do that; such rings stay as they are. Thread: the owner, while
 * its queue is empty: then top has passed whatever a thief may have seen, and its exchange will fail. */
void tutti__ring_discard(struct tutti__ring *ring);
/* One of twice the size with the items top..bottom-1; keeps `old`. NULL when out of memory. */
struct tutti__ring *tutti__ring_grown(struct tutti__ring *old, int64_t top, int64_t bottom);

/* Returns: false when out of memory. */
bool tutti__deque_init(struct tutti__deque *deque);
/* The same with rings from `memory` (base/alloc.h). */
bool tutti__deque_init_in(struct tutti__deque *deque, const tutti_allocator *memory);

/* Thread: no other uses the deque any more. */
void tutti__deque_deinit(struct tutti__deque *deque);

/* Give memory back if the deque is empty. Thread: owner. */
void tutti__deque_trim(struct tutti__deque *deque);

/* Double the ring. Returns: false when out of memory; the deque is unchanged. */
bool tutti__deque_grow(struct tutti__deque *deque);

/* Push `item` if there is room for sure. Thread: owner. Returns: false: tutti__deque_push may find some. */
static inline bool tutti__deque_try_push(struct tutti__deque *deque, void *item)
{
    int64_t bottom = TUTTI_LOAD(&deque->bottom, relaxed); /* as in tutti__deque_push */
    struct tutti__ring *ring = TUTTI_LOAD(&deque->ring, relaxed);
    if (TUTTI_UNLIKELY(bottom - deque->top_seen > (int64_t)ring->mask)) {
        return false;
    }
    TUTTI_STORE(&ring->slots[(uint64_t)bottom & ring->mask], item, relaxed); /* published by bottom */
    TUTTI_STORE(&deque->bottom, bottom + 1, release); /* pairs with the acquire in tutti__deque_steal */
    return true;
}

/* Push `item` at the bottom. Thread: owner. Returns: false when full and out of memory. */
static inline bool tutti__deque_push(struct tutti__deque *deque, void *item)
{
    if (TUTTI_LIKELY(tutti__deque_try_push(deque, item))) {
        return true;
    }
    int64_t bottom = TUTTI_LOAD(&deque->bottom, relaxed); /* only this thread writes it */
    struct tutti__ring *ring = TUTTI_LOAD(&deque->ring, relaxed); /* as above */
    /* acquire: a slot is written again only after the thief that emptied it has read it. */
    deque->top_seen = TUTTI_LOAD(&deque->top, acquire);
    if (bottom - deque->top_seen > (int64_t)ring->mask && !tutti__deque_grow(deque)) {
        return false;
    }
    return tutti__deque_try_push(deque, item);
}

/* Take the newest item. Thread: owner. Returns: NULL when there is none. */
static inline void *tutti__deque_take(struct tutti__deque *deque)
{
    int64_t bottom = TUTTI_LOAD(&deque->bottom, relaxed) - 1;
    /* top only grows: what looks empty now is empty, and costs no fence. */
    if (TUTTI_LOAD(&deque->top, relaxed) > bottom) {
        return NULL;
    }
    struct tutti__ring *ring = TUTTI_LOAD(&deque->ring, relaxed);
    /* release, as every store of bottom: a thief that reads any of them sees the slots below it. */
    TUTTI_STORE(&deque->bottom, bottom, release);
    /* Announce, then look: a thief moves top, then looks at bottom (the fence in steal). At least one
     * of the two sees the other, so they cannot both have the last item. */
    if (!deque->is_private) {
        TUTTI_FENCE(seq_cst);
    }
    int64_t top = TUTTI_LOAD(&deque->top, relaxed);
    if (top > bottom) {
        TUTTI_STORE(&deque->bottom, bottom + 1, release);
        return NULL;
    }
    void *item = TUTTI_LOAD(&ring->slots[(uint64_t)bottom & ring->mask], relaxed);
    if (top < bottom) {
        return item; /* thieves cannot reach it: they stop at bottom */
    }
    /* The last one: race the thieves for it. seq_cst orders this exchange with theirs. */
    if (!TUTTI_CAS_STRONG(&deque->top, &top, top + 1, seq_cst, relaxed)) {
        item = NULL;
    }
    TUTTI_STORE(&deque->bottom, bottom + 1, release);
    return item;
}

/* The newest item, for the owner to compare with; it may have been stolen. Thread: owner. */
static inline void *tutti__deque_newest(const struct tutti__deque *deque)
{
    int64_t bottom = TUTTI_LOAD(&deque->bottom, relaxed); /* only this thread writes it */
    if (TUTTI_LOAD(&deque->top, relaxed) >= bottom) {
        return NULL;
    }
    struct tutti__ring *ring = TUTTI_LOAD(&deque->ring, relaxed); /* as bottom */
    return TUTTI_LOAD(&ring->slots[(uint64_t)(bottom - 1) & ring->mask], relaxed);
}

/* Does it look empty? A hint for any thread; exact for the owner, and for others after a fence as far
 * as pushes go that came before one (idle.h). */
static inline bool tutti__deque_is_empty(const struct tutti__deque *deque)
{
    int64_t bottom = TUTTI_LOAD(&deque->bottom, relaxed);
    return TUTTI_LOAD(&deque->top, relaxed) >= bottom;
}

/**
 * Take the oldest item. Thread: any.
 * Returns: NULL when there is none or another thread was faster (then *lost is set).
 */
static inline void *tutti__deque_steal(struct tutti__deque *deque, bool *lost)
{
    /* acquire: not older than what the exchange that made this value had seen. */
    int64_t top = TUTTI_LOAD(&deque->top, acquire);
    TUTTI_FENCE(seq_cst); /* see tutti__deque_take */
    int64_t bottom = TUTTI_LOAD(&deque->bottom, acquire); /* pairs with the stores of bottom */
    if (top >= bottom) {
        return NULL;
    }
    /* acquire: the ring's slots are there. A ring read here is at least as new as bottom. */
    struct tutti__ring *ring = TUTTI_LOAD(&deque->ring, acquire);
    /* Read before the exchange: afterwards the owner may write this slot again. */
    void *item = TUTTI_LOAD(&ring->slots[(uint64_t)top & ring->mask], relaxed);
    if (!TUTTI_CAS_STRONG(&deque->top, &top, top + 1, seq_cst, relaxed)) {
        *lost = true;
        return NULL;
    }
    return item;
}

#endif
