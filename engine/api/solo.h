/* SPDX-License-Identifier: MIT */
/*
 * solo.h - an engine for tests: one thread, a virtual clock, chance and order from a seed.
 *
 *   until? -> a few tasks of the pool, its home (in whatever order) -> round of the loop -> until? ...
 *
 * It is the same engine with the table of base/virtual.h. Its creator is the loop thread and the pool.
 * What lives on "the worker" (a Lua state with suspended coroutines) has a home of its own here, beside
 * the loop's, so that the two need not know of each other.
 *
 * Layer: api. Thread: the creator, who is the loop thread. Locks: none.
 */
#ifndef TUTTI_API_SOLO_H
#define TUTTI_API_SOLO_H

#include "base/virtual.h"
#include "sched/help.h"
#include "sched/home.h"
#include "tutti.h"

struct tutti__solo {
    struct tutti__virtual world;
    struct tutti__home home;   /* of the pool */
    tutti_engine *engine;      /* [const] */
    tutti_engine *outer;       /* [const] whose natives it knows; NULL: none */
};

/**
 * Make such an engine: TUTTI_LOOP_CALLER, no workers.
 * Args:    outer - NULL, or an engine that lives longer.
 * Returns: as tutti_engine_new.
 */
int tutti__solo_new(tutti_engine **out, uint64_t seed, tutti_engine *outer);

/* Is nothing of the pool ready, and nothing posted to its home? */
bool tutti__solo_is_quiet(struct tutti__solo *solo);

/* Run some of what is ready on the pool. Returns: as tutti__help. */
enum tutti__help_end tutti__solo_turn(struct tutti__solo *solo);

/* The loop may sleep / it does not: be there for who posts to the pool's home. Begin returns: false:
 * something has been posted, it must not sleep. */
bool tutti__solo_sleep_begin(struct tutti__solo *solo);
void tutti__solo_sleep_end(struct tutti__solo *solo);

#endif
