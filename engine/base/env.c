/* SPDX-License-Identifier: MIT */
/*
 * env.c - the environment that asks the operating system.
 *
 * Layer: base. Locks: none.
 */
#include "base/env.h"

#include <stddef.h>
#include <sys/random.h>

#include "base/clock.h"

static uint64_t os_now_ns(void *user)
{
    (void)user;
    return tutti__clock_now_ns();
}

static uint64_t os_random(void *user)
{
    (void)user;
    uint64_t bits = 0;
    /* Eight bytes come whole or not at all; early in boot the clock has to do. */
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) {
        uint64_t state = tutti__clock_now_ns();
        bits = tutti__rng_next(&state);
    }
    return bits;
}

const struct tutti__env *tutti__env_default(void)
{
    static const struct tutti__env env = {
        .user = NULL,
        .now_ns = os_now_ns,
        .random = os_random,
        .choose = NULL,
        .process_start = NULL,
        .rest = NULL,
        .one_thread = false,
    };
    return &env;
}
