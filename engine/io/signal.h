/* SPDX-License-Identifier: MIT */
/*
 * signal.h - signals told to the loop thread. Only programs ask for it (`tutti run`, the prompt):
 * the library changes no disposition by itself.
 *
 * Layer: io. Thread: the loop's.
 */
#ifndef TUTTI_IO_SIGNAL_H
#define TUTTI_IO_SIGNAL_H

#include <stddef.h>

#include "io/loop.h"

struct tutti__signals;

/**
 * From now on `fn(user, number)` is called on the loop thread for each arrival of one of
 * `numbers[count]`; several arrivals before the loop comes round may be told as one. The watching
 * does not keep the loop from being quiet (tutti__loop_is_quiet).
 *
 * Memory:  returns owned (tutti__signals_free).
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_EINVAL (a signal that cannot be caught): none is
 *          watched.
 */
int tutti__signals_new(struct tutti__signals **out, struct tutti__loop *loop, const int *numbers,
                       size_t count, void (*fn)(void *user, int number), void *user);

/* Stop watching: the default dispositions are back when this returns, unless other loops watch
 * too. */
void tutti__signals_free(struct tutti__signals *signals);

#endif
