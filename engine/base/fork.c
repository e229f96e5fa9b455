/* SPDX-License-Identifier: MIT */
/*
 * fork.c - see fork.h.
 *
 * Layer: base. Locks: none.
 */
#include "base/fork.h"

#include <pthread.h>

TUTTI_ATOMIC(uint32_t) tutti__forks;

static bool is_watched;

/* Thread: the only one of the child. */
static void on_child(void)
{
    TUTTI_FETCH_ADD(&tutti__forks, 1, relaxed); /* see tutti__fork_count */
}

static void watch(void)
{
    is_watched = pthread_atfork(NULL, NULL, on_child) == 0;
}

bool tutti__fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
    return is_watched;
}
