/* SPDX-License-Identifier: MIT */
/*
 * spare.h - threads that stand in for workers whose bodies wait.
 *
 * The pool has a fixed number of slots. A worker in a body that must sleep lends its slot to a spare, a
 * thread that is a worker in every respect; when it goes on there is one thread too many, and the first
 * spare that comes by gives its slot back and rests. A spare that rests still serves its home, for Lua
 * coroutines that were suspended on it cannot move. Spares are made on demand and kept.
 *
 *   made -> has a slot  <->  rests          (it may also wait in a body of its own, without a slot)
 *
 * Layer: sched. Locks: spares.mu, a leaf.
 * Invariant: active is the number of pool threads with a slot. It is 0 at no time, so what is ready is
 * run by somebody: who would make it 0 is refused.
 */
#ifndef TUTTI_SCHED_SPARE_H
#define TUTTI_SCHED_SPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/limits.h"
#include "base/thread.h"

struct tutti__sched;
struct tutti__thread;

struct tutti__spares {
    struct tutti__mutex mu;
    uint32_t wanted;                   /* [const once set] slots */
    uint32_t active;                   /* [mu] */
    struct tutti__thread *resting;     /* [mu] linked by spare_next */
    struct tutti__thread *blank;       /* [mu] contexts whose thread could not be started */
    TUTTI_ATOMIC(uint32_t) surplus;    /* [mu writes; spares read] active - wanted, if that is more */
    TUTTI_ATOMIC(uint32_t) count;      /* [mu writes; any reads] of `all` */
    TUTTI_ATOMIC(struct tutti__thread *) all[TUTTI_SPARES_MAX]; /* [mu writes; any reads] */
};

void tutti__spares_init(struct tutti__spares *spares);
/* Thread: before any worker runs. Args: slots - threads of the pool; 0: the creator's place is one. */
void tutti__spares_set(struct tutti__spares *spares, uint32_t slots);
void tutti__spares_deinit(struct tutti__spares *spares);

/**
 * The calling thread, in a body, is about to sleep: see to it that another one takes its slot. A pair
 * with tutti__slot_take. Threads that have no slot lend nothing; those of TUTTI_BLOCKING tasks leave
 * theirs to another extra thread.
 *
 * Returns: TUTTI_OK · TUTTI_EAGAIN: no thread can be had, and nobody would be left to run what this
 *          one waits for.
 */
int tutti__slot_lend(struct tutti__thread *thread);

/* As tutti__slot_lend, for a worker that is stuck and cannot do it itself. Thread: any, but `thread` is in
 * a body and takes its slot back afterwards. Returns: whether it had one, and another thread has it now. */
bool tutti__slot_replace(struct tutti__thread *thread);

/* It goes on. */
void tutti__slot_take(struct tutti__thread *thread);

/* Is there one thread too many? A hint. Thread: a spare. */
bool tutti__spare_is_surplus(struct tutti__thread *spare);

/* Give the slot back if there is one thread too many. Thread: a spare between tasks. */
bool tutti__spare_give_back(struct tutti__thread *spare);

/* Wake all of them to see the end, or a trim. / Wait for their threads. Thread: the creator. */
void tutti__spares_wake(struct tutti__sched *sched);
void tutti__spares_join(struct tutti__sched *sched);

/* Spares that have a slot or wait in a body. */
uint32_t tutti__spares_standing(struct tutti__sched *sched);

#endif
