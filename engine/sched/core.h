/* SPDX-License-Identifier: MIT */
/*
 * core.h - the scheduler's own structures and the functions its files share.
 *
 * Reading order: record.h (a task), complete.c (what happens when one ends), submit.c, worker.c (where
 * tasks come from), idle.h (sleeping), stop.c (the end).
 *
 * Layer: sched. Locks: sched.mu (lists of threads) > idle.mu, store.mu, strict.mu, levels.mu,
 * pinned.mu, scope.mu, shard.mu (of a scope), lot.mu, blocking.mu: these are leaves.
 */
#ifndef TUTTI_SCHED_CORE_H
#define TUTTI_SCHED_CORE_H

#include <pthread.h>

#include "base/env.h"
#include "base/fence.h"
#include "base/futex.h"
#include "base/thread.h"
#include "sched/deque.h"
#include "sched/feed.h"
#include "sched/idle.h"
#include "sched/lot.h"
#include "sched/pinned.h"
#include "sched/priority.h"
#include "sched/queue.h"
#include "sched/record.h"
#include "sched/sched.h"
#include "sched/slab.h"
#include "sched/spare.h"
#include "sched/watchdog.h"

enum tutti__thread_kind {
    TUTTI__THREAD_WORKER = 0, /* of the pool */
    TUTTI__THREAD_CREATOR,    /* made the scheduler; helps in its waits */
    TUTTI__THREAD_FOREIGN,    /* any other that has submitted, the loop thread among them */
    TUTTI__THREAD_BLOCKING,   /* an extra thread */
};

/* Of one thread, counted by it alone. Sums over all threads say whether the scheduler is idle. */
struct tutti__counters {
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint64_t) submitted; /* [owner writes] */
    TUTTI_ATOMIC(uint64_t) settled;                              /* [owner writes] */
    TUTTI_ATOMIC(uint64_t) steals;                               /* [owner writes] */
};

/* What runs on a thread: bodies nest when a waiting thread helps. */
struct tutti__frame {
    tutti_task *task;
    uint32_t children; /* made by this body so far */
};

struct tutti__thread {
    /* [owner] first what every submit and every run touches */
    struct tutti__sched *sched; /* [const] */
    enum tutti__thread_kind kind; /* [const] */
    bool takes_strict;          /* [const] also runs what is for workers only */
    uint32_t index;             /* [const] of a worker */
    bool parks;                 /* [owner] runs tasks and will come to tutti__search */
    struct tutti__frame *frame; /* [owner] innermost body; NULL outside of one */
    uint32_t ticks;             /* [owner] tasks taken, for fairness */
    uint64_t rng;               /* [owner] */
    struct tutti__batch batch;  /* [owner] frees to hand over */
    struct tutti__heap heap;
    struct tutti__deque deque;  /* workers and the creator */
    struct tutti__counters counters;
    /* [any] what others touch when they wake this thread */
    struct tutti__parker parker;
    struct tutti__sleeper sleeper;
    struct tutti__home own_home; /* of a worker */
    /* [owner] the rest */
    struct tutti__home *home;   /* own_home, or the adopted loop's; NULL: none */
    void *slot;                 /* of the layer above */
    uint32_t trims_done;        /* [owner] sched->trims when it last trimmed its own */
    TUTTI_ATOMIC(uint32_t) busy; /* foreign: 1 inside submit, 2 = and the stopper waits for it */
    pthread_t pthread;          /* [const] of a worker */
    struct tutti__thread *next; /* [sched.threads: push only] */
    uintptr_t stack_low;        /* [owner] below this address no other body is begun in a wait */
    bool is_spare;              /* [const] see spare.h */
    bool is_started;            /* [spares.mu] there is a thread to join */
    TUTTI_ATOMIC(uint32_t) has_slot; /* [spares.mu, and a spare around its waits] of a spare */
    TUTTI_ATOMIC(uint32_t) is_told;  /* [any] a spare that sleeps was woken to look at surplus */
    struct tutti__thread *spare_next; /* [spares.mu] */
    struct tutti__claim *claim; /* [const] the calling thread's hold on it: context.c; or NULL */
};

struct tutti__blocking {
    struct tutti__mutex mu;
    struct tutti__cond wake;         /* work, or the end */
    struct tutti__cond ended;        /* a thread has ended */
    struct tutti__block_job *first;  /* [mu] jobs, first in, first out */
    struct tutti__block_job *last;   /* [mu] */
    tutti_task *tasks_first;         /* [mu] TUTTI_BLOCKING tasks that are ready */
    tutti_task *tasks_last;          /* [mu] */
    uint32_t queued;                 /* [mu] of both */
    uint32_t threads;                /* [mu] that will look at the queues again */
    uint32_t leaving;                /* [mu] that will not, but still use the scheduler */
    uint32_t idle;                   /* [mu] of threads, waiting for work */
    uint32_t asleep;                 /* [mu] of threads, in a body that waits */
    bool stopping;                   /* [mu] */
};

struct tutti__sched {
    /* read by all, written rarely */
    uint64_t id;                         /* [const] never used again in this process */
    const struct tutti__env *env;        /* [const] */
    const tutti_allocator *memory;       /* [const] NULL: the C library's */
    size_t workers_bytes;                /* [const] of `workers` */
    void *user;                          /* [const] */
    void (*worker_stop)(void *user, void *slot); /* [const] */
    struct tutti__thread **workers;      /* [const] */
    uint32_t worker_count;               /* [const] */
    uint32_t fork_count;                 /* [const] see base/fork.h */
    size_t stack_bytes;                  /* [const] of each thread */
    const tutti_hooks *hooks;            /* [const] NULL: none */
    uint32_t spin_ns;                    /* [const] 0 on one CPU */
    struct tutti__thread *creator;       /* [const] */
    struct tutti__feed feed;             /* [creator pushes] what it submits outside of tasks */
    TUTTI_ATOMIC(uint32_t) closed;       /* [any] 1: no submits, 2: workers end */
    TUTTI_ATOMIC(uint32_t) raised;       /* [levels.mu writes, any reads] see priority.h */
    bool has_task_hooks;                 /* [const] tasks keep their names */
    bool creator_loops;                  /* [const once adopted] the creator is the loop thread */
    TUTTI_ATOMIC(uint32_t) trims;        /* [any] how often threads were asked to trim (trim.c) */
    TUTTI_ATOMIC(uint32_t) alarm;        /* [any] ALARM_*: what to look at before each task */
    TUTTI_ATOMIC(uint32_t) cancels;      /* [any] running tasks that were cancelled */
    TUTTI_ATOMIC(uint32_t) idle_waiters; /* [any] threads in wait_idle, and idle_post */
    TUTTI_ATOMIC(struct tutti__post *) idle_post; /* [loop sets, any takes] see idle_post.c */
    TUTTI_SHARED(struct tutti__home *) idle_home; /* [loop] where to; ordered by idle_post */
    TUTTI_ATOMIC(struct tutti__thread *) threads; /* [any pushes under mu] all contexts */
    struct tutti__mutex mu;
    struct tutti__thread *loop;          /* [mu] the loop thread; NULL: none */
    struct tutti__home *left_home;       /* [mu] of a loop thread that has left */
    uint64_t rng;                        /* [mu] */
    bool stopped;                        /* [creator] */
    tutti_scope *scopes;                 /* [mu] all there are */
    struct tutti__idle idle;
    struct tutti__injector injector;
    struct tutti__strict strict;
    struct tutti__levels levels;
    struct tutti__pinned pinned;
    struct tutti__store store;
    struct tutti__lot lot;
    struct tutti__blocking blocking;
    struct tutti__spares spares;
    struct tutti__watchdog watchdog;
    TUTTI_ATOMIC(uint32_t) outside;      /* [any] threads without a body that sleep in a wait, and
                                            OUTSIDE_STOP: the stopper waits for them */
    /* of threads without a context: they only settle */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint64_t) settled_outside;
};

/* ---- threads (context.c) ------------------------------------------------------------------ */

/* Make a context for a thread of the scheduler's own. Returns: NULL when out of memory. */
struct tutti__thread *tutti__thread_new(struct tutti__sched *sched, enum tutti__thread_kind kind);
/* Free it. Thread: nobody uses it. */
void tutti__thread_free(struct tutti__thread *thread);

/* Make tutti__thread_here find `thread` / nothing on this thread. Returns: false: out of memory. */
bool tutti__thread_bind(struct tutti__thread *thread);
void tutti__thread_unbind(struct tutti__sched *sched);

/* The calling thread's context, made (of that kind) if it has none. Returns: NULL: out of memory. */
struct tutti__thread *tutti__thread_enter(struct tutti__sched *sched, enum tutti__thread_kind kind);

/**
 * May this thread skip a read-modify-write where it sees that it is alone? Only threads that the
 * stopper can hold still (or is): when it walks over all records it must be able to take references.
 */
static inline bool tutti__thread_is_pool(const struct tutti__thread *thread)
{
    return thread != NULL && thread->kind <= TUTTI__THREAD_CREATOR;
}

static inline bool tutti__thread_has_deque(const struct tutti__thread *thread)
{
    return tutti__thread_is_pool(thread);
}

/* Call fn for each context whose thread has ended, as if by that thread. Thread: any. */
void tutti__thread_each_idle(struct tutti__sched *sched, void (*fn)(struct tutti__thread *thread));

/* ---- memory (trim.c) ---------------------------------------------------------------------- */

/* Give back what this thread alone can, if that was asked for since the last time. Thread: its own. */
void tutti__thread_trim(struct tutti__thread *thread);

/* Was it asked for? Exact for a thread that is listed as a sleeper. */
static inline bool tutti__thread_must_trim(const struct tutti__thread *thread)
{
    /* relaxed: behind idle.mu, which the asker locks afterwards to wake whoever is listed. */
    return TUTTI_LOAD(&thread->sched->trims, relaxed) != thread->trims_done;
}

/* ---- records (task.c) --------------------------------------------------------------------- */

/* Drop a reference; frees the record with the last. Args: thread - the caller's context or NULL. */
void tutti__task_drop(struct tutti__thread *thread, tutti_task *task);

/* Free a record to which there is no reference any more. */
void tutti__task_free(struct tutti__thread *thread, tutti_task *task);

/**
 * Is the caller's reference the only one? Then nobody else can look at, cancel, wait for or come after
 * the task, and nobody can get to: references are made from references. So what is otherwise an
 * exchange may be a plain store.
 * Order: acquire pairs with the release of each dropped one: what was done with it is over and seen,
 *        by what is read after this. Ask this first, then look at the task.
 */
static inline bool tutti__task_is_sole(const struct tutti__thread *thread, const tutti_task *task)
{
    return tutti__thread_is_pool(thread) && TUTTI_LOAD(&task->refs, acquire) == 1;
}

/* Call the argument's drop function if that is still to be done. Thread: who settles `task`. */
void tutti__task_drop_arg(tutti_task *task);

/* Store the result. Thread: who settles `task`, before the close. Memory: takes *value. */
void tutti__task_set_result(tutti_task *task, tutti_value *value);

/* ---- completion (complete.c) -------------------------------------------------------------- */

/* What follows from one task's end, gathered on the stack of the thread where it happens. */
struct tutti__wave {
    struct tutti__sched *sched;
    struct tutti__thread *thread; /* the calling thread's context or NULL */
    tutti_task *next;             /* ready, to be run right away by a thread that runs tasks */
    uint32_t pushed;              /* others were made ready: wake somebody */
    tutti_task *ended;            /* whose outcome is stored, to be settled; linked by link */
    tutti_task *ended_last;
    bool settled;                 /* something was */
    tutti_scope *scopes;          /* outermost wave: whose members are to be cancelled (scope.c) */
    struct tutti__wave *outer;    /* of this thread */
};

/* Begin on this thread. */
void tutti__wave_begin(struct tutti__wave *wave, struct tutti__sched *sched,
                       struct tutti__thread *thread);

/**
 * Do all that was gathered and wake whom it needs.
 * Returns: a task to run next on this thread (only if `run`), or NULL.
 */
tutti_task *tutti__wave_end(struct tutti__wave *wave, bool run);

/* The wave that the calling thread is in: it is inside a notice or a drop. NULL: in none of `sched`. */
struct tutti__wave *tutti__wave_active(struct tutti__sched *sched);

/* Settle `task`: status and result are stored, and nobody else will settle it. Takes the scheduler's
 * reference. */
void tutti__wave_settle(struct tutti__wave *wave, tutti_task *task);

/* Settle what has not started and was claimed by the caller. The scheduler's reference stays with its
 * edges or its queue. Args: cause - of a skipped task; else NULL. */
void tutti__wave_settle_claimed(struct tutti__wave *wave, tutti_task *task, int status,
                                tutti_task *cause);

/* Set CLAIMED (cancel.c). Returns: false if `task` has started or been claimed. */
bool tutti__task_claim(tutti_task *task);

/* The body of `task` has ended (status and result are stored) and made so many children. Returns: true:
 * the last of them settles it, it is not to be touched any more; false: they have all ended. */
bool tutti__leave_to_children(struct tutti__thread *thread, tutti_task *task, uint32_t children);

/* A child of `parent` has settled. Returns: it was the last one, `parent` is the caller's to settle. */
bool tutti__child_ended(tutti_task *parent);

/* The outcome of `task` is stored: have it settled by tutti__wave_end. */
void tutti__wave_ended(struct tutti__wave *wave, tutti_task *task);

/* A suspended task or promise has its outcome: the same, but settled by tutti__wave_end. */
void tutti__wave_suspended_end(struct tutti__wave *wave, tutti_task *task);

/* May this thread run a task with one of RECORD_ELSEWHERE? */
bool tutti__may_run(const struct tutti__thread *thread, uint32_t flags);

/* The address `bytes` below here on the calling thread's stack. */
static inline uintptr_t tutti__stack_below(size_t bytes)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0); /* not of a local: a sanitizer moves those */
    return here > bytes ? here - bytes : 0;
}

/* Put a ready task where it will be run, and wake somebody for it. Thread: with a context. */
void tutti__push_ready(struct tutti__thread *thread, tutti_task *task);

/* The same within a wave: the first one may be run next by this thread. */
void tutti__wave_ready(struct tutti__wave *wave, tutti_task *task);

/* Count `count` edges of `task` down. Returns: `task` if it is ready now, for the caller to push or run;
 * NULL: it is not, or it was settled early and has been dropped. */
tutti_task *tutti__count_down(struct tutti__thread *thread, tutti_task *task, uint32_t count);

/* The task whose failure made others fail: `task`, or the cause of a skipped one. */
tutti_task *tutti__task_root(tutti_task *task);

/* ---- waiting (wait.c) --------------------------------------------------------------------- */

/* In sched->outside, above the number. */
#define TUTTI__OUTSIDE_STOP (1u << 31)

/* As tutti__sched_wait_idle, with a deadline. Returns: also TUTTI_ETIMEDOUT. */
int tutti__sched_wait_idle_until(struct tutti__sched *sched, uint64_t deadline_ns);

/* The creator begins / ends to run tasks. Returns: whether it did so already, in a wait around this
 * one; the end gets that. */
bool tutti__help_enter(struct tutti__thread *thread);
void tutti__help_leave(struct tutti__thread *thread, bool helped);

/* Take a task that `self`, or a task made by it, has made out of the own deque; NULL: none is at hand, or
 * the stack is too full for another body. Thread: in the body `self`. */
tutti_task *tutti__take_family(struct tutti__thread *thread, const tutti_task *self);

/* May the running body `self` wait for `task`? Returns: TUTTI_OK · TUTTI_EDEADLK · TUTTI_ECANCELED.
 * Thread: in that body. */
int tutti__body_may_wait(const tutti_task *self, const tutti_task *task);

/* Before the calling thread sleeps until any task has settled: raise the alarm; then look, then sleep
 * in the lot by &sched->alarm. / Has one? / It sleeps no more, whatever has come. */
void tutti__watch_begin(struct tutti__sched *sched);
bool tutti__watch_is_told(struct tutti__sched *sched);
void tutti__watch_end(struct tutti__sched *sched);

/* Spin for some hundred nanoseconds. */
static inline void tutti__relax(void)
{
    for (int i = 0; i < 64; i++) {
        tutti__cpu_relax();
    }
}

/* ---- running (run.c, worker.c) ------------------------------------------------------------ */

/* Run `task` and what becomes ready by it, a bounded number. Thread: worker or helper. */
void tutti__run(struct tutti__thread *thread, tutti_task *task);

/* Run `task` alone: what becomes ready by it is left to others. Thread: as above, in a body that waits;
 * the loop's, for a pinned task. */
void tutti__run_alone(struct tutti__thread *thread, tutti_task *task);

/* In sched->alarm. */
#define TUTTI__ALARM_CLOSED 1u  /* the intake is closed */
#define TUTTI__ALARM_WATCH 2u /* a thread sleeps until any task has settled (wait.c); taken once */

/* Tell it, if there is one: something has settled. Thread: any. */
void tutti__watch_tell(struct tutti__sched *sched);

static inline void tutti__watch_check(struct tutti__sched *sched)
{
    TUTTI_FENCE_LIGHT(); /* settled before, the look after; who sets it fences, then looks (wait.c) */
    if (TUTTI_UNLIKELY((TUTTI_LOAD(&sched->alarm, relaxed) & TUTTI__ALARM_WATCH) != 0)) {
        tutti__watch_tell(sched);
    }
}

/* Take a ready task: a high one, own deque, strict queue (workers only), injector, feed, other deques, a
 * low one. Thread: worker or helper. Returns: NULL when none was found. */
tutti_task *tutti__find(struct tutti__thread *thread);

/* Take a ready task that is to be run before one of that rank (priority.h), which the thread could run
 * right away. Thread: as tutti__find. Returns: NULL when there is none. */
tutti_task *tutti__find_above(struct tutti__thread *thread, int rank);

/* When to stop looking for a task. */
struct tutti__search {
    bool (*is_over)(struct tutti__thread *thread, const void *key);
    const void *key;
    uint64_t deadline_ns; /* UINT64_MAX = none */
};

/**
 * Look for a task; spin a little, then sleep, while there is none.
 * Thread: worker or helper, after tutti__find has found nothing. Blocks: yes.
 * Returns: NULL when `until` is over or its deadline has passed.
 */
tutti_task *tutti__search(struct tutti__thread *thread, const struct tutti__search *until);

/* Tell the threads that wait for the scheduler to be idle, if there are any and it is. Thread: any that
 * has just settled something and will not come to tutti__search. */
void tutti__idle_check(struct tutti__sched *sched);

/* The scheduler is idle: send the post that waits for it (idle_post.c). */
void tutti__idle_tell(struct tutti__sched *sched);

/* Is there anything ready that some thread of the pool could take? A hint, for after a fence. */
bool tutti__any_ready(struct tutti__sched *sched);

/* A context for a thread of the pool, with a home; index 0. Returns: NULL when out of memory. */
struct tutti__thread *tutti__worker_new(struct tutti__sched *sched);
void *tutti__worker_main(void *thread);

/* ---- the rest ----------------------------------------------------------------------------- */

/* blocking.c */
void tutti__blocking_init(struct tutti__blocking *blocking);
void tutti__blocking_push(struct tutti__sched *sched, tutti_task *task);
/* Wait for its threads to end. Returns: false: the deadline has passed. */
bool tutti__blocking_stop(struct tutti__sched *sched, uint64_t deadline_ns);
/* A TUTTI_BLOCKING body begins to sleep in a wait (as tutti__slot_lend) / goes on. */
int tutti__blocking_lend(struct tutti__sched *sched);
void tutti__blocking_take(struct tutti__sched *sched);
uint32_t tutti__blocking_threads(struct tutti__sched *sched);
void tutti__blocking_deinit(struct tutti__blocking *blocking);

/* promise.c: settle a suspended task as cancelled unless somebody settles it. */
void tutti__promise_abandon(tutti_task *task);

/* cancel.c: take the hook of a task for oneself; NULL: there is none. */
struct tutti__cancel_hook *tutti__cancel_take(tutti_task *task);

/* Was a task that `task` is a child of cancelled? Thread: who runs or settles it. */
bool tutti__cancel_inherited(struct tutti__sched *sched, const tutti_task *task);

/* Drop CANCEL's count in sched->cancels, once. */
void tutti__cancel_uncount(struct tutti__sched *sched, tutti_task *task);

#endif
