/* SPDX-License-Identifier: MIT */
/*
 * fence.c - see fence.h.
 *
 * Layer: base. Locks: none.
 */
#include "base/fence.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

bool tutti__fence_is_asymmetric;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static void ask_system(void)
{
    long commands = membarrier(MEMBARRIER_CMD_QUERY);
    tutti__fence_is_asymmetric =
        commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void tutti__fence_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask_system);
}

void tutti__fence_heavy(void)
{
    if (!tutti__fence_is_asymmetric) {
        TUTTI_FENCE(seq_cst);
        return;
    }
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
        /* A child made by fork has not registered yet. */
        TUTTI_ALWAYS(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0);
        TUTTI_ALWAYS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0);
    }
}
