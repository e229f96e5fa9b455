/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what an engine is made of, for the files of this folder.
 *
 *   creator --- tutti_* ---> sched (workers, extra threads)
 *                              | homes: posts
 *                              v
 *                            loop (own thread, or the creator's)  <--- processes, timers, luv
 *
 * Layer: api. Locks: natives.mu and thread_mu, both leaf locks, never held together.
 * Invariant: sched and loop exist from tutti_engine_new to the end of tutti_engine_free; the loop
 * thread ends after the scheduler has stopped and before either is freed.
 */
#ifndef TUTTI_API_ENGINE_H
#define TUTTI_API_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/solo.h"
#include "base/atomic.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/fork.h"
#include "base/thread.h"
#include "io/loop.h"
#include "io/process.h"
#include "sched/help.h"
#include "sched/sched.h"
#include "tutti.h"

struct tutti__native {
    char *name;
    tutti_native_fn fn;
    void *user;
};

/* Sorted by name. All zero but `mu` is empty. */
struct tutti__natives {
    struct tutti__mutex mu;
    struct tutti__native *items; /* [mu] */
    size_t count;                /* [mu] */
    size_t capacity;             /* [mu] */
    const tutti_allocator *memory; /* [const] */
};

/* Called with the slot of a thread that stops. */
typedef void (*tutti__slot_fn)(void *slot);

struct tutti_engine {
    struct tutti__sched *sched;                     /* [const] */
    struct tutti__loop *loop;                       /* [const] */
    struct tutti__processes *processes;             /* [const] */
    pthread_t creator;                              /* [const] */
    bool has_own_loop;                              /* [const] TUTTI_LOOP_OWN_THREAD */
    uint32_t fork_count;                            /* [const] see base/fork.h */
    size_t stack_bytes;                             /* [const] of each thread */
    uint64_t grace_ns;                              /* [const] of tutti_engine_free */
    tutti_allocator allocator;                      /* [const] the host's */
    const tutti_allocator *memory;                  /* [const] that one; NULL: the C library's */
    tutti_hooks hooks;                              /* [const] the host's; all NULL: none */
    pthread_t loop_thread;                          /* [const] with an own loop */
    TUTTI_ATOMIC(uint32_t) has_run;                 /* [any] the loop has been run: see wait.c */
    TUTTI_ATOMIC(uint32_t) is_stopping;             /* [creator sets] tutti_post refuses */
    TUTTI_ATOMIC(tutti__slot_fn) on_worker_stop;    /* [any] see bridge.h */
    struct tutti__natives natives;
    struct tutti__solo *solo;                       /* [const] of a testing engine: solo.h; or NULL */
    TUTTI_ATOMIC(void *) lua;                       /* [const once set] see bridge.h; its release store
                                                       pairs with the acquire load of whoever asks:
                                                       the program's thread for signals may be early */
    void (*lua_drop)(void *pointer);                /* [const once set] */
    struct tutti__help_sleep help_sleep;            /* [loop] see wait.c */
    uint32_t poll_turn;                             /* [loop] see poll.c */
    uint32_t run_depth;                             /* [creator] waits and runs that it is in */
    bool must_stop;                                 /* [loop] ends the loop thread */
    struct tutti__post idle_post;                   /* [sched while is_idle_armed] see wait.c */
    struct tutti__post trim_post;                   /* [whoever set is_trim_posted, then loop] */
    TUTTI_ATOMIC(uint32_t) is_trim_posted;          /* [any sets, loop clears] see trim.c */
    bool is_idle_armed;                             /* [loop] */
    struct tutti__mutex thread_mu;
    struct tutti__cond thread_cond;
    int thread_status;                              /* [thread_mu] of the start; first EPENDING */
    bool are_processes_gone;                        /* [thread_mu] after the stop of all */
    bool is_loop_over;                              /* [thread_mu] its own thread is about to end */
    struct tutti__post stop_post;                   /* [loop] asks it to stop all processes */
    bool is_stop_sent;                              /* [creator] */
    struct tutti__post end_post;                    /* [loop] ends its own thread */
    bool is_end_sent;                               /* [creator] */
};

/* As tutti_engine_new, with the world given. Args: env - NULL = the operating system's; it must
 * outlive the engine. */
int tutti__engine_new(tutti_engine **out, const tutti_config *cfg, const struct tutti__env *env);

/* Does the engine, or the task's, belong to the parent of this forked process? Every function of
 * tutti.h asks before anything else. */
static inline bool tutti__engine_is_forked(const tutti_engine *e)
{
    return TUTTI_UNLIKELY(e->fork_count != tutti__fork_count());
}

static inline bool tutti__task_is_forked(const tutti_task *t)
{
    uint32_t count = tutti__fork_count();
    /* In a process that is nobody's child the task needs no asking. */
    return TUTTI_UNLIKELY(count != 0) && tutti__sched_fork_count(tutti__sched_of(t)) != count;
}

/* The engine of a task. */
tutti_engine *tutti__engine_of(const tutti_task *task);

/* Is the calling thread the one that runs the loop? */
bool tutti__engine_on_loop(tutti_engine *e);

/* May the loop thread run the loop now: is it in no round and in no task? */
bool tutti__engine_may_run(tutti_engine *e);

/**
 * Run the caller's loop until `until(user)`; see tutti__loop_run_until. Without workers the pool's tasks
 * run between its rounds.
 * Thread:  the creator, with TUTTI_LOOP_CALLER.
 * Returns: TUTTI_OK · TUTTI_EDEADLK (inside a round or a task) · TUTTI_EINVAL (not the loop's
 *          thread).
 */
int tutti__engine_run_until(tutti_engine *e, bool (*until)(void *user), void *user);

/* ---- the loop's own thread: loop_thread.c -------------------------------------------------- */

/* Start it; it has adopted the loop when this returns. Returns: TUTTI_OK · TUTTI_EAGAIN ·
 * TUTTI_ENOMEM. */
int tutti__loop_thread_start(tutti_engine *e);

/* Stop it and wait for it. Returns: false: the deadline has passed; call again. */
bool tutti__loop_thread_stop(tutti_engine *e, uint64_t deadline_ns);

/* ---- natives: native.c ---------------------------------------------------------------------- */

void tutti__natives_init(struct tutti__natives *natives, const tutti_allocator *memory);
void tutti__natives_deinit(struct tutti__natives *natives);
int tutti__natives_add(struct tutti__natives *natives, const char *name, tutti_native_fn fn,
                       void *user);
bool tutti__natives_find(struct tutti__natives *natives, const char *name, tutti_native_fn *fn,
                         void **user);

#endif
