/* SPDX-License-Identifier: MIT */
/*
 * sched.h - the scheduler: a pool of workers and the graph they run. What the layers above call.
 *
 * Layer: sched. Locks: see engine/README.md; no callback runs under any of them.
 */
#ifndef TUTTI_SCHED_SCHED_H
#define TUTTI_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "sched/blocking.h"
#include "sched/home.h"
#include "sched/task.h"
#include "tutti.h"

struct tutti__sched;
struct tutti__watchdog;
struct tutti__thread; /* what one thread has in one engine */

struct tutti__sched_config {
    uint32_t workers; /* threads of the pool, at most TUTTI_WORKERS_MAX. 0 = none: only the creator
                         runs tasks, while it waits, and NO_HELP tasks never run, unless the
                         table says that the creator is the one thread there is */
    uint64_t seed;    /* of the steal order; 0 = from env->random */
    const struct tutti__env *env; /* NULL = tutti__env_default(); must outlive the scheduler */
    const tutti_allocator *memory; /* NULL = the C library's; must outlive the scheduler */
    void *user;                   /* see tutti__sched_user */
    /* Called on a worker's thread when it stops, with its slot if that is not NULL. After it, what is
     * still posted to that worker's home is run by the thread that stops the scheduler, so that it can
     * free itself. May be NULL. */
    void (*worker_stop)(void *user, void *slot);
    size_t stack_bytes;       /* of each thread: base/thread.h */
    const tutti_hooks *hooks; /* NULL = none; must outlive the scheduler */
    uint32_t preempt;         /* enum tutti_preempt: see watchdog.h */
};

/* ---- life --------------------------------------------------------------------------------- */

/**
 * Make a scheduler and start its workers. The calling thread becomes its creator.
 *
 * Returns: TUTTI_OK (with fewer workers if the system gives no more; see tutti__sched_workers) ·
 *          TUTTI_EINVAL · TUTTI_ENOMEM · TUTTI_EAGAIN (not one of the workers asked for).
 */
int tutti__sched_new(struct tutti__sched **out, const struct tutti__sched_config *config);

/**
 * Close the intake: from now on submit and promise_new give TUTTI_ESTOPPED, and tasks that have not
 * started are settled as cancelled when a worker comes to them. Idempotent. Thread: any.
 */
void tutti__sched_close(struct tutti__sched *sched);

/**
 * Close, then settle everything: what has not started and promises settle as cancelled; suspended
 * tasks are cancelled (one with a cancel hook is left to its home to settle, one without settles as
 * cancelled); running bodies are waited for; blocking jobs that have not started are cancelled. Then
 * the workers stop and are joined. Afterwards every call but submit and promise_new (TUTTI_ESTOPPED)
 * still works. Idempotent.
 *
 * The loop thread, if it has one of its own, may be alive (then it gets the posts of cancel hooks and
 * must go on serving them until this returns), or must have called tutti__sched_leave_loop. If the
 * caller is the loop thread, its inbox is drained here, but no loop runs: cancel what needs the loop
 * before.
 *
 * Thread:  the creator, outside tasks. Other threads may be inside any call meanwhile.
 * Blocks:  yes, until the running bodies have returned, at most until deadline_ns.
 * Returns: TUTTI_OK · TUTTI_ETIMEDOUT: some have not; the intake stays closed, and it can be called
 *          again.
 * Calls:   notices and drops, on this thread or a worker.
 */
int tutti__sched_stop(struct tutti__sched *sched, uint64_t deadline_ns);

/* Stop if that has not been done, then free. Thread: the creator; no other thread is inside a call or
 * makes one any more; task handles have been released. */
void tutti__sched_free(struct tutti__sched *sched);

/* ---- tasks -------------------------------------------------------------------------------- */

/**
 * As tutti_submit. From inside a task's body the new task is its child, unless TUTTI_DETACH.
 *
 * A parent fails with TUTTI_EFAILED if its own body succeeded and a child failed that nobody looks
 * at: it had no handle, no successor and no notice when it settled.
 *
 * Args:    desc - a smaller struct_size of an older header is understood.
 * Returns: TUTTI_OK · TUTTI_EINVAL (no fn, an unknown flag or priority, flags that exclude each other,
 *          struct_size, a task or scope of another engine, or nobody could run it) · TUTTI_ENOMEM ·
 *          TUTTI_ESTOPPED · TUTTI_ECANCELED (its scope has been cancelled).
 */
int tutti__sched_submit(struct tutti__sched *sched, const tutti_task_desc *desc,
                        tutti_task *const *after, size_t after_count, tutti_task **out);

/* As tutti_promise_new. A promise has no parent. */
int tutti__sched_promise_new(struct tutti__sched *sched, tutti_task **out);

/**
 * Make a task that is suspended from the start, as if its body had returned TUTTI_TASK_SUSPEND: unlike a
 * promise, cancelling it only sets the flag and fires the cancel hook; who made it settles it. No parent.
 */
int tutti__sched_suspended_new(struct tutti__sched *sched, tutti_task **out);

/* As tutti_wait_idle; the creator's thread runs tasks meanwhile. */
int tutti__sched_wait_idle(struct tutti__sched *sched);

/* As tutti_run_until, for a creator that is not the loop thread. */
int tutti__sched_run_until(struct tutti__sched *sched, bool (*pred)(void *user), void *user);

/* The process that may use it: base/fork.h. */
uint32_t tutti__sched_fork_count(const struct tutti__sched *sched);

/* Is no task waiting, ready, running or suspended at this moment? Thread: any. */
bool tutti__sched_is_idle(struct tutti__sched *sched);

/* Is any task ready that a thread of the pool, or who helps, could take? As a hint. Thread: any. */
bool tutti__sched_any_ready(struct tutti__sched *sched);

/* Is there a record that somebody still has a reference to? Thread: the creator, while
 * no other allocates. */
bool tutti__sched_has_records(struct tutti__sched *sched);

/**
 * Have `post` sent to `home` when the scheduler is next idle. One such post at a time.
 *
 * Thread:  the loop's. Memory: `post` is the engine's until its fn is called.
 * Returns: true - armed · false - it is idle now, nothing will be posted.
 */
bool tutti__sched_notify_idle(struct tutti__sched *sched, struct tutti__post *post,
                              struct tutti__home *home);

/* Fill the fields of tutti_stats behind struct_size. */
void tutti__sched_stats(struct tutti__sched *sched, tutti_stats *out);

/**
 * Give free memory of records and queues back: what this thread and threads that have ended hold, now;
 * what a worker holds, when it next sleeps. (A foreign thread that is alive keeps its own.)
 * Thread: any. Blocks: lock (bounded).
 */
void tutti__sched_trim(struct tutti__sched *sched);

/* Only what the calling thread holds. */
void tutti__sched_trim_here(struct tutti__sched *sched);

uint32_t tutti__sched_workers(const struct tutti__sched *sched);
/* How long it pays to spin before a sleep; 0 on one CPU. */
uint32_t tutti__sched_spin_ns(const struct tutti__sched *sched);
const tutti_allocator *tutti__sched_memory(const struct tutti__sched *sched);
void *tutti__sched_user(const struct tutti__sched *sched);
const struct tutti__env *tutti__sched_env(const struct tutti__sched *sched);

/* The one that watches the Lua states of this scheduler's threads. */
struct tutti__watchdog *tutti__sched_watchdog(struct tutti__sched *sched);

/* ---- threads ------------------------------------------------------------------------------ */

/* What the calling thread has in `sched`: workers, the creator, the adopted loop thread, and threads
 * that have submitted have something; NULL else. Valid on this thread while the scheduler lives. */
struct tutti__thread *tutti__thread_here(struct tutti__sched *sched);

/* Is it one of the pool's? */
bool tutti__thread_is_worker(const struct tutti__thread *thread);

/* Its home: of workers and the loop thread; NULL on others. */
struct tutti__home *tutti__thread_home(struct tutti__thread *thread);

/* One pointer for the layer above, NULL at first. Thread: that thread only. */
void **tutti__thread_slot(struct tutti__thread *thread);

/* The task whose body the thread is in; NULL outside. */
tutti_task *tutti__thread_running(struct tutti__thread *thread);

/**
 * Make the calling thread the loop thread, at home in `home`: tutti__thread_here gives it a context
 * with that home. The creator may be the loop thread too. The home's owner drains it.
 * Memory:  `home` must stay until the scheduler is freed (what is posted to it late is not run).
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_EINVAL (there is a loop thread already).
 */
int tutti__sched_adopt_loop(struct tutti__sched *sched, struct tutti__home *home);

/* End that. Thread: the loop thread. Afterwards no hook of this home is fired any more by
 * tutti__sched_stop: what is suspended there settles as cancelled without it. */
void tutti__sched_leave_loop(struct tutti__sched *sched);

/* ---- blocking ----------------------------------------------------------------------------- */

/* As described in sched/blocking.h. Thread: any. Memory: `job` is the engine's until work has run and,
 * with a home, its post has. Returns: TUTTI_OK · TUTTI_ESTOPPED · TUTTI_EAGAIN (no thread runs and none
 * can be started); on an error `work` is not called. */
int tutti__blocking_submit(struct tutti__sched *sched, struct tutti__block_job *job);

#endif
