/* SPDX-License-Identifier: MIT */
/*
 * signal.c - see signal.h. libuv has the handler and the pipe; here is what was there before.
 *
 * Layer: io. Thread: the loop's. Locks: none.
 * Invariant: the old disposition comes back exactly once, at unwatch.
 */
#include "io/signal.h"

#include <signal.h>

#include <uv.h>

#include "base/alloc.h"

struct tutti__signal_watch {
    uv_signal_t handle;            /* first */
    struct sigaction before;
    const tutti_allocator *memory; /* [const] */
    void (*fn)(int number, void *user);
    void *user;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct tutti__signal_watch *watch = (struct tutti__signal_watch *)handle;
    watch->fn(number, watch->user);
}

static void free_watch(uv_handle_t *handle)
{
    struct tutti__signal_watch *watch = (struct tutti__signal_watch *)handle;
    tutti__memory_free(watch->memory, watch, sizeof *watch);
}

struct tutti__signal_watch *tutti__signal_watch(struct tutti__loop *loop, int number,
                                                void (*fn)(int number, void *user), void *user)
{
    const tutti_allocator *memory = tutti__loop_memory(loop);
    struct tutti__signal_watch *watch =
        tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    watch->memory = memory;
    watch->fn = fn;
    watch->user = user;
    if (sigaction(number, NULL, &watch->before) != 0 ||
        uv_signal_init(tutti__loop_uv(loop), &watch->handle) != 0) {
        tutti__memory_free(memory, watch, sizeof *watch);
        return NULL;
    }
    uv_unref((uv_handle_t *)&watch->handle); /* a loop with nothing else to do is idle */
    if (uv_signal_start(&watch->handle, on_signal, number) != 0) {
        uv_close((uv_handle_t *)&watch->handle, free_watch);
        return NULL;
    }
    return watch;
}

void tutti__signal_unwatch(struct tutti__signal_watch *watch)
{
    int number = watch->handle.signum;
    uv_signal_stop(&watch->handle); /* leaves the default, if nobody else watches it */
    (void)sigaction(number, &watch->before, NULL);
    uv_close((uv_handle_t *)&watch->handle, free_watch);
}
