/* SPDX-License-Identifier: MIT */
/*
 * virtual.h - a world for tests: a clock that jumps, chance and choice from a seed, one thread.
 *
 * The clock stands still while anything runs, and jumps to the next timer when nothing is ready. While
 * something outside is awaited (a child process, a descriptor) nobody can know what comes first: then
 * the loop really sleeps, as long as to the next timer, and the clock jumps if that has passed. So the
 * time that is told never depends on how fast the machine was, only what came first may.
 *
 * Layer: base. Locks: none. Thread: the engine's one thread.
 */
#ifndef TUTTI_BASE_VIRTUAL_H
#define TUTTI_BASE_VIRTUAL_H

#include "base/env.h"

struct tutti__virtual {
    struct tutti__env env;    /* [const] the table; its `user` is this */
    uint64_t now_ns;          /* from 0 */
    uint64_t random;          /* state of the generators */
    uint64_t choices;
    uint64_t waiting_from_ns; /* real time since when something outside is awaited; 0: it is not */
    bool is_stuck;            /* nothing is ready, no timer is armed, nothing outside is awaited */
};

/* Memory: `world` must outlive the engine that gets its table, and must not move. */
void tutti__virtual_init(struct tutti__virtual *world, uint64_t seed);

#endif
