/* SPDX-License-Identifier: MIT */
/*
 * futex.h - sleep until a word changes; and the parker, a word that one thread sleeps on.
 *
 * Layer: base. Locks: none.
 * Invariant: a wake that comes before the sleep is not lost: it is remembered in the word.
 */
#ifndef TUTTI_BASE_FUTEX_H
#define TUTTI_BASE_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/**
 * Sleep while `*word` is `expected`, until woken or until `deadline_ns` of CLOCK_MONOTONIC.
 * Blocks:  yes. Args: deadline_ns - UINT64_MAX = no limit.
 * Returns: false if the deadline has passed; true else, also for no reason at all.
 */
bool tutti__futex_wait(TUTTI_ATOMIC(uint32_t) *word, uint32_t expected, uint64_t deadline_ns);

/* Wake up to `count` threads that sleep on `word`. Only the address is used: the word may be gone. */
void tutti__futex_wake(TUTTI_ATOMIC(uint32_t) *word, uint32_t count);

/* Where one thread sleeps. All zero is ready for use. */
struct tutti__parker {
    TUTTI_ATOMIC(uint32_t) word; /* [any] 0 = empty, 1 = a wake is stored, 2 = its thread sleeps */
};

/**
 * Sleep until a wake is stored, and take it.
 * Thread:  the parker's own. Blocks: yes, until the deadline.
 * Returns: true - a wake was taken · false - the deadline has passed, none is stored.
 * Order:   everything before the wake happens before this returns true.
 */
bool tutti__parker_wait(struct tutti__parker *parker, uint64_t deadline_ns);

/* Forget a stored wake. Thread: the parker's own. */
void tutti__parker_clear(struct tutti__parker *parker);

/* Store a wake. Thread: any. Returns: true if tutti__futex_wake(&parker->word, 1) must follow; that
 * call may come after the parker is gone. */
bool tutti__parker_set(struct tutti__parker *parker);

/* Store a wake and wake the sleeper. Thread: any. */
void tutti__parker_wake(struct tutti__parker *parker);

#endif
