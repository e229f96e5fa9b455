/* SPDX-License-Identifier: MIT */
/*
 * signal.h - a signal of the process, told on the loop's thread.
 *
 * Layer: io. Thread: the loop's.
 */
#ifndef TUTTI_IO_SIGNAL_H
#define TUTTI_IO_SIGNAL_H

#include "io/loop.h"

struct tutti__signal_watch;

/**
 * Have fn(number, user) called on the loop's thread each time the signal arrives, instead of what
 * the process did with it.
 *
 * Memory:  returns owned (tutti__signal_unwatch, before the loop is closed); NULL: no memory, or
 *          nobody can watch this signal.
 */
struct tutti__signal_watch *tutti__signal_watch(struct tutti__loop *loop, int number,
                                                void (*fn)(int number, void *user), void *user);

/* End that: the process does with the signal what it did before. May be called by fn. */
void tutti__signal_unwatch(struct tutti__signal_watch *watch);

#endif
