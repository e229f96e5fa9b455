/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the system's monotonic clock.
 *
 * The engine asks its environment (env.h) for the time; this is what the default one answers.
 *
 * Layer: base. Locks: none. Thread: any.
 */
#ifndef TUTTI_BASE_CLOCK_H
#define TUTTI_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t tutti__clock_now_ns(void);

/* `from_ns` + `span_ns`, or UINT64_MAX (= for ever) when that does not fit or span_ns is UINT64_MAX. */
static inline uint64_t tutti__clock_after(uint64_t from_ns, uint64_t span_ns)
{
    return span_ns > UINT64_MAX - from_ns ? UINT64_MAX : from_ns + span_ns;
}

#endif
