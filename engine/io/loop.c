/* SPDX-License-Identifier: MIT */
/*
 * loop.c - see loop.h.
 *
 *   other threads --- home.inbox, then uv_async_send if asleep ---> ppoll(backend fd)
 *   round:  [sleep] -> uv_run(NOWAIT) -> inbox -> timers -> pump -> until?
 *   a poll: the same without the sleep, from where the last one was cut short by its budget
 *
 * Layer: io. Locks: none.
 * Invariant: home.asleep is 1 only around ppoll, or while the host sleeps in a loop of its own; so what
 * runs in a round never pays for a wake-up.
 */
#include "io/loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tutti.h"

/* The parts of a round, in this order. */
enum part { PART_KERNEL = 0, PART_POSTS, PART_TIMERS, PART_PUMP, PART_COUNT };

struct tutti__loop {
    struct tutti__home home;
    uv_loop_t uv;                 /* [loop] */
    uv_async_t door;              /* [loop; any may send] */
    struct tutti__timers timers;  /* [loop] */
    const struct tutti__env *env; /* [const] */
    uint64_t deadline_ns;         /* [loop] of the poll that runs; TUTTI_FOREVER: none */
    enum part part;               /* [loop] that comes next */
    bool is_running;              /* [loop] inside a round */
    bool is_closed;               /* [loop] */
    bool has_more;                /* [loop] the last pump said that more is ready */
};

static struct tutti__loop *of_home(struct tutti__home *home)
{
    return (struct tutti__loop *)(void *)((char *)home - offsetof(struct tutti__loop, home));
}

void tutti__loop_wake(struct tutti__loop *loop)
{
    int rc = uv_async_send(&loop->door);
    TUTTI_ASSERT(rc == 0);
    (void)rc;
}

/* Thread: any. Called by tutti__home_post after its exchange of `asleep` has read the 1 that this
 * loop stored after it had last looked at `door`; so uv_async_send cannot take its shortcut for an
 * event that was consumed already, the one case in which it loses a wake-up. */
static void wake(struct tutti__home *home)
{
    tutti__loop_wake(of_home(home));
}

/* The event was the message: the round that follows drains the inbox. */
static void on_door(uv_async_t *door)
{
    (void)door;
}

int tutti__loop_new(struct tutti__loop **out, const struct tutti__env *env,
                    const tutti_allocator *memory)
{
    struct tutti__loop *loop = tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sizeof *loop);
    if (loop == NULL) {
        return TUTTI_ENOMEM;
    }
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        goto out_free;
    }
    rc = uv_async_init(&loop->uv, &loop->door, on_door);
    if (rc != 0) {
        goto out_close;
    }
    loop->env = env;
    loop->timers.memory = memory;
    loop->deadline_ns = TUTTI_FOREVER;
    loop->home.until_ns = TUTTI_FOREVER;
    loop->home.wake = wake;
    *out = loop;
    return TUTTI_OK;

out_close:
    /* The handle was never linked: an async that fails to open the loop's eventfd leaves
     * nothing. */
    uv_loop_close(&loop->uv);
out_free:
    tutti__memory_free(memory, loop, sizeof *loop);
    return rc == UV_ENOMEM ? TUTTI_ENOMEM : TUTTI_EAGAIN;
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void tutti__loop_close(struct tutti__loop *loop)
{
    TUTTI_ASSERT(!loop->is_running);
    if (loop->is_closed) {
        return;
    }
    loop->is_closed = true;
    while (tutti__home_drain(&loop->home)) {
        /* posts may post */
    }
    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* until the last close callback */
    int rc = uv_loop_close(&loop->uv);
    TUTTI_ASSERT(rc == 0);
    (void)rc;
    tutti__timers_deinit(&loop->timers);
}

void tutti__loop_free(struct tutti__loop *loop)
{
    tutti__loop_close(loop);
    tutti__memory_free(tutti__loop_memory(loop), loop, sizeof *loop);
}

struct tutti__home *tutti__loop_home(struct tutti__loop *loop)
{
    return &loop->home;
}

void *tutti__loop_uv(struct tutti__loop *loop)
{
    return &loop->uv;
}

const struct tutti__env *tutti__loop_env(const struct tutti__loop *loop)
{
    return loop->env;
}

const tutti_allocator *tutti__loop_memory(const struct tutti__loop *loop)
{
    return loop->timers.memory;
}

uint64_t tutti__loop_now_ns(const struct tutti__loop *loop)
{
    return loop->env->now_ns(loop->env->user);
}

/* How long the kernel may let us sleep, in ns: up to the next deadline of the heap or of libuv. */
static uint64_t sleep_limit_ns(struct tutti__loop *loop)
{
    uint64_t next_ns = tutti__timers_next_ns(&loop->timers);
    uint64_t limit_ns = TUTTI_FOREVER;
    if (next_ns != TUTTI_FOREVER) {
        uint64_t now_ns = tutti__loop_now_ns(loop);
        limit_ns = next_ns > now_ns ? next_ns - now_ns : 0;
    }
    if (limit_ns == 0) {
        return 0;
    }
    uv_update_time(&loop->uv); /* its timers count from its cached time */
    int uv_ms = uv_backend_timeout(&loop->uv);
    if (uv_ms >= 0 && (uint64_t)uv_ms * TUTTI_NS_PER_MS < limit_ns) {
        limit_ns = (uint64_t)uv_ms * TUTTI_NS_PER_MS;
    }
    return limit_ns;
}

/* Sleep until a descriptor of libuv is ready or `limit_ns` has passed. A signal ends it as well:
 * its handler may have left work that only the pump can see. */
static void wait_for_kernel(struct tutti__loop *loop, uint64_t limit_ns)
{
    struct pollfd backend = { .fd = uv_backend_fd(&loop->uv), .events = POLLIN };
    struct timespec limit = { .tv_sec = (time_t)(limit_ns / TUTTI_NS_PER_S),
                              .tv_nsec = (long)(limit_ns % TUTTI_NS_PER_S) };
    int rc = ppoll(&backend, 1, limit_ns == TUTTI_FOREVER ? NULL : &limit, NULL);
    TUTTI_ASSERT(rc >= 0 || errno == EINTR);
    (void)rc;
}

bool tutti__loop_is_alive(struct tutti__loop *loop)
{
    uv_unref((uv_handle_t *)&loop->door); /* the door alone does not count */
    bool is = uv_loop_alive(&loop->uv) != 0;
    uv_ref((uv_handle_t *)&loop->door);
    return is;
}

/* Nothing is ready: pass the time, as the engine's table wants it. */
static void rest(struct tutti__loop *loop, uint64_t limit_ns)
{
    const struct tutti__env *env = loop->env;
    if (env->rest != NULL) {
        limit_ns = env->rest(env->user, limit_ns, tutti__loop_is_alive(loop));
    }
    if (limit_ns != 0) {
        wait_for_kernel(loop, limit_ns);
    }
}

static void sleep_a_while(struct tutti__loop *loop)
{
    uint64_t limit_ns = sleep_limit_ns(loop);
    if (limit_ns == 0) {
        return;
    }
    if (tutti__home_sleep_begin(&loop->home)) {
        rest(loop, limit_ns);
    }
    tutti__home_sleep_end(&loop->home);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static bool is_late(const struct tutti__loop *loop)
{
    return tutti__env_is_late(loop->env, loop->deadline_ns);
}

static void run_posts(struct tutti__loop *loop)
{
    if (tutti__home_take(&loop->home)) {
        while (tutti__home_step(&loop->home) && !is_late(loop)) {
        }
    }
}

static void run_timers(struct tutti__loop *loop)
{
    if (loop->timers.count == 0) {
        return;
    }
    uint64_t now_ns = tutti__loop_now_ns(loop);
    while (tutti__timers_fire_next(&loop->timers, now_ns) && !is_late(loop)) {
    }
}

static void run_pump(struct tutti__loop *loop)
{
    struct tutti__home *home = &loop->home;
    loop->has_more = home->pump != NULL && home->pump(home->pump_user);
}

static void run_part(struct tutti__loop *loop, enum part part)
{
    switch (part) {
    case PART_KERNEL:
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        break;
    case PART_POSTS:
        run_posts(loop);
        break;
    case PART_TIMERS:
        run_timers(loop);
        break;
    case PART_PUMP:
    case PART_COUNT:
        run_pump(loop);
        break;
    }
}

/* Each part once, beginning with the one that is next; no further when the deadline has passed. */
static void run_parts(struct tutti__loop *loop)
{
    for (int i = 0; i < PART_COUNT; i++) {
        enum part part = loop->part;
        loop->part = (enum part)((part + 1) % PART_COUNT);
        run_part(loop, part);
        if (is_late(loop)) {
            break;
        }
    }
}

static void run_round(struct tutti__loop *loop)
{
    if (!loop->has_more) {
        sleep_a_while(loop);
    }
    loop->part = PART_KERNEL;
    run_parts(loop);
}

int tutti__loop_run_until(struct tutti__loop *loop, bool (*until)(void *user), void *user)
{
    if (loop->is_running) {
        return TUTTI_EDEADLK;
    }
    tutti__home_sleep_end(&loop->home); /* the host has perhaps slept on the backend descriptor */
    loop->has_more = true; /* unknown until the pump was asked: do not sleep in the first round */
    while (!until(user)) {
        loop->is_running = true;
        run_round(loop);
        loop->is_running = false;
    }
    return TUTTI_OK;
}

/* ---- a host's own loop ---------------------------------------------------------------------- */

static bool pump_has_work(const struct tutti__loop *loop)
{
    const struct tutti__home *home = &loop->home;
    if (home->has_work != NULL) {
        return home->has_work(home->pump_user);
    }
    return loop->has_more;
}

/* Would a round do something, as far as can be seen without asking the kernel? */
bool tutti__loop_has_work(struct tutti__loop *loop)
{
    /* relaxed: a hint; before a sleep it is asked for again behind a fence. */
    return loop->home.taken != NULL || TUTTI_LOAD(&loop->home.inbox, relaxed) != NULL ||
           pump_has_work(loop);
}

static bool is_backend_ready(struct tutti__loop *loop)
{
    struct pollfd backend = { .fd = uv_backend_fd(&loop->uv), .events = POLLIN };
    return poll(&backend, 1, 0) > 0;
}

int tutti__loop_poll(struct tutti__loop *loop, uint64_t budget_ns, bool *more)
{
    if (loop->is_running) {
        return TUTTI_EDEADLK;
    }
    loop->is_running = true;
    tutti__home_sleep_end(&loop->home);
    if (budget_ns != 0) {
        loop->deadline_ns = tutti__clock_after(tutti__loop_now_ns(loop), budget_ns);
    }
    loop->home.until_ns = loop->deadline_ns;
    do {
        run_parts(loop);
        *more = tutti__loop_has_work(loop) || sleep_limit_ns(loop) == 0 || is_backend_ready(loop);
    } while (*more && budget_ns != 0 && !is_late(loop));
    loop->deadline_ns = TUTTI_FOREVER;
    loop->home.until_ns = TUTTI_FOREVER;
    loop->is_running = false;
    return TUTTI_OK;
}

int tutti__loop_backend_fd(const struct tutti__loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

uint64_t tutti__loop_prepare_sleep(struct tutti__loop *loop)
{
    uint64_t limit_ns = tutti__loop_has_work(loop) ? 0 : sleep_limit_ns(loop);
    if (limit_ns != 0 && !tutti__home_sleep_begin(&loop->home)) {
        tutti__home_sleep_end(&loop->home);
        limit_ns = 0;
    }
    return limit_ns;
}

bool tutti__loop_is_quiet(struct tutti__loop *loop)
{
    if (loop->has_more || loop->timers.count > 0 || loop->home.taken != NULL ||
        TUTTI_LOAD(&loop->home.inbox, relaxed) != NULL) { /* relaxed: a hint; run_round drains */
        return false;
    }
    return !tutti__loop_is_alive(loop);
}

uint32_t tutti__loop_timers(const struct tutti__loop *loop)
{
    return loop->timers.count;
}

void tutti__loop_hurry(struct tutti__loop *loop)
{
    loop->has_more = true;
}

bool tutti__loop_is_running(const struct tutti__loop *loop)
{
    return loop->is_running;
}

void tutti__loop_trim(struct tutti__loop *loop)
{
    tutti__timers_trim(&loop->timers);
}

int tutti__loop_timer_start(struct tutti__loop *loop, struct tutti__timer *timer,
                            uint64_t deadline_ns)
{
    return tutti__timers_start(&loop->timers, timer, deadline_ns);
}

void tutti__loop_timer_stop(struct tutti__loop *loop, struct tutti__timer *timer)
{
    tutti__timers_stop(&loop->timers, timer);
}
