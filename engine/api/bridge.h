/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - what engine/lua may use of the engine beyond tutti.h. The one internal header between
 * the two: homes (where coroutines live), edges that end in a post, cancel hooks, the loop's door.
 *
 * Layer: api.
 */
#ifndef TUTTI_API_BRIDGE_H
#define TUTTI_API_BRIDGE_H

#include "base/blocks.h"
#include "io/fd_wait.h"
#include "io/process.h"
#include "io/signal.h"
#include "io/timer.h"
#include "sched/blocking.h"
#include "sched/home.h"
#include "sched/task.h"
#include "sched/watchdog.h"
#include "tutti.h"

/* ---- homes -------------------------------------------------------------------------------- */

/* The loop thread's home. Thread: any. */
struct tutti__home *tutti__bridge_loop(tutti_engine *e);

/* The calling thread's home: of the loop thread or of a worker of `e`; NULL on any other thread. */
struct tutti__home *tutti__bridge_here(tutti_engine *e);

/* The home of what lives on the calling worker; on the one thread of a testing engine, of what lives on its
 * pool. */
struct tutti__home *tutti__bridge_worker_home(tutti_engine *e);

/* Storage of the calling home's thread for the Lua layer: one pointer, NULL at first. `on_stop`
 * is called with it, if it is not NULL, on that thread when the thread stops: workers, and the loop
 * thread of TUTTI_LOOP_OWN_THREAD. A caller's loop is the caller's: its slot is not touched. */
void **tutti__bridge_slot(tutti_engine *e);
void tutti__bridge_on_worker_stop(tutti_engine *e, void (*on_stop)(void *slot));

/* How many CPUs this process may use. Thread: any. */
uint32_t tutti__bridge_cpus(void);

/* ---- interrupting -------------------------------------------------------------------------- */

/* enum tutti_preempt. Thread: any. */
uint32_t tutti__bridge_preempt(tutti_engine *e);

/* See sched/watchdog.h: tutti__watchdog_add on this engine's dog, and tutti__watchdog_remove, which does
 * nothing in a child of fork. Thread: the state's home. */
bool tutti__bridge_watch_state(tutti_engine *e, struct tutti__watched *w);
void tutti__bridge_unwatch_state(tutti_engine *e, struct tutti__watched *w);

/* ---- testing engines -------------------------------------------------------------------------- */

/* Make an engine with one thread, the caller's, a virtual clock and a seed: see api/solo.h. It knows the
 * natives of `outer`, which lives longer. */
int tutti__bridge_solo_new(tutti_engine **out, uint64_t seed, tutti_engine *outer);

bool tutti__bridge_is_solo(tutti_engine *e);

/* Has its clock come to an end: nothing is ready, no timer armed, nothing outside awaited? Forgets it. */
bool tutti__bridge_take_stuck(tutti_engine *e);

/* What could still run by itself. */
struct tutti__left {
    bool has_posts;   /* or tasks, of the loop or its pool */
    bool has_handles; /* of libuv: descriptors, processes */
    uint32_t timers;
};
void tutti__bridge_left(tutti_engine *e, struct tutti__left *left);

/* Has anybody a reference to a task of it, so that it cannot be freed yet? */
bool tutti__bridge_has_handles(tutti_engine *e);

/* Does the task belong to it? */
bool tutti__bridge_owns(const tutti_engine *e, const tutti_task *task);

/* ---- edges -------------------------------------------------------------------------------- */

/* At most one for each (task, Lua state). Embedded in the Lua layer's proxy of a task. */
struct tutti__watch {
    struct tutti__notice notice; /* sched/task.h: an edge of the kind that calls a function */
    struct tutti__post post;     /* sent to `home` when the task settles */
    struct tutti__home *home;
};

/**
 * Have `w->post` sent to `w->home` once `t` has settled; post.fn and home are set by the caller.
 * Thread:  any. Memory: `w` is the engine's until post.fn runs; the caller holds a reference on
 *          `t`.
 * Returns: true - armed · false - `t` has settled already, nothing will be posted.
 */
bool tutti__bridge_watch(tutti_task *t, struct tutti__watch *w);

/* ---- started tasks ------------------------------------------------------------------------ */

/* See sched/task.h: struct tutti__cancel_hook, tutti__task_set_cancel_hook, _take_cancel_hook. */

/**
 * Make a task that counts as started and suspended: cancelling it sets the flag and fires the hook,
 * and only tutti_promise_settle ends it. (A promise, in contrast, is settled by a cancel at once.)
 * Thread: any. Memory: `*out` is owned. Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_ESTOPPED.
 */
int tutti__bridge_suspended_new(tutti_engine *e, tutti_task **out);

/* One pointer of the engine's for the Lua layer, NULL at first, and how it is freed once the
 * engine's threads have ended. Thread: set by the loop's, before anybody asks; asked by any. */
void *tutti__bridge_lua(tutti_engine *e);
void tutti__bridge_set_lua(tutti_engine *e, void *pointer, void (*drop)(void *pointer));

/* ---- the loop ----------------------------------------------------------------------------- */

/**
 * Run the loop on its thread until `until(user)` is true; it is asked before the first round and
 * after each.
 * Thread:  the loop thread (TUTTI_LOOP_CALLER: the creator).
 * Blocks:  yes.
 * Returns: TUTTI_OK · TUTTI_EDEADLK (from within a loop callback, the pump or a task: nothing has
 *          run) · TUTTI_EINVAL (not the loop thread, or the engine runs its loop itself).
 */
int tutti__bridge_run_until(tutti_engine *e, bool (*until)(void *user), void *user);

/* The uv_loop_t of the engine, for luv. Thread: the loop's. */
void *tutti__bridge_uv_loop(tutti_engine *e);

/* Start (or move) / stop a timer: see io/timer.h. Thread: the loop's. Start returns TUTTI_OK, or
 * TUTTI_ENOMEM: not armed (never for one that is armed already). */
int tutti__bridge_timer_start(tutti_engine *e, struct tutti__timer *timer, uint64_t deadline_ns);
void tutti__bridge_timer_stop(tutti_engine *e, struct tutti__timer *timer);

/* A signal told on the loop's thread: see io/signal.h. Thread: the loop's. */
struct tutti__signal_watch *tutti__bridge_signal_watch(tutti_engine *e, int number,
                                                       void (*fn)(int number, void *user),
                                                       void *user);
void tutti__bridge_signal_unwatch(struct tutti__signal_watch *watch);

/* The engine's clock (base/env.h), in ns. Thread: any. */
uint64_t tutti__bridge_now_ns(tutti_engine *e);

/* 64 random bits from the generator in *state, which only its owner uses. 0: it is not seeded yet, and is
 * now, by the engine's table (base/env.h): from the system or from a seed. Thread: any. */
uint64_t tutti__bridge_random(tutti_engine *e, uint64_t *state);

/* Wait for a descriptor without a thread: see io/fd_wait.h. Thread: that of wait->home. */
void tutti__bridge_fd_wait(tutti_engine *e, struct tutti__fd_wait *wait);
void tutti__bridge_fd_stop(struct tutti__fd_wait *wait);

/* ---- blocking work and processes ---------------------------------------------------------- */

/* Run job->work on an extra thread, then send job->post to job->home: see sched/blocking.h. */
int tutti__bridge_block(tutti_engine *e, struct tutti__block_job *job);

/* Start a process; the task settles when it has ended: see io/process.h. Thread: any. */
int tutti__bridge_process(tutti_engine *e, const struct tutti__process_spec *spec,
                          tutti_task **out);

/* Kill the process of `task`, if it is one and still runs: soon, with no grace. Thread: any.
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_ESTOPPED. */
int tutti__bridge_process_kill(tutti_engine *e, tutti_task *task);

/* Let its streams be read on, soon: see tutti__processes_resume. Thread: any.
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_ESTOPPED. */
int tutti__bridge_process_resume(tutti_engine *e, tutti_task *task);

/* ---- natives ------------------------------------------------------------------------------ */

/* Find what tutti_register stored. Returns false if there is none of this name. Thread: any. */
bool tutti__bridge_native(tutti_engine *e, const char *name, tutti_native_fn *fn, void **user);

#endif
