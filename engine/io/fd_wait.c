/* SPDX-License-Identifier: MIT */
/*
 * fd_wait.c - see fd_wait.h.
 *
 *   home ---- arm ----> loop: uv_poll ---- ready ----> over ----> home
 *   home ---- stop ---> loop: closed  ---------------> over ----> home
 *
 * A stop and the readiness may cross. Then the stop is still on its way to the loop, and `over`
 * must not be sent before it has come, or it would find a wait that is gone. `progress` says who
 * was first.
 *
 * Layer: io. Locks: none. Thread: the loop's, but for start and stop.
 */
#include "io/fd_wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include <uv.h>

#include "base/alloc.h"

enum { PROGRESS_WAITING = 0, PROGRESS_STOP_SENT, PROGRESS_OVER };

#define WAIT_OF(ptr, member)                                                                       \
    ((struct tutti__fd_wait *)(void *)((char *)(ptr) - offsetof(struct tutti__fd_wait, member)))

/* The loop's own home needs no post, and gets none once the loop is being closed. */
static void send_over(struct tutti__fd_wait *w)
{
    if (w->home == tutti__loop_home(w->loop)) {
        w->over.fn(&w->over);
    } else {
        tutti__home_post(w->home, &w->over);
    }
}

struct watch {
    uv_poll_t poll; /* first */
    const tutti_allocator *memory; /* [const] the wait may be gone when libuv lets go */
};

static void free_poll(uv_handle_t *handle)
{
    struct watch *watch = (struct watch *)handle;
    tutti__memory_free(watch->memory, watch, sizeof *watch);
}

/* The descriptor may be closed from here on: libuv has taken it out of its epoll set. */
static void end(struct tutti__fd_wait *w, int error)
{
    if (w->poll != NULL) {
        uv_close((uv_handle_t *)w->poll, free_poll);
    }
    w->poll = NULL;
    w->error = error;
    w->is_over = true;
    /* acq_rel: pairs with the exchange in stop; either it sees OVER and sends nothing, or we see
     * that its post is coming. */
    if (w->has_stop_come ||
        TUTTI_EXCHANGE(&w->progress, PROGRESS_OVER, acq_rel) != PROGRESS_STOP_SENT) {
        send_over(w);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows in the read or write that follows */
    (void)events;
    end(poll->data, 0);
}

static void on_arm(struct tutti__post *post)
{
    struct tutti__fd_wait *w = WAIT_OF(post, arm);
    const tutti_allocator *memory = tutti__loop_memory(w->loop);
    struct watch *watch = tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sizeof *watch);
    if (watch == NULL) {
        end(w, ENOMEM);
        return;
    }
    watch->memory = memory;
    uv_poll_t *poll = &watch->poll;
    int rc = uv_poll_init(tutti__loop_uv(w->loop), poll, w->fd);
    if (rc != 0) {
        tutti__memory_free(memory, watch, sizeof *watch);
        end(w, rc == UV_EPERM ? 0 : -rc); /* EPERM: of a kind that epoll takes for always ready */
        return;
    }
    poll->data = w;
    w->poll = poll;
    rc = uv_poll_start(poll, w->events == POLLOUT ? UV_WRITABLE : UV_READABLE, on_ready);
    if (rc != 0) {
        end(w, -rc);
    }
}

/* After on_arm: both are posts of one thread. */
static void on_stop(struct tutti__post *post)
{
    struct tutti__fd_wait *w = WAIT_OF(post, stop);
    w->has_stop_come = true;
    if (w->is_over) {
        send_over(w); /* it was ready a moment before */
    } else {
        end(w, ECANCELED);
    }
}

void tutti__fd_wait_start(struct tutti__loop *loop, struct tutti__fd_wait *w)
{
    w->loop = loop;
    w->arm.fn = on_arm;
    w->stop.fn = on_stop;
    w->poll = NULL;
    w->is_over = false;
    w->has_stop_come = false;
    TUTTI_STORE(&w->progress, PROGRESS_WAITING, relaxed); /* handed over by the post */
    tutti__home_post(tutti__loop_home(loop), &w->arm);
}

void tutti__fd_wait_stop(struct tutti__fd_wait *w)
{
    /* acq_rel: see end. */
    if (TUTTI_EXCHANGE(&w->progress, PROGRESS_STOP_SENT, acq_rel) == PROGRESS_WAITING) {
        tutti__home_post(tutti__loop_home(w->loop), &w->stop);
    }
}
