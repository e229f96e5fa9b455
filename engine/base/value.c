/* SPDX-License-Identifier: MIT */
/*
 * value.c - see value.h.
 *
 * Layer: base. Locks: none.
 */
#include "base/value.h"

#include <string.h>

#include "base/alloc.h"

void tutti__value_free(tutti_value *v)
{
    tutti_value old = tutti__value_move(v); /* nil before drop runs: it may look at `v` again */
    if (old.kind == TUTTI_BYTES) {
        tutti__free(old.as.pointer);
    } else if (old.kind == TUTTI_OPAQUE && old.more.drop != NULL) {
        old.more.drop(old.as.pointer);
    }
}

int tutti__value_bytes(tutti_value *out, const void *data, size_t length)
{
    void *copy = tutti__alloc(length);
    if (copy == NULL) {
        return TUTTI_ENOMEM;
    }
    if (length != 0) {
        memcpy(copy, data, length);
    }
    *out = (tutti_value){ .kind = TUTTI_BYTES, .as.pointer = copy, .more.length = length };
    return TUTTI_OK;
}
