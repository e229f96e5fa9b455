/* SPDX-License-Identifier: MIT */
/*
 * task.h - one execution, which is also the future of its result.
 *
 *      submitter / engine                     who comes after it
 *   +---------------------+   succ   +------+   +------+
 *   | state, fn, edges,   | -------> | edge |-->| edge |--> 0        each edge lives inside the
 *   | argument            |          +------+   +------+             task (or notice) it stands for
 *   +---------------------+
 *
 * Life: WAITING (pending counts the edges left + a guard) -> READY (pending = 0, in a queue) ->
 * RUNNING (STARTED) -> [SUSPENDED] -> settled. A task is settled exactly when `succ` is closed; there
 * is no other mark, so whoever has seen the close has seen status and result. A task that has not
 * started can be settled early by whoever sets CLAIMED; its record then lives until each of its edges
 * has been counted down and it has left its queue: that is the scheduler's reference.
 *
 * Layer: sched. Locks: none; see the protocol in complete.c.
 * Invariant: pushes to `succ` come before the one exchange that closes it; nothing comes after.
 */
#ifndef TUTTI_SCHED_TASK_H
#define TUTTI_SCHED_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "sched/edge.h"
#include "sched/home.h"
#include "tutti.h"

struct tutti__sched;

/* An edge that calls a function. */
struct tutti__notice {
    struct tutti__edge edge; /* first: the edge's address is the notice's */
    /* Called once, on the thread that settles `task`, after it has settled; `task` is valid during the
     * call. It must be short, must not block, and may submit, settle, cancel, ref, unref and post. It
     * owns `notice` again and may free it. */
    void (*fn)(struct tutti__notice *notice, tutti_task *task);
};

/* How a started task learns of a cancellation while it is suspended. */
struct tutti__cancel_hook {
    struct tutti__post post;  /* sent to `home` by the canceller; post.fn set by the owner */
    struct tutti__home *home; /* where the task lives */
    char **reason;            /* the canceller stores its reason here before it posts; NULL: nobody asks */
};

/* ---- references --------------------------------------------------------------------------- */

/* Thread: any; the caller holds a reference. The last one may be dropped anywhere. */
void tutti__task_ref(tutti_task *task);
void tutti__task_unref(tutti_task *task);

/* The scheduler that the task belongs to. */
struct tutti__sched *tutti__sched_of(const tutti_task *task);

/* ---- state -------------------------------------------------------------------------------- */

/* As tutti_task_state, tutti_task_is_done, tutti_task_result and tutti_task_cause. */
enum tutti_task_state tutti__task_state(const tutti_task *task);
bool tutti__task_is_done(const tutti_task *task);
int tutti__task_result(const tutti_task *task, const tutti_value **value);
tutti_task *tutti__task_cause(const tutti_task *task);

/* As tutti_task_cancel. Calls: notices of what it settles; posts the cancel hook. */
int tutti__task_cancel(tutti_task *task);

/* The same with a reason, made by malloc, for the owner of a hook that asks for one: *reason becomes NULL if
 * that has it now. Of several cancellers the one that fires the hook is heard. */
int tutti__task_cancel_for(tutti_task *task, char **reason);

/* As tutti__task_cancel if the task has not started; else nothing happens. Returns: whether it did. */
bool tutti__task_withdraw(tutti_task *task);

/**
 * Was `task`, or one of the running tasks it is a child of, cancelled? Also true while the engine
 * stops.
 *
 * Thread:  the one that runs `task` or is to settle it: only then are its parents sure to be there.
 *          Any other thread is told about `task` itself, by tutti__task_was_cancelled.
 */
bool tutti__task_is_cancelled(const tutti_task *task);

/* Has tutti__task_cancel been called on `task` itself (or has it settled as cancelled)? Thread: any
 * that holds a reference. */
bool tutti__task_was_cancelled(const tutti_task *task);

/* Note that somebody awaits `task`, so that a failure of it has an owner / ask. For layers above whose
 * owners and waiters live on different threads. Thread: any that holds a reference. */
void tutti__task_observe(tutti_task *task);
bool tutti__task_is_observed(const tutti_task *task);

/**
 * As tutti_task_wait. Outside of bodies the creator's thread runs ready tasks meanwhile, also such as
 * have nothing to do with `task`; other threads sleep. A wait that ends early leaves nothing behind.
 *
 * Thread:  any but the loop thread, and workers between tasks.
 * Blocks:  yes, at most timeout_ns; a helper is late by the task it has begun.
 * Returns: TUTTI_OK · TUTTI_ETIMEDOUT · TUTTI_EDEADLK (also on those threads, and in a notice) ·
 *          TUTTI_ECANCELED · TUTTI_EAGAIN.
 */
int tutti__task_wait(tutti_task *task, uint64_t timeout_ns);

/**
 * The usual case of fork and join: if the calling body's newest task is `task`, and nobody has stolen
 * it, run it here and now. Thread: any. Returns: whether it has settled by that.
 */
bool tutti__task_wait_here(tutti_task *task);

/* ---- being told --------------------------------------------------------------------------- */

/**
 * Have notice->fn called when `task` settles. The caller sets `fn` before.
 *
 * Thread:  any that holds a reference on `task`. Memory: `notice` is the engine's until fn is called.
 * Returns: true - armed · false - `task` has settled already, fn will not be called.
 */
bool tutti__task_notify(tutti_task *task, struct tutti__notice *notice);

/**
 * Arm the hook that a canceller of this task fires; at most one at a time. For tasks that have started
 * (a plain promise that is cancelled settles at once: use a notice to learn of it).
 *
 * Thread:  the one that runs `task` or will settle it. Memory: `hook` is the engine's until it is
 *          taken back or its post has run. Take it back before settling or returning from the body.
 * Returns: true - armed · false - the task is cancelled already, the hook is not stored.
 */
bool tutti__task_set_cancel_hook(tutti_task *task, struct tutti__cancel_hook *hook);

/**
 * Take the hook back.
 * Thread:  as set.
 * Returns: true - it will not fire · false - a canceller has it: its post arrives at hook->home.
 */
bool tutti__task_take_cancel_hook(tutti_task *task, struct tutti__cancel_hook *hook);

/* ---- promises ----------------------------------------------------------------------------- */

/**
 * As tutti_promise_settle: a promise, or a task whose body returned or is about to return
 * TUTTI_TASK_SUSPEND (then the task ends when both have happened, and what the body returned is
 * not looked at).
 *
 * Thread:  any. Memory: takes *value whatever the outcome; it is nil afterwards.
 * Returns: TUTTI_OK · TUTTI_ESETTLED · TUTTI_EINVAL (status is positive, or a task that has not
 *          started).
 * Calls:   notices, on this thread. A settle from within a notice is done when the notice has
 *          returned, so a long chain of them does not recurse.
 */
int tutti__promise_settle(tutti_task *task, int status, tutti_value *value);

/**
 * Let a promise count as started: from now on cancelling it only sets the flag and fires the hook,
 * until tutti__promise_settle. (A Lua task that waits is a plain promise; when it first runs it is
 * started.) Idempotent.
 *
 * Thread:  any that holds a reference; together with settle, one at a time.
 * Returns: true - started · false - it was cancelled or settled before.
 */
bool tutti__promise_start(tutti_task *task);

#endif
