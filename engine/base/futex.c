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

#include "base/limits.h"

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
