/* SPDX-License-Identifier: MIT */
/*
 * then.c - a function that is called as a task once another one has settled.
 *
 * Layer: api. Locks: none.
 * Invariant: the call, copied into the task, holds a reference on the task it comes after; it goes with
 * the argument.
 */
#include "api/engine.h"

struct then_call {
    tutti_then_fn fn;
    tutti_task *done; /* a reference */
    void *user;
};

static int body_then(tutti_task *self, void *arg, tutti_value *result)
{
    struct then_call *call = arg;
    return call->fn(self, call->done, call->user, result);
}

static void drop_then(void *arg)
{
    tutti__task_unref(((struct then_call *)arg)->done);
}

TUTTI_API int tutti_task_then(tutti_task *t, tutti_then_fn fn, void *user, uint32_t flags,
                              tutti_task **out)
{
    static const uint32_t ALLOWED =
        TUTTI_DETACH | TUTTI_NO_HELP | TUTTI_BLOCKING | TUTTI_PIN_LOOP | TUTTI_NO_LOOP;
    if (t == NULL || fn == NULL || (flags & ~ALLOWED) != 0) {
        return TUTTI_EINVAL;
    }
    if (tutti__task_is_forked(t)) {
        return TUTTI_EFORKED;
    }
    struct then_call call = { .fn = fn, .done = t, .user = user };
    tutti_task_desc desc = { .struct_size = sizeof desc,
                             .fn = body_then,
                             .arg = &call,
                             .arg_bytes = sizeof call,
                             .arg_drop = drop_then,
                             .flags = flags | TUTTI_RUN_ON_SKIP };
    tutti__task_ref(t);
    int rc = tutti__sched_submit(tutti__sched_of(t), &desc, &t, 1, out);
    if (rc != TUTTI_OK) {
        tutti__task_unref(t);
    }
    return rc;
}
