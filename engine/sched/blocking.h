/* SPDX-License-Identifier: MIT */
/*
 * blocking.h - extra threads for what must block in the system (files, process starts).
 *
 * Threads are started when no idle one is left, up to a limit, and end after being idle for some
 * seconds; when the limit is reached jobs queue first in, first out. TUTTI_BLOCKING tasks run on the
 * same threads. Every accepted job's `work` is called exactly once: one that has not begun when the
 * scheduler stops is called with `cancelled` set and must then only clean up.
 *
 * Layer: sched. Locks: `mu`, a leaf lock: no callback runs while it is held.
 */
#ifndef TUTTI_SCHED_BLOCKING_H
#define TUTTI_SCHED_BLOCKING_H

#include "sched/home.h"

struct tutti__block_job {
    struct tutti__block_job *next;               /* [blocking.mu] */
    void (*work)(struct tutti__block_job *job);  /* runs on an extra thread */
    bool cancelled;                              /* [the engine] false, or: stopped before it began */
    struct tutti__post post;                     /* then sent to `home`; not sent if home is NULL */
    struct tutti__home *home;
};

#endif
