/* SPDX-License-Identifier: MIT */
/*
 * record.h - the layout of a task, and what its flag words mean. Only for engine/sched.
 *
 *   0   header (64 bytes)
 *   64  edges[n], 16 bytes each (at least 24 bytes: later the result lies here)
 *       drop function, if any, right before
 *   ..  the argument: a pointer, or a copy of arg_bytes (aligned to 16)
 *
 * The edges are dead once the task has started: each was counted down before. So the result, 24 bytes,
 * takes their place, and never touches the argument, which a suspended body may still read. With two
 * edges and 32 bytes of argument a record is 128 bytes.
 *
 * Layer: sched. Locks: none.
 */
#ifndef TUTTI_SCHED_RECORD_H
#define TUTTI_SCHED_RECORD_H

#include "base/assert.h"
#include "base/limits.h"
#include "sched/edge.h"
#include "sched/slab.h"

struct tutti_task {
    /* [any] NULL | newest edge | CLOSED: see edge.h. Its close is what "settled" means. */
    TUTTI_ATOMIC(struct tutti__edge *) succ;
    /* [any] low half: edges left (and what submit still holds back); above: PENDING_* */
    TUTTI_ATOMIC(uint64_t) pending;
    /* [any] handles + 1 of the scheduler while the record is waiting, queued, running or suspended */
    TUTTI_ATOMIC(uint32_t) refs;
    /* [any] children that were made - children that have ended; see tutti__wave_body_end */
    TUTTI_ATOMIC(uint32_t) children;
    tutti_task_fn fn;          /* [const] NULL: a promise */
    struct tutti_task *parent; /* [const] valid until this task has settled; NULL: none */
    /* [any] in turn: next in a queue · cancel hook of a suspended task · next in a list of a wave ·
     * the cause (a reference) of a skipped one. */
    TUTTI_ATOMIC(void *) link;
    int32_t status;                /* [who settles it; any after the close] */
    uint32_t edge_count;           /* [const] */
    TUTTI_ATOMIC(uint32_t) flags;  /* [who makes, runs or settles it, one at a time] RECORD_* */
};
_Static_assert(sizeof(struct tutti_task) <= 64, "the header is one cache line");

/* The state in `pending`. */
#define TUTTI__PENDING_EDGES UINT64_C(0xffffffff)
#define TUTTI__PENDING_CLAIMED (UINT64_C(1) << 32) /* somebody settles it early */
#define TUTTI__PENDING_STARTED (UINT64_C(1) << 33) /* its body has begun */
#define TUTTI__PENDING_CANCEL (UINT64_C(1) << 34)  /* cancelled after it had started */
#define TUTTI__PENDING_COUNTED (UINT64_C(1) << 35) /* ... and counted in sched->cancels */
#define TUTTI__PENDING_SETTLING (UINT64_C(1) << 36) /* promise_settle of a started task has won */
#define TUTTI__PENDING_OUTCOME (UINT64_C(1) << 37) /* ... and has stored status and result */
#define TUTTI__PENDING_RETURNED (UINT64_C(1) << 38) /* the body has returned SUSPEND */
#define TUTTI__PENDING_JOINING (UINT64_C(1) << 39) /* the body has ended, children have not */
#define TUTTI__PENDING_CHILD_FAILED (UINT64_C(1) << 40) /* and nobody looked at that child */
#define TUTTI__PENDING_WAITED (UINT64_C(1) << 41)  /* somebody sleeps until it settles (wait.c) */
#define TUTTI__PENDING_OBSERVED (UINT64_C(1) << 42) /* see tutti__task_observe */

/* The low bits of `flags` are those of enum tutti_task_flags. */
#define TUTTI__RECORD_API 0xfu
#define TUTTI__RECORD_LIVE (1u << 8)    /* this is a record: set last, cleared when it is freed */
#define TUTTI__RECORD_INLINE (1u << 9)  /* the argument is in the record */
#define TUTTI__RECORD_DROP (1u << 10)   /* the argument's drop function is still to be called */
#define TUTTI__RECORD_RESULT (1u << 11) /* there is a result */
#define TUTTI__RECORD_LATE (1u << 12)   /* was cancelled before it began to join its children */

typedef void (*tutti__drop_fn)(void *arg);

static inline struct tutti__edge *tutti__record_edges(tutti_task *task)
{
    return (struct tutti__edge *)(void *)((char *)task + 64);
}

static inline tutti_value *tutti__record_result(const tutti_task *task)
{
    return (tutti_value *)(void *)((char *)(uintptr_t)task + 64);
}

/* Where the argument lies in a record with so many edges. */
static inline size_t tutti__record_arg_offset(size_t edges, bool drop)
{
    size_t tail = edges <= 1 ? sizeof(tutti_value) : edges * sizeof(struct tutti__edge);
    return 64 + ((tail + (drop ? sizeof(tutti__drop_fn) : 0) + 15) & ~(size_t)15);
}

static inline uint32_t tutti__record_flags(const tutti_task *task)
{
    /* relaxed: who may look at a flag has come to the record through an acquire. */
    return TUTTI_LOAD(&task->flags, relaxed);
}

static inline void tutti__record_set_flags(tutti_task *task, uint32_t flags)
{
    TUTTI_STORE(&task->flags, flags, relaxed); /* as above; one thread writes at a time */
}

/* What the body gets. */
static inline void *tutti__record_arg(tutti_task *task, uint32_t flags)
{
    char *place = (char *)task + tutti__record_arg_offset(task->edge_count,
                                                          (flags & TUTTI__RECORD_DROP) != 0);
    return (flags & TUTTI__RECORD_INLINE) != 0 ? place : *(void **)(void *)place;
}

#endif
