/* SPDX-License-Identifier: MIT */
/*
 * trim.c - giving unused memory back: of the scheduler here and now, of the loop on its thread.
 *
 * Layer: api. Locks: none of its own.
 * Invariant: trim_post is in the loop's inbox only while is_trim_posted is 1.
 */
#include <stddef.h>

#include "api/engine.h"

static void trim_loop(tutti_engine *e)
{
    tutti__loop_trim(e->loop);
}

/* Thread: the loop's. */
static void on_trim_post(struct tutti__post *post)
{
    tutti_engine *e =
        (tutti_engine *)(void *)((char *)post - offsetof(struct tutti_engine, trim_post));
    /* release pairs with the exchange below: the inbox is done with the post. */
    TUTTI_STORE(&e->is_trim_posted, 0, release);
    trim_loop(e);
    tutti__sched_trim_here(e->sched); /* what the loop's thread holds of the scheduler's */
}

TUTTI_API int tutti_trim(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    if (tutti__engine_on_loop(e)) {
        trim_loop(e);
    } else if (TUTTI_EXCHANGE(&e->is_trim_posted, 1, acquire) == 0) {
        e->trim_post.fn = on_trim_post;
        tutti__home_post(tutti__loop_home(e->loop), &e->trim_post);
    }
    tutti__sched_trim(e->sched);
    return TUTTI_OK;
}
