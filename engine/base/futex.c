/* SPDX-License-Identifier: MIT */
/*
 * futex.c - Linux's futex, without a library in between: what is slept on is our own word.
 *
 * Layer: base. Locks: none.
 */
#include "base/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

enum parker_state { PARKER_EMPTY = 0, PARKER_SET = 1, PARKER_SLEEPS = 2 };

bool tutti__futex_wait(TUTTI_ATOMIC(uint32_t) *word, uint32_t expected, uint64_t deadline_ns)
{
    struct timespec until;
    struct timespec *limit = NULL;
    if (deadline_ns != UINT64_MAX) {
        until.tv_sec = (time_t)(deadline_ns / TUTTI_NS_PER_S);
        until.tv_nsec = (long)(deadline_ns % TUTTI_NS_PER_S);
        limit = &until;
    }
    /* The BITSET form takes an absolute time, so a signal does not stretch the wait. */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, limit, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    return rc == 0 || errno != ETIMEDOUT;
}

void tutti__futex_wake(TUTTI_ATOMIC(uint32_t) *word, uint32_t count)
{
    int limit = count > INT_MAX ? INT_MAX : (int)count;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, limit, NULL, NULL, 0);
}

bool tutti__parker_wait(struct tutti__parker *parker, uint64_t deadline_ns)
{
    for (;;) {
        /* acquire pairs with the release in tutti__parker_set. */
        uint32_t old = PARKER_SET;
        if (TUTTI_CAS_STRONG(&parker->word, &old, PARKER_EMPTY, acquire, acquire)) {
            return true;
        }
        if (deadline_ns != UINT64_MAX && tutti__clock_now_ns() >= deadline_ns) {
            /* A setter may have seen SLEEPS from an earlier round; leave EMPTY unless it was first. */
            return TUTTI_EXCHANGE(&parker->word, PARKER_EMPTY, acquire) == PARKER_SET;
        }
        if (old == PARKER_EMPTY &&
            !TUTTI_CAS_STRONG(&parker->word, &old, PARKER_SLEEPS, relaxed, relaxed)) {
            continue; /* set in between */
        }
        tutti__futex_wait(&parker->word, PARKER_SLEEPS, deadline_ns);
    }
}

void tutti__parker_clear(struct tutti__parker *parker)
{
    TUTTI_EXCHANGE(&parker->word, PARKER_EMPTY, acquire);
}

bool tutti__parker_set(struct tutti__parker *parker)
{
    /* release: what was written before is seen by the thread that takes the wake. */
    return TUTTI_EXCHANGE(&parker->word, PARKER_SET, release) == PARKER_SLEEPS;
}

void tutti__parker_wake(struct tutti__parker *parker)
{
    if (tutti__parker_set(parker)) {
        tutti__futex_wake(&parker->word, 1);
    }
}
