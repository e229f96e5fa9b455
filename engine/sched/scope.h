/* SPDX-License-Identifier: MIT */
/*
 * scope.h - an owner of tasks that is not itself a task.
 *
 *   scope ---- anchor (looks like a task to its members: their parent, with the cancelled mark)
 *     | live: members that have not settled, and who else keeps the scope from being empty
 *     | shards: lists of members, so that a cancel finds them
 *     ` gate: the one who waits for `live` to be 0
 *
 * A member is in a list from its submit until it settles, with a reference of the list's. So a
 * cancel may find one and settle it wherever it waits, and the shortcuts for tasks that nobody else
 * knows (tutti__task_is_sole) do not apply to members. Lists and their locks are sharded by the
 * submitting thread. A member costs two uncontended locks and two counts more than another task.
 *
 * Layer: sched. Locks: scope.mu and the shards', each a leaf; no callback runs under any.
 * Invariant: what was counted into `live` is counted out last of all; who counts out the last one
 * does it under scope.mu, so who then has that lock and finds 0 may free the scope.
 */
#ifndef TUTTI_SCHED_SCOPE_H
#define TUTTI_SCHED_SCOPE_H

#include "sched/sched.h"

struct tutti__wave;

/* Lies on the stack of the thread that waits for a scope to be empty. */
struct tutti__scope_gate {
    tutti_task *task;   /* [const] a promise that is settled when it is; a reference */
    tutti_task *failed; /* [scope.mu] once `is_open`: the first that failed, a reference, or NULL */
    int rc;             /* [scope.mu] once `is_open`: TUTTI_OK · EFAILED · ECANCELED */
    bool is_open;       /* [scope.mu] the outcome has been given */
};

/* As tutti_scope_new. */
int tutti__scope_new(struct tutti__sched *sched, uint32_t flags, tutti_scope **out);

/* As tutti_scope_free. */
int tutti__scope_free(tutti_scope *scope);

/* Free what has not been freed when the scheduler is. Thread: nobody uses it. */
void tutti__scopes_free_all(struct tutti__sched *sched);

struct tutti__sched *tutti__scope_sched(const tutti_scope *scope);

/* As tutti_scope_cancel. */
void tutti__scope_cancel(tutti_scope *scope);

size_t tutti__scope_count(const tutti_scope *scope);
size_t tutti__scope_failures(const tutti_scope *scope);

/* Is the running task, or one it is a child of, a member? */
bool tutti__scope_is_inside(const tutti_scope *scope);

/**
 * Ask for the outcome: at once if the scope is empty, else when it is, by settling gate->task.
 * Args:    gate - all zero but `task`, which may be NULL: then nothing is left behind.
 * Returns: TUTTI_OK (gate->is_open) · TUTTI_EPENDING · TUTTI_EINVAL (somebody else waits).
 */
int tutti__scope_ask(tutti_scope *scope, struct tutti__scope_gate *gate);

/* Stop asking, if the outcome has not been given meanwhile. */
void tutti__scope_withdraw(tutti_scope *scope, struct tutti__scope_gate *gate);

/* ---- for submit.c and complete.c ---------------------------------------------------------- */

/* Count a member to be in. Returns: TUTTI_OK · TUTTI_ECANCELED. */
int tutti__scope_enter(tutti_scope *scope);

/* Take that back. */
void tutti__scope_leave(tutti_scope *scope);

/* What is to be stored as the parent of a member. */
tutti_task *tutti__scope_anchor(tutti_scope *scope);

/**
 * Put a record into a list, with one of its references. Thread: who makes `task`; nobody knows it yet.
 * Returns: false: the scope has been cancelled; nothing has changed.
 */
bool tutti__scope_link(struct tutti__thread *thread, tutti_task *task);

/* A member has settled: take it out, drop the list's reference, count it out. */
void tutti__scope_tell(struct tutti__wave *wave, tutti_task *task);

/* Cancel the members of the scopes in which one has failed: wave->scopes. */
void tutti__scopes_fail(struct tutti__wave *wave);

#endif
