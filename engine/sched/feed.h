/* SPDX-License-Identifier: MIT */
/*
 * feed.h - what one thread offers to those that run tasks: first in, first out, taken several at once.
 *
 *      top (takers) --> [ oldest | ... | newest ] <-- bottom (the owner only pushes)
 *
 * A thread that submits much and runs nothing would meet the thieves of a deque at every item: each
 * steal reads the line that the next push writes. Here nobody takes at the bottom, so a taker may move
 * top over many items by one exchange, and reads bottom once for all of them.
 *
 * Layer: sched. Locks: none.
 * Invariant: the items between two values of top belong to the taker whose exchange moved it; a slot is
 * written again only after top has passed it. Indexes are 64 bits and only grow.
 */
#ifndef TUTTI_SCHED_FEED_H
#define TUTTI_SCHED_FEED_H

#include "base/assert.h"
#include "sched/deque.h"

struct tutti__feed {
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(int64_t) top;    /* [any taker] */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(int64_t) bottom; /* [owner writes] */
    int64_t top_seen;                                        /* [owner] top was at least this */
    TUTTI_ATOMIC(struct tutti__ring *) ring;                 /* [owner writes] */
};

/* Returns: false when out of memory. */
bool tutti__feed_init(struct tutti__feed *feed);
/* The same with rings from `memory` (base/alloc.h). */
bool tutti__feed_init_in(struct tutti__feed *feed, const tutti_allocator *memory);
/* Thread: no other uses it. */
void tutti__feed_deinit(struct tutti__feed *feed);
/* Give memory back if the feed is empty. Thread: owner. */
void tutti__feed_trim(struct tutti__feed *feed);
/* Double the ring. Returns: false when out of memory; nothing has changed. */
bool tutti__feed_grow(struct tutti__feed *feed);

/* Offer `item` if there is room for sure. Thread: owner. Returns: false: tutti__feed_push may find some. */
static inline bool tutti__feed_try_push(struct tutti__feed *feed, void *item)
{
    int64_t bottom = TUTTI_LOAD(&feed->bottom, relaxed);         /* only this thread writes it */
    struct tutti__ring *ring = TUTTI_LOAD(&feed->ring, relaxed); /* as above */
    if (TUTTI_UNLIKELY(bottom - feed->top_seen > (int64_t)ring->mask)) {
        return false;
    }
    TUTTI_STORE(&ring->slots[(uint64_t)bottom & ring->mask], item, relaxed); /* published by bottom */
    TUTTI_STORE(&feed->bottom, bottom + 1, release); /* pairs with the acquire in tutti__feed_take */
    return true;
}

/* Offer `item`. Thread: owner. Returns: false when full and out of memory. */
static inline bool tutti__feed_push(struct tutti__feed *feed, void *item)
{
    if (TUTTI_LIKELY(tutti__feed_try_push(feed, item))) {
        return true;
    }
    struct tutti__ring *ring = TUTTI_LOAD(&feed->ring, relaxed);
    int64_t bottom = TUTTI_LOAD(&feed->bottom, relaxed);
    /* acquire pairs with the release in tutti__feed_take: the slots have been read. */
    feed->top_seen = TUTTI_LOAD(&feed->top, acquire);
    if (bottom - feed->top_seen > (int64_t)ring->mask && !tutti__feed_grow(feed)) {
        return false;
    }
    return tutti__feed_try_push(feed, item);
}

/* Does it look empty? A hint; after a fence right as far as pushes go that came before one (idle.h). */
static inline bool tutti__feed_is_empty(const struct tutti__feed *feed)
{
    int64_t bottom = TUTTI_LOAD(&feed->bottom, relaxed);
    return TUTTI_LOAD(&feed->top, relaxed) >= bottom;
}

/**
 * Take the oldest items: at most `limit`, and no more than a `share`-th of what there is, at least one.
 * Thread: any. Returns: how many were stored at `items`; 0 when there is none.
 */
uint32_t tutti__feed_take(struct tutti__feed *feed, void **items, uint32_t limit, uint32_t share);

#endif
