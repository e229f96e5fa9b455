/* SPDX-License-Identifier: MIT */
/*
 * signal.c - see signal.h. On libuv's signal handles, which write to a pipe from their handler.
 *
 * Layer: io. Locks: none.
 * Invariant: the record lives until libuv has let go of the last handle.
 */
#include "io/signal.h"

#include <uv.h>

#include "base/alloc.h"
#include "tutti.h"

struct tutti__signals {
    void (*fn)(void *user, int number);
    void *user;
    size_t open_count; /* handles that libuv has not let go of */
    size_t count;      /* that were started */
    uv_signal_t handles[];
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct tutti__signals *signals = handle->data;
    signals->fn(signals->user, number);
}

static void on_closed(uv_handle_t *handle)
{
    struct tutti__signals *signals = handle->data;
    if (--signals->open_count == 0) {
        tutti__free(signals);
    }
}

/* Returns 0 or a libuv error; the handle is open in both cases. */
static int start(struct tutti__signals *signals, uv_loop_t *uv, int number)
{
    uv_signal_t *handle = &signals->handles[signals->count];
    int rc = uv_signal_init(uv, handle);
    if (rc != 0) {
        return rc;
    }
    handle->data = signals;
    signals->count++;
    signals->open_count++;
    uv_unref((uv_handle_t *)handle);
    return uv_signal_start(handle, on_signal, number);
}

int tutti__signals_new(struct tutti__signals **out, struct tutti__loop *loop, const int *numbers,
                       size_t count, void (*fn)(void *user, int number), void *user)
{
    struct tutti__signals *signals =
        tutti__alloc_zero(1, sizeof *signals + count * sizeof signals->handles[0]);
    if (signals == NULL) {
        return TUTTI_ENOMEM;
    }
    signals->fn = fn;
    signals->user = user;
    for (size_t i = 0; i < count; i++) {
        int rc = start(signals, tutti__loop_uv(loop), numbers[i]);
        if (rc != 0) {
            tutti__signals_free(signals);
            return rc == UV_EINVAL ? TUTTI_EINVAL : TUTTI_ENOMEM;
        }
    }
    *out = signals;
    return TUTTI_OK;
}

void tutti__signals_free(struct tutti__signals *signals)
{
    if (signals->count == 0) {
        tutti__free(signals);
        return;
    }
    for (size_t i = 0; i < signals->count; i++) {
        uv_close((uv_handle_t *)&signals->handles[i], on_closed);
    }
}
