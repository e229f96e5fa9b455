/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the event loop of an engine: one libuv loop, one inbox, one timer heap, on one thread.
 *
 * A round is: ask the kernel, run what was posted, fire timers, let the home's pump work. The
 * loop sleeps in ppoll on libuv's backend descriptor rather than inside uv_run. So no callback can
 * run between the last look at what is ready and the sleep (a luv timer that fires inside uv_run
 * just before it blocks would otherwise leave a ready coroutine behind), and deadlines of the timer
 * heap are kept in nanoseconds (the kernel's slack is some 50 us) where a uv_timer_t rounds to 1
 * ms.
 *
 * Layer: io. Thread: the loop's, unless said otherwise. That is the thread that was last in
 * tutti__loop_run_until; before the first call and after the last, whoever made it.
 * Locks: none.
 * Invariant: other threads touch nothing but the home's inbox and, through home->wake, the
 * uv_async_t.
 */
#ifndef TUTTI_IO_LOOP_H
#define TUTTI_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "io/timer.h"
#include "sched/home.h"

struct tutti__loop;

/**
 * Make a loop; nothing runs yet.
 * Args:    memory - where the loop's own comes from; NULL: the C library.
 * Memory:  returns owned (tutti__loop_free); borrows `env` and `memory` until then.
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_EAGAIN (out of descriptors).
 */
int tutti__loop_new(struct tutti__loop **out, const struct tutti__env *env,
                    const tutti_allocator *memory);

/**
 * Run what is left in the inbox and close every handle. Timers still armed are forgotten.
 * Idempotent.
 * Thread:  the loop's, outside tutti__loop_run_until.
 * Blocks:  until libuv has finished the requests that are under way.
 */
void tutti__loop_close(struct tutti__loop *loop);

/* Close if that has not been done, then free. Thread: any, once; nobody posts any more. */
void tutti__loop_free(struct tutti__loop *loop);

/* Thread: any. */
struct tutti__home *tutti__loop_home(struct tutti__loop *loop);

/* The uv_loop_t. */
void *tutti__loop_uv(struct tutti__loop *loop);

/* The engine's clock, and what it is asked with. Thread: any. */
const struct tutti__env *tutti__loop_env(const struct tutti__loop *loop);
const tutti_allocator *tutti__loop_memory(const struct tutti__loop *loop);
uint64_t tutti__loop_now_ns(const struct tutti__loop *loop);

/**
 * Run rounds until `until(user)` is true; it is asked before the first and after each, and may itself
 * run rounds by this function.
 *
 * Blocks:  yes.
 * Returns: TUTTI_OK · TUTTI_EDEADLK: called from within a round; nothing has run.
 * Calls:   posts, timers, pump, libuv callbacks, `until`.
 */
int tutti__loop_run_until(struct tutti__loop *loop, bool (*until)(void *user), void *user);

/**
 * Run rounds without ever sleeping, until nothing is ready or `budget_ns` has passed. The clock is
 * looked at between steps: a post, a timer, a coroutine, one visit of libuv to the kernel. The next
 * call goes on behind the part of the round in which the budget ran out, so a flood of one kind does
 * not starve the others; within a kind the order is kept.
 *
 * Args:    budget_ns - 0: one round; more - set to whether anything is ready.
 * Returns: TUTTI_OK · TUTTI_EDEADLK: called from within a round; nothing has run.
 * Calls:   as tutti__loop_run_until.
 */
int tutti__loop_poll(struct tutti__loop *loop, uint64_t budget_ns, bool *more);

/* A descriptor that is readable when a poll has something to do, for as long as the caller sleeps as
 * tutti__loop_prepare_sleep says. */
int tutti__loop_backend_fd(const struct tutti__loop *loop);

/**
 * Get ready for a sleep of the caller's own on the backend descriptor: from now until the next round
 * a post makes it readable.
 * Thread:  the loop's, outside a round. Returns: for how long, in ns; 0: something is ready.
 */
uint64_t tutti__loop_prepare_sleep(struct tutti__loop *loop);

/* Whether nothing is left that could ever run here by itself: no post, no timer, no ready
 * coroutine, no active libuv handle or request but the loop's own. May be asked by `until`. */
bool tutti__loop_is_quiet(struct tutti__loop *loop);

/* Do not sleep in the next round. Thread: the loop's, in `until`. */
void tutti__loop_hurry(struct tutti__loop *loop);

/* The parts of that: a post or a ready coroutine; a handle or request of libuv; how many timers. */
bool tutti__loop_has_work(struct tutti__loop *loop);
bool tutti__loop_is_alive(struct tutti__loop *loop);
uint32_t tutti__loop_timers(const struct tutti__loop *loop);

/* End its sleep, or keep it from the next one. Thread: any. Order: as of a home's `wake`: only for who has
 * taken back, by an exchange, a sign that the loop's thread has set since it last ran a round. */
void tutti__loop_wake(struct tutti__loop *loop);

/* Whether the calling code runs inside a round. */
bool tutti__loop_is_running(const struct tutti__loop *loop);

/* Give back memory that it does not need now. */
void tutti__loop_trim(struct tutti__loop *loop);

/* As tutti__timers_start and _stop, on the loop's heap. */
int tutti__loop_timer_start(struct tutti__loop *loop, struct tutti__timer *timer,
                            uint64_t deadline_ns);
void tutti__loop_timer_stop(struct tutti__loop *loop, struct tutti__timer *timer);

#endif
