/* SPDX-License-Identifier: MIT */
/*
 * spares.c - see spares.h.
 *
 * Layer: lua. Thread: the state's home. Locks: none.
 */
#include "lua/spares.h"

#include <stdlib.h>
#include <string.h>

void *tutti__spares_take(struct tutti__spares *spares, size_t size)
{
    void *block = spares->first;
    if (block == NULL)
        return calloc(1, size);
    memcpy(&spares->first, block, sizeof spares->first);
    spares->count--;
    memset(block, 0, size);
    return block;
}

void tutti__spares_give(struct tutti__spares *spares, void *block, bool is_over)
{
    if (is_over || spares->count == TUTTI__SPARES_MAX) {
        free(block);
        return;
    }
    memcpy(block, &spares->first, sizeof spares->first);
    spares->first = block;
    spares->count++;
}

void tutti__spares_drop(struct tutti__spares *spares)
{
    while (spares->first != NULL) {
        void *block = spares->first;
        memcpy(&spares->first, block, sizeof spares->first);
        free(block);
    }
    spares->count = 0;
}
