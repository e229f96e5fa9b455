/* SPDX-License-Identifier: MIT */
/*
 * seen.c - see seen.h.
 *
 * Layer: value. Locks: none.
 * Invariant: there is always a free slot, so a search ends.
 */
#include "value/seen.h"

#include <string.h>

#include "base/alloc.h"

void tutti__seen_init(struct tutti__seen *s)
{
    s->slots = NULL;
    s->mask = TUTTI__SEEN_FIRST_SLOTS - 1;
    s->count = 0;
}

void tutti__seen_deinit(struct tutti__seen *s)
{
    if (s->slots != s->first) {
        tutti__free(s->slots);
    }
    s->slots = NULL;
}

static struct tutti__seen_slot *probe(struct tutti__seen_slot *slots, uint32_t mask,
                                      const void *key)
{
    uint64_t h = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t i = (uint32_t)(h >> 32) & mask;
    while (slots[i].key != NULL && slots[i].key != key) {
        i = (i + 1) & mask;
    }
    return &slots[i];
}

static bool grow(struct tutti__seen *s)
{
    if (s->mask >= UINT32_MAX / 2) {
        return false;
    }
    uint32_t mask = s->mask * 2 + 1;
    struct tutti__seen_slot *slots = tutti__alloc_zero((size_t)mask + 1, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i <= s->mask; i++) {
        if (s->slots[i].key != NULL) {
            *probe(slots, mask, s->slots[i].key) = s->slots[i];
        }
    }
    tutti__seen_deinit(s);
    s->slots = slots;
    s->mask = mask;
    return true;
}

struct tutti__seen_slot *tutti__seen_find(struct tutti__seen *s, const void *key)
{
    if (s->slots == NULL) {
        memset(s->first, 0, sizeof s->first);
        s->slots = s->first;
    }
    if (s->count > s->mask / 2 && !grow(s)) {
        return NULL;
    }
    return probe(s->slots, s->mask, key);
}
