/* SPDX-License-Identifier: MIT */
/*
 * edge.h - the list of what comes after a task: pushed to by anybody, closed once.
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

#include "sched/task.h"

#define TUTTI__EDGE_CLOSED ((struct tutti__edge *)(uintptr_t)2)

typedef TUTTI_ATOMIC(struct tutti__edge *) tutti__edge_head;

/**
 * Push `edge`.
 * Returns: false if the list is closed; then what was written before the close is seen here.
 */
static inline bool tutti__edge_push(tutti__edge_head *head, struct tutti__edge *edge)
{
    /* acquire, also when the exchange fails: what comes back may be CLOSED, and then the caller looks
     * at status and result, written before tutti__edge_close. */
    struct tutti__edge *old = TUTTI_LOAD(head, acquire);
    do {
        if (old == TUTTI__EDGE_CLOSED) {
            return false;
        }
        edge->next = old;
        /* release: hands the edge, and the task it is part of, to the closer. acq_rel because the
         * order of a failure may not be stronger than that of a success. */
    } while (!TUTTI_CAS_WEAK(head, &old, edge, acq_rel, acquire));
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
static inline struct tutti__edge *tutti__edge_close(tutti__edge_head *head)
{
    return TUTTI_EXCHANGE(head, TUTTI__EDGE_CLOSED, seq_cst);
}

#endif
