/* SPDX-License-Identifier: MIT */
/*
 * post.c - functions sent to the loop thread, and tasks that a timer settles.
 *
 * Layer: api. Locks: none.
 */
#include "api/engine.h"
#include "base/alloc.h"
#include "io/sleep.h"

struct host_post {
    struct tutti__post post; /* first */
    void (*fn)(void *user);
    void *user;
    const tutti_allocator *memory;
};

static void on_host_post(struct tutti__post *post)
{
    struct host_post call = *(struct host_post *)(void *)post;
    /* Before the call, which may stop a program that counts its leaks. */
    tutti__memory_free(call.memory, post, sizeof call);
    call.fn(call.user);
}

static int post_to_loop(tutti_engine *e, void (*fn)(void *user), void *user,
                        void (*send)(struct tutti__home *home, struct tutti__post *post))
{
    if (e == NULL || fn == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    /* Relaxed: it refuses what comes clearly after the stop; what races with it is still run, for
     * the inbox is drained when the loop closes. */
    if (TUTTI_LOAD(&e->is_stopping, relaxed) != 0) {
        return TUTTI_ESTOPPED;
    }
    struct host_post *call = tutti__memory_alloc(e->memory, TUTTI__ALIGN_ANY, sizeof *call);
    if (call == NULL) {
        return TUTTI_ENOMEM;
    }
    *call = (struct host_post){
        .post.fn = on_host_post, .fn = fn, .user = user, .memory = e->memory
    };
    send(tutti__loop_home(e->loop), &call->post);
    return TUTTI_OK;
}

TUTTI_API int tutti_post(tutti_engine *e, void (*fn)(void *user), void *user)
{
    return post_to_loop(e, fn, user, tutti__home_post);
}

TUTTI_API int tutti_post_urgent(tutti_engine *e, void (*fn)(void *user), void *user)
{
    return post_to_loop(e, fn, user, tutti__home_post_urgent);
}

TUTTI_API int tutti_sleep(tutti_engine *e, uint64_t delay_ns, tutti_task **out)
{
    if (e == NULL || out == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    return tutti__sleep_start(e->sched, e->loop, delay_ns, out);
}

TUTTI_API int tutti_signal_processes(tutti_engine *e, int signal)
{
    if (e == NULL || !tutti__engine_on_loop(e)) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    tutti__processes_signal(e->processes, signal);
    return TUTTI_OK;
}
