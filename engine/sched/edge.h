/* SPDX-License-Identifier: MIT */
/*
 * edge.h - the list of what comes after a task: pushed to by anybody, closed once.
 *
 * A link is the address of an edge with a kind in its three low bits. An edge inside a task's record is
 * one word: the kind tells the size of the record, records lie at multiples of their size, so the
 * address leads to the task. Records too large for that have wide edges, which name their task; an edge
 * of the kind NOTICE is part of a struct tutti__notice.
 *
 * Layer: sched. Locks: none.
 * Invariant: all writes to a head are read-modify-writes, so they form one order: pushes, then one
 * close, then nothing. An edge is either in the list that the close returned, or its pusher was told
 * that the list is closed; never both, never neither.
 *
 * No node is ever popped alone, so a head that was taken and pushed again in between does no harm:
 * `next` is set to what the head is at the very moment of the exchange. An edge's memory belongs to
 * its successor, which cannot run (or be freed) before that edge has been counted down.
 */
#ifndef TUTTI_SCHED_EDGE_H
#define TUTTI_SCHED_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/* 0 = the end of a list. */
typedef uintptr_t tutti__link;

struct tutti__edge {
    TUTTI_SHARED(tutti__link) next; /* [pusher, then who closed the list] */
};

/* 0..TUTTI__EDGE_NARROW_MAX: in a record of 128 << kind bytes. */
#define TUTTI__EDGE_NARROW_MAX 5u
#define TUTTI__EDGE_WIDE 6u
#define TUTTI__EDGE_NOTICE 7u
#define TUTTI__EDGE_KIND ((tutti__link)7)

#define TUTTI__EDGE_CLOSED ((tutti__link)1)

typedef TUTTI_ATOMIC(tutti__link) tutti__edge_head;

static inline struct tutti__edge *tutti__link_edge(tutti__link link)
{
    return (struct tutti__edge *)(link & ~TUTTI__EDGE_KIND);
}

static inline uint32_t tutti__link_kind(tutti__link link)
{
    return (uint32_t)(link & TUTTI__EDGE_KIND);
}

/**
 * Push `edge`, which is of that kind.
 * Returns: false if the list is closed; then what was written before the close is seen here.
 */
static inline bool tutti__edge_push(tutti__edge_head *head, struct tutti__edge *edge, uint32_t kind)
{
    /* acquire, also when the exchange fails: what comes back may be CLOSED, and then the caller looks
     * at status and result, written before tutti__edge_close. */
    tutti__link old = TUTTI_LOAD(head, acquire);
    do {
        if (old == TUTTI__EDGE_CLOSED) {
            return false;
        }
        TUTTI_SET(edge->next, old);
        /* release: hands the edge, and the task it is part of, to the closer. acq_rel because the
         * order of a failure may not be stronger than that of a success. */
    } while (!TUTTI_CAS_WEAK(head, &old, (tutti__link)edge | kind, acq_rel, acquire));
    return true;
}

/* Is the list closed? acquire: then status and result may be read. */
static inline bool tutti__edge_is_closed(const tutti__edge_head *head)
{
    return TUTTI_LOAD(head, acquire) == TUTTI__EDGE_CLOSED;
}

/**
 * Close the list: exactly once.
 * Returns: the edges, newest first. Order: seq_cst, because a waiter marks the task and then looks at
 * the list, while the closer closes and then looks for the mark (wait.c).
 */
static inline tutti__link tutti__edge_close(tutti__edge_head *head)
{
    return TUTTI_EXCHANGE(head, TUTTI__EDGE_CLOSED, seq_cst);
}

#endif
