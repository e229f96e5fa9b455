/* SPDX-License-Identifier: MIT */
/*
 * seen.h - addresses of Lua objects and variables that a message holds already, and where.
 *
 * Open addressing, linear probing, at most half full; small maps lie inside the struct.
 *
 * Layer: value. Locks: none.
 * Invariant: nothing in the map can be collected while it is in use: the values being encoded lie on
 * the stack and the encoder allocates nothing in Lua (codec.h).
 */
#ifndef TUTTI_VALUE_SEEN_H
#define TUTTI_VALUE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#ifdef TUTTI_HARD
enum { TUTTI__SEEN_FIRST_SLOTS = 4 };
#else
enum { TUTTI__SEEN_FIRST_SLOTS = 32 };
#endif

struct tutti__seen_slot {
    const void *key; /* NULL: free */
    uint32_t offset; /* of the object's tag; for a variable of the function that came first */
    uint32_t number; /* for a variable: which upvalue of that function it is */
};

struct tutti__seen {
    struct tutti__seen_slot *slots; /* NULL until the first lookup */
    uint32_t mask;
    uint32_t count;
    struct tutti__seen_slot first[TUTTI__SEEN_FIRST_SLOTS];
};

void tutti__seen_init(struct tutti__seen *s);
void tutti__seen_deinit(struct tutti__seen *s);

/**
 * Find `key`, or the place for it: then slot->key is NULL and the caller fills the slot and counts
 * it with tutti__seen_add before the next call.
 * Returns: NULL - out of memory. The slot is valid until the next call.
 */
struct tutti__seen_slot *tutti__seen_find(struct tutti__seen *s, const void *key);

/* Fill a free slot that tutti__seen_find has just returned. */
static inline void tutti__seen_add(struct tutti__seen *s, struct tutti__seen_slot *slot,
                                   const void *key, uint32_t offset, uint32_t number)
{
    slot->key = key;
    slot->offset = offset;
    slot->number = number;
    s->count++;
}

#endif
