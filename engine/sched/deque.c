/* SPDX-License-Identifier: MIT */
/*
 * deque.c - the rings of a deque. See deque.h.
 *
 * Layer: sched. Locks: none.
 */
#include "sched/deque.h"

#include "base/alloc.h"
#include "base/assert.h"

static size_t ring_bytes(uint64_t slots)
{
    return sizeof(struct tutti__ring) + (size_t)slots * sizeof(TUTTI_ATOMIC(void *));
}

struct tutti__ring *tutti__ring_new(const tutti_allocator *memory, uint64_t slots)
{
    /* Zeroed: a late thief may read a slot of a grown ring that no item was copied to; its exchange then
     * fails, but what it reads must have a value. */
    struct tutti__ring *ring =
        (struct tutti__ring *)tutti__memory_zero(memory, TUTTI__ALIGN_ANY, ring_bytes(slots));
    if (ring != NULL) {
        ring->older = NULL;
        ring->memory = memory;
        ring->mask = slots - 1;
    }
    return ring;
}

void tutti__ring_free(struct tutti__ring *ring)
{
    while (ring != NULL) {
        struct tutti__ring *older = ring->older;
        tutti__memory_free(ring->memory, ring, ring_bytes(ring->mask + 1));
        ring = older;
    }
}

struct tutti__ring *tutti__ring_grown(struct tutti__ring *old, int64_t top, int64_t bottom)
{
    TUTTI_ASSERT(bottom - top <= (int64_t)old->mask + 1);
    struct tutti__ring *ring = tutti__ring_new(old->memory, (old->mask + 1) * 2);
    if (ring == NULL) {
        return NULL;
    }
    ring->older = old;
    for (int64_t i = top; i < bottom; i++) {
        void *item = TUTTI_LOAD(&old->slots[(uint64_t)i & old->mask], relaxed);
        TUTTI_STORE(&ring->slots[(uint64_t)i & ring->mask], item, relaxed);
    }
    return ring;
}

bool tutti__deque_init(struct tutti__deque *deque)
{
    return tutti__deque_init_in(deque, NULL);
}

bool tutti__deque_init_in(struct tutti__deque *deque, const tutti_allocator *memory)
{
    struct tutti__ring *ring = tutti__ring_new(memory, TUTTI_DEQUE_FIRST);
    if (ring == NULL) {
        return false;
    }
    TUTTI_STORE(&deque->top, 0, relaxed); /* not shared yet */
    TUTTI_STORE(&deque->bottom, 0, relaxed);
    TUTTI_STORE(&deque->ring, ring, relaxed);
    deque->top_seen = 0;
    deque->is_private = false;
    return true;
}

void tutti__deque_deinit(struct tutti__deque *deque)
{
    tutti__ring_free(TUTTI_LOAD(&deque->ring, relaxed));
    TUTTI_STORE(&deque->ring, NULL, relaxed);
}

bool tutti__deque_grow(struct tutti__deque *deque)
{
    struct tutti__ring *ring = tutti__ring_grown(TUTTI_LOAD(&deque->ring, relaxed), deque->top_seen,
                                                 TUTTI_LOAD(&deque->bottom, relaxed));
    if (ring == NULL) {
        return false;
    }
    /* release pairs with the acquire of ring in steal: the copied slots come with it. */
    TUTTI_STORE(&deque->ring, ring, release);
    return true;
}
