/* SPDX-License-Identifier: MIT */
/*
 * nudge.h - a signal to one thread, whose handler arms the hooks of the Lua states there.
 *
 * The signal is SIGURG, which nobody minds getting. The handler is the process's: installed with the
 * first state that is watched, given back with the last. What was not sent by tutti goes on to the
 * handler that stood there before.
 *
 * Layer: sched. Locks: nudge.mu, a leaf.
 */
#ifndef TUTTI_SCHED_NUDGE_H
#define TUTTI_SCHED_NUDGE_H

#include <stdbool.h>

struct tutti__watched;

/* Let the calling thread be nudged for `w`. Returns: false: no handler can be installed. */
bool tutti__nudge_enter(struct tutti__watched *w);

/* No more. Thread: as enter. */
void tutti__nudge_leave(struct tutti__watched *w);

/* Only so far that `w` can be freed: in a child of fork, where the lock may be held for ever. */
void tutti__nudge_unlink(struct tutti__watched *w);

/* Nudge the thread of `w`, which is alive and between enter and leave. Thread: any. */
void tutti__nudge_send(struct tutti__watched *w);

#endif
