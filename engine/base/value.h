/* SPDX-License-Identifier: MIT */
/*
 * value.h - what tutti_value owns.
 *
 * Layer: base. Locks: none. Thread: any; one value belongs to one thread at a time.
 */
#ifndef TUTTI_BASE_VALUE_H
#define TUTTI_BASE_VALUE_H

#include "tutti.h"

/* Free what `v` owns and make it nil. Calls: the drop function of an opaque value. */
void tutti__value_free(tutti_value *v);

/* Make a value that owns a copy of data[length]. Returns: TUTTI_OK · TUTTI_ENOMEM. */
int tutti__value_bytes(tutti_value *out, const void *data, size_t length);

/* Move `*v` out: the caller owns the result, `*v` is nil. */
static inline tutti_value tutti__value_move(tutti_value *v)
{
    tutti_value moved = *v;
    *v = (tutti_value){ 0 };
    return moved;
}

#endif
