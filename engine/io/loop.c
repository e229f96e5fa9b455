/* SPDX-License-Identifier: MIT */
/*
 * loop.c - see loop.h.
 *
 *   other threads --- home.inbox, then uv_async_send if asleep ---> ppoll(backend fd)
 *   round:  [sleep] -> uv_run(NOWAIT) -> inbox -> timers -> pump -> until?
 *
 * Layer: io. Locks: none.
 * Invariant: home.asleep is 1 only around ppoll, so what runs in a round never pays for a wake-up.
 */
#include "io/loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "tutti.h"

struct tutti__loop {
    struct tutti__home home;
    uv_loop_t uv;                 /* [loop] */
    uv_async_t door;              /* [loop; any may send] */
    struct tutti__timers timers;  /* [loop] */
    const struct tutti__env *env; /* [const] */
    bool is_running;              /* [loop] inside tutti__loop_run_until */
    bool is_closed;               /* [loop] */
    bool has_more;                /* [loop] the last pump said that more is ready */
};

static struct tutti__loop *of_home(struct tutti__home *home)
{
    return (struct tutti__loop *)(void *)((char *)home - offsetof(struct tutti__loop, home));
}

/* Thread: any. Called by tutti__home_post after its exchange of `asleep` has read the 1 that this
 * loop stored after it had last looked at `door`; so uv_async_send cannot take its shortcut for an
 * event that was consumed already, the one case in which it loses a wake-up. */
static void wake(struct tutti__home *home)
{
    int rc = uv_async_send(&of_home(home)->door);
    TUTTI_ASSERT(rc == 0);
    (void)rc;
}

/* The event was the message: the round that follows drains the inbox. */
static void on_door(uv_async_t *door)
{
    (void)door;
}

int tutti__loop_new(struct tutti__loop **out, const struct tutti__env *env)
{
    struct tutti__loop *loop = tutti__alloc_zero(1, sizeof *loop);
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
    loop->home.wake = wake;
    *out = loop;
    return TUTTI_OK;

out_close:
    /* The handle was never linked: an async that fails to open the loop's eventfd leaves
     * nothing. */
    uv_loop_close(&loop->uv);
out_free:
    tutti__free(loop);
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
    tutti__free(loop);
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

static void sleep_a_while(struct tutti__loop *loop)
{
    uint64_t limit_ns = sleep_limit_ns(loop);
    if (limit_ns == 0) {
        return;
    }
    /* Dekker with tutti__home_post, which pushes, fences and then reads `asleep`: either it sees
     * the 1 and wakes us, or we see its post here. Relaxed is enough around a seq_cst fence. */
    TUTTI_STORE(&loop->home.asleep, 1, relaxed);
    TUTTI_FENCE(seq_cst);
    if (TUTTI_LOAD(&loop->home.inbox, relaxed) == NULL) {
        wait_for_kernel(loop, limit_ns);
    }
    TUTTI_STORE(&loop->home.asleep, 0, relaxed); /* pairs with nothing: a drain follows */
}

static void run_round(struct tutti__loop *loop)
{
    if (!loop->has_more) {
        sleep_a_while(loop);
    }
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    (void)tutti__home_drain(&loop->home);
    if (tutti__timers_next_ns(&loop->timers) != TUTTI_FOREVER) {
        (void)tutti__timers_fire(&loop->timers, tutti__loop_now_ns(loop));
    }
    loop->has_more = loop->home.pump != NULL && loop->home.pump(loop->home.pump_user);
}

int tutti__loop_run_until(struct tutti__loop *loop, bool (*until)(void *user), void *user)
{
    if (loop->is_running) {
        return TUTTI_EDEADLK;
    }
    loop->is_running = true;
    loop->has_more = true; /* unknown until the pump was asked: do not sleep in the first round */
    while (!until(user)) {
        run_round(loop);
    }
    loop->is_running = false;
    return TUTTI_OK;
}

bool tutti__loop_is_quiet(struct tutti__loop *loop)
{
    if (loop->has_more || loop->timers.count > 0 ||
        TUTTI_LOAD(&loop->home.inbox, relaxed) != NULL) { /* relaxed: a hint; run_round drains */
        return false;
    }
    uv_unref((uv_handle_t *)&loop->door); /* the door alone does not count */
    bool is_alive = uv_loop_alive(&loop->uv) != 0;
    uv_ref((uv_handle_t *)&loop->door);
    return !is_alive;
}

bool tutti__loop_is_running(const struct tutti__loop *loop)
{
    return loop->is_running;
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
