/* SPDX-License-Identifier: MIT */
/*
 * feed.c - see feed.h. The rings are those of the deque.
 *
 * Layer: sched. Locks: none.
 */
#include "sched/feed.h"

bool tutti__feed_init(struct tutti__feed *feed)
{
    return tutti__feed_init_in(feed, NULL);
}

bool tutti__feed_init_in(struct tutti__feed *feed, const tutti_allocator *memory)
{
    struct tutti__ring *ring = tutti__ring_new(memory, TUTTI_DEQUE_FIRST);
    if (ring == NULL) {
        return false;
    }
    TUTTI_STORE(&feed->top, 0, relaxed); /* not shared yet */
    TUTTI_STORE(&feed->bottom, 0, relaxed);
    TUTTI_STORE(&feed->ring, ring, relaxed);
    feed->top_seen = 0;
    return true;
}

void tutti__feed_deinit(struct tutti__feed *feed)
{
    tutti__ring_free(TUTTI_LOAD(&feed->ring, relaxed));
    TUTTI_STORE(&feed->ring, NULL, relaxed);
}

void tutti__feed_trim(struct tutti__feed *feed)
{
    if (tutti__feed_is_empty(feed)) {
        tutti__ring_discard(TUTTI_LOAD(&feed->ring, relaxed)); /* the owner's own */
    }
}

bool tutti__feed_grow(struct tutti__feed *feed)
{
    struct tutti__ring *ring = tutti__ring_grown(TUTTI_LOAD(&feed->ring, relaxed), feed->top_seen,
                                                 TUTTI_LOAD(&feed->bottom, relaxed));
    if (ring == NULL) {
        return false;
    }
    /* release pairs with the acquire in tutti__feed_take: the copied slots come with it. */
    TUTTI_STORE(&feed->ring, ring, release);
    return true;
}

uint32_t tutti__feed_take(struct tutti__feed *feed, void **items, uint32_t limit, uint32_t share)
{
    int64_t top = TUTTI_LOAD(&feed->top, relaxed); /* only a guess: the exchange decides */
    for (;;) {
        /* acquire: the slots below bottom, and what the items point to. bottom never falls, so it does
         * not matter whether it is newer than top. */
        int64_t bottom = TUTTI_LOAD(&feed->bottom, acquire);
        if (top >= bottom) {
            return 0;
        }
        uint64_t count = ((uint64_t)(bottom - top) + share - 1) / share;
        count = count > limit ? limit : count;
        /* acquire: a ring read after bottom is at least as new, so it has these slots. */
        struct tutti__ring *ring = TUTTI_LOAD(&feed->ring, acquire);
        for (uint64_t i = 0; i < count; i++) { /* before the exchange: afterwards they may be reused */
            items[i] = TUTTI_LOAD(&ring->slots[((uint64_t)top + i) & ring->mask], relaxed);
        }
        /* release: the owner that sees the new top knows that the slots have been read. */
        if (TUTTI_CAS_WEAK(&feed->top, &top, top + (int64_t)count, acq_rel, relaxed)) {
            return (uint32_t)count;
        }
    }
}
