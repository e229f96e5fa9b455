/* SPDX-License-Identifier: MIT */
/*
 * fd_wait.h - one wait for a descriptor that costs no thread, for homes that have no poller of
 * their own: it is armed and watched on the loop, and its end is posted to whichever home wanted
 * it.
 *
 * Layer: io. Locks: none.
 * Invariant: `over` is sent exactly once, and after it the loop does not touch the wait any more.
 */
#ifndef TUTTI_IO_FD_WAIT_H
#define TUTTI_IO_FD_WAIT_H

#include <stdbool.h>

#include "base/atomic.h"
#include "io/loop.h"
#include "sched/home.h"

/* Embedded in what waits. All zero, then the first four are set by the caller. */
struct tutti__fd_wait {
    int fd;                          /* open until `over` has run */
    short events;                    /* POLLIN or POLLOUT */
    struct tutti__home *home;
    struct tutti__post over;         /* its fn runs at `home` */
    int error;                       /* at `over`: 0 ready · ECANCELED stopped · another errno */
    struct tutti__post arm;
    struct tutti__post stop;
    struct tutti__loop *loop;
    void *poll;                      /* [loop] a uv_poll_t of its own while it is watched */
    bool is_over;                    /* [loop] */
    bool has_stop_come;              /* [loop] */
    TUTTI_ATOMIC(uint32_t) progress; /* [home and loop] who was first: see fd_wait.c */
};

/**
 * Begin to wait.
 * Thread: that of w->home. Memory: `w` is the loop's until `over` runs.
 */
void tutti__fd_wait_start(struct tutti__loop *loop, struct tutti__fd_wait *w);

/* Have it end now. Thread: that of w->home, before `over` has run, at most once. */
void tutti__fd_wait_stop(struct tutti__fd_wait *w);

#endif
