/* SPDX-License-Identifier: MIT */
/*
 * poll.c - the loop of TUTTI_LOOP_CALLER in small pieces, for hosts with frames or a loop of their own.
 *
 * Layer: api. Locks: none.
 */
#include "api/engine.h"

/* May the calling thread do a piece of the loop's work now? */
static int check_loop(tutti_engine *e)
{
    if (e == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    if (e->has_own_loop || !tutti__engine_on_loop(e)) {
        return TUTTI_EINVAL;
    }
    return tutti__engine_may_run(e) ? TUTTI_OK : TUTTI_EDEADLK;
}

TUTTI_API int tutti_poll(tutti_engine *e, uint64_t budget_ns)
{
    bool more = false;
    int rc = check_loop(e);
    if (rc != TUTTI_OK) {
        return rc;
    }
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    rc = tutti__loop_poll(e->loop, budget_ns, &more);
    return rc == TUTTI_OK && more ? TUTTI_EAGAIN : rc;
}

TUTTI_API int tutti_backend_fd(tutti_engine *e)
{
    return check_loop(e) == TUTTI_OK ? tutti__loop_backend_fd(e->loop) : -1;
}

TUTTI_API int tutti_backend_timeout(tutti_engine *e, uint64_t *timeout_ns)
{
    int rc = timeout_ns == NULL ? TUTTI_EINVAL : check_loop(e);
    if (rc != TUTTI_OK) {
        return rc;
    }
    TUTTI_STORE(&e->has_run, 1, relaxed); /* see tutti_task_wait */
    *timeout_ns = tutti__loop_prepare_sleep(e->loop);
    return TUTTI_OK;
}
