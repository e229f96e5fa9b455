/* SPDX-License-Identifier: MIT */
/*
 * trim.c - giving unused memory back.
 *
 * Layer: api. Locks: none of its own.
 */
#include "api/engine.h"

TUTTI_API int tutti_trim(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    tutti__sched_trim(e->sched);
    return TUTTI_OK;
}
