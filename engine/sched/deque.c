/* SPDX-License-Identifier: MIT */
/*
 * deque.c - the rings of a deque. See deque.h.
 *
 * Layer: sched. Locks: none.
 */
#include "sched/deque.h"

#include "base/alloc.h"
#include "base/assert.h"

/* A large ring has pages of its own, in pieces of this size, which is a multiple of any page size. */
static const size_t ring_piece = 65536;

static size_t ring_bytes(uint64_t slots)
{
    return sizeof(struct tutti__ring) + (size_t)slots * sizeof(TUTTI_ATOMIC(void *));
}

static size_t paged_bytes(uint64_t slots)
{
    return (ring_bytes(slots) + ring_piece - 1) / ring_piece * ring_piece;
}

static bool is_paged(const tutti_allocator *memory, uint64_t slots)
{
    return memory == NULL && ring_bytes(slots) > 2 * ring_piece;
}

struct tutti__ring *tutti__ring_new(const tutti_allocator *memory, uint64_t slots)
{
    /* Zeroed, as pages are: a late thief may read a slot of a grown ring that no item was copied to; its
     * exchange then fails, but what it reads must have a value. */
    struct tutti__ring *ring = (struct tutti__ring *)(
        is_paged(memory, slots) ? tutti__pages_new(ring_piece, paged_bytes(slots))
                                : tutti__memory_zero(memory, TUTTI__ALIGN_ANY, ring_bytes(slots)));
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
        if (is_paged(ring->memory, ring->mask + 1)) {
            tutti__pages_free(ring, paged_bytes(ring->mask + 1));
        } else {
            tutti__memory_free(ring->memory, ring, ring_bytes(ring->mask + 1));
        }
        ring = older;
    }
}

void tutti__ring_discard(struct tutti__ring *ring)
{
    for (; ring != NULL; ring = ring->older) {
        if (is_paged(ring->memory, ring->mask + 1)) { /* its first piece has the header */
            tutti__pages_discard((char *)ring + ring_piece, paged_bytes(ring->mask + 1) - ring_piece);
        }
    }
}

void tutti__deque_trim(struct tutti__deque *deque)
{
    if (tutti__deque_is_empty(deque)) {
        tutti__ring_discard(TUTTI_LOAD(&deque->ring, relaxed)); /* the owner's own */
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
