/* SPDX-License-Identifier: MIT */
/*
 * spread.h - numbered steps that this thread and workers do together, each once.
 *
 * Layer: api. Locks: none.
 */
#ifndef TUTTI_API_SPREAD_H
#define TUTTI_API_SPREAD_H

#include <stdint.h>

#include "tutti.h"

/* More steps than this are not counted safely: a counter that many add to must not run over. */
#define TUTTI__SPREAD_STEPS_MAX (UINT64_C(1) << 62)

struct tutti__spread {
    /* Do one step. Returns: TUTTI_OK, or what ends the whole: no more steps are begun. */
    int (*step)(void *user, uint64_t number);
    void *user;     /* borrowed while a step runs */
    uint64_t count; /* steps 0..count-1; at most TUTTI__SPREAD_STEPS_MAX */
};

/**
 * Do all steps. The caller takes part in the order of their numbers, as everybody does, and then waits
 * for steps that others have begun.
 *
 * A step on another thread runs inside a task of its own, which is nobody's child: what it submits
 * belongs to that task, and what the caller's own steps submit belongs to the calling task.
 *
 * Thread:  any. Blocks: yes, until all steps that were begun have ended.
 * Returns: TUTTI_OK · the first status that a step returned · TUTTI_ECANCELED (the calling task has been
 *          cancelled and some steps were left out).
 * Calls:   step. Order: everything before the call happens before each step, each step before the return.
 */
int tutti__spread(tutti_engine *e, const struct tutti__spread *work);

#endif
