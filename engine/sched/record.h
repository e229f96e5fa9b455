/* SPDX-License-Identifier: MIT */
/*
 * record.h - the layout of a task, and what its flag words mean. Only for engine/sched.
 *
 *   0   line of all: what submit, run and settle of a plain task touch
 *         succ, pending, refs, flags, fn | edge 0 | edge 1, arg, status, edge_count
 *   64  line of few: children, queues other than the deque, cancellation
 *         parent, link, children
 *   88  the argument's drop function
 *   96  with EXTRA: name, links of the scope's list (32 bytes); then, with INLINE, the copy of
 *       arg_bytes, aligned to 16
 *   ..  edges from the third on (all of them, and wide ones, in a record above 4 KiB)
 *
 * A task that one thread makes and another runs costs one line each way: the second one is written and
 * read only by what needs it, and not even initialised. With two edges and 32 bytes of argument a
 * record is 128 bytes.
 *
 * The edges and fn are dead once the body has ended: each edge was counted down before. So the result,
 * 24 bytes, takes their place, and never touches the argument, which a suspended body may still read.
 *
 * Layer: sched. Locks: none.
 */
#ifndef TUTTI_SCHED_RECORD_H
#define TUTTI_SCHED_RECORD_H

#include "base/assert.h"
#include "base/limits.h"
#include "sched/edge.h"
#include "sched/slab.h"
#include "sched/task.h"

struct tutti_task {
    /* [any] the newest edge, or CLOSED: see edge.h. Its close is what "settled" means. */
    tutti__edge_head succ;
    /* [any] low half: edges left (and what submit still holds back); above: PENDING_* */
    TUTTI_ATOMIC(uint64_t) pending;
    /* [any] handles + 1 of the scheduler while the record is waiting, queued, running or suspended */
    TUTTI_ATOMIC(uint32_t) refs;
    TUTTI_ATOMIC(uint32_t) flags; /* [who makes, runs or settles it, one at a time] RECORD_* */
    union {
        struct {
            tutti_task_fn fn;              /* [const until the body has ended] */
            struct tutti__edge edges[2];   /* [as edge.h] not in a record with wide ones */
        } start;
        tutti_value result; /* [who settles it; any after the close] with RECORD_RESULT */
    } u;
    void *arg;           /* [const] without RECORD_INLINE */
    TUTTI_SHARED(int32_t) status; /* [who settles it; any after the close] */
    uint32_t edge_count; /* [const] */

    struct tutti_task *parent; /* [const] with RECORD_PARENT; valid until this task has settled */
    /* [any] in turn: next in a queue · cancel hook of a suspended task · next in a list of a wave ·
     * the cause (a reference) of a skipped one. Not initialised, but odd only while it is a hook. */
    TUTTI_ATOMIC(void *) link;
    /* [any] children that were made - children that have ended; see tutti__leave_to_children. Set to 0
     * before the first child is made. */
    TUTTI_ATOMIC(uint32_t) children;
    uint32_t unused;
};
_Static_assert(offsetof(struct tutti_task, parent) == 64, "the first line is what every task needs");
_Static_assert(sizeof(struct tutti_task) == 88, "the argument's copy begins at 96");

/* In a list of a scope's members. */
struct tutti__member {
    struct tutti__member *next; /* [the list's lock] */
    struct tutti__member **at;  /* [the list's lock] what points to this one */
};

/* What few tasks have. */
struct tutti__extra {
    const char *name;            /* [const] with RECORD_NAME: handed to the hooks */
    struct tutti__member member; /* with RECORD_MEMBER: see scope.c */
    uint32_t shard;              /* [const] which of the scope's lists */
    uint32_t unused;
};

/* How an edge of a record above the classes of narrow edges finds its task. */
struct tutti__wide_edge {
    struct tutti__edge edge; /* first */
    tutti_task *to;          /* [const] */
};

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
#define TUTTI__PENDING_CHILDREN (UINT64_C(1) << 43) /* with RETURNED: the body made some */

/* The low bits of `flags` are those of enum tutti_task_flags. */
#define TUTTI__RECORD_API 0x3fu
#define TUTTI__RECORD_LIVE (1u << 8)    /* this is a record: set last, cleared when it is freed */
#define TUTTI__RECORD_INLINE (1u << 9)  /* the argument is in the record */
#define TUTTI__RECORD_DROP (1u << 10)   /* the argument's drop function is still to be called */
#define TUTTI__RECORD_RESULT (1u << 11) /* there is a result */
#define TUTTI__RECORD_LATE (1u << 12)   /* was cancelled before it began to join its children */
#define TUTTI__RECORD_PROMISE (1u << 13) /* has no body: what is in `u.start` means nothing */
#define TUTTI__RECORD_PARENT (1u << 14) /* is a child of `parent` */
#define TUTTI__RECORD_EXTRA (1u << 15)  /* has a struct tutti__extra; the argument lies behind it */
#define TUTTI__RECORD_HIGH (1u << 16)   /* TUTTI_PRIORITY_HIGH */
#define TUTTI__RECORD_LOW (1u << 17)    /* TUTTI_PRIORITY_LOW */
#define TUTTI__RECORD_NAME (1u << 18)   /* EXTRA, and the name in it is valid */
#define TUTTI__RECORD_MEMBER (1u << 19) /* EXTRA and PARENT; `parent` is the anchor of a scope */

/* With any of these a ready task goes elsewhere than to the deque or feed of who made it ready. */
#define TUTTI__RECORD_ELSEWHERE                                                                    \
    (TUTTI_NO_HELP | TUTTI_BLOCKING | TUTTI_PIN_LOOP | TUTTI__RECORD_HIGH | TUTTI__RECORD_LOW)

typedef void (*tutti__drop_fn)(void *arg);

enum {
    TUTTI__RECORD_DROP_OFFSET = 88,
    TUTTI__RECORD_ARG_OFFSET = 96,
    TUTTI__RECORD_SMALL = 128, /* bytes of the smallest record */
};
_Static_assert(TUTTI__RECORD_ARG_OFFSET + sizeof(struct tutti__extra) == TUTTI__RECORD_SMALL,
               "a task without a copied argument can have extras for nothing");

static inline uint32_t tutti__record_flags(const tutti_task *task)
{
    /* relaxed: who may look at a flag has come to the record through an acquire. */
    return TUTTI_LOAD(&task->flags, relaxed);
}

static inline void tutti__record_set_flags(tutti_task *task, uint32_t flags)
{
    TUTTI_STORE(&task->flags, flags, relaxed); /* as above; one thread writes at a time */
}

static inline tutti_task *tutti__record_parent(const tutti_task *task)
{
    return (tutti__record_flags(task) & TUTTI__RECORD_PARENT) != 0 ? task->parent : NULL;
}

static inline void *tutti__record_at(tutti_task *task, size_t offset)
{
    return (char *)task + offset;
}

static inline tutti__drop_fn *tutti__record_drop(tutti_task *task)
{
    return (tutti__drop_fn *)tutti__record_at(task, TUTTI__RECORD_DROP_OFFSET);
}

static inline struct tutti__extra *tutti__record_extra(tutti_task *task)
{
    return (struct tutti__extra *)tutti__record_at(task, TUTTI__RECORD_ARG_OFFSET);
}

/* Where the copy of an argument lies. */
static inline size_t tutti__record_arg_offset(uint32_t flags)
{
    bool extra = (flags & TUTTI__RECORD_EXTRA) != 0;
    return TUTTI__RECORD_ARG_OFFSET + (extra ? sizeof(struct tutti__extra) : 0);
}

/* What the body gets. */
static inline void *tutti__record_arg(tutti_task *task, uint32_t flags)
{
    return (flags & TUTTI__RECORD_INLINE) != 0
               ? tutti__record_at(task, tutti__record_arg_offset(flags))
               : task->arg;
}

/* The task whose edge `link` leads to; not of a notice. */
static inline tutti_task *tutti__link_task(tutti__link link)
{
    uint32_t kind = tutti__link_kind(link);
    if (TUTTI_LIKELY(kind <= TUTTI__EDGE_NARROW_MAX)) {
        return (tutti_task *)(link & ~(((tutti__link)128 << kind) - 1));
    }
    return ((struct tutti__wide_edge *)tutti__link_edge(link))->to;
}

#endif
