/* SPDX-License-Identifier: MIT */
/* test_io_loop.c - rounds, sleeping and waking, timers in real time, closing. */
#include <pthread.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "base/env.h"
#include "base/limits.h"
#include "io/loop.h"
#include "support/tap.h"
#include "tutti.h"

static struct tutti__loop *loop;

static uint64_t now_ns(void)
{
    return tutti__loop_now_ns(loop);
}

static bool is_set(void *user)
{
    return *(bool *)user;
}

/* ---- timers ---------------------------------------------------------------------------------- */

struct alarm {
    struct tutti__timer timer; /* first */
    uint64_t fired_ns;
    bool done;
};

static void on_alarm(struct tutti__timer *timer)
{
    struct alarm *a = (struct alarm *)(void *)timer;
    a->fired_ns = now_ns();
    a->done = true;
}

static void test_timer_is_never_early(void)
{
    uint64_t worst_ns = 0;
    bool early = false;
    for (uint64_t i = 1; i <= 30; i++) {
        struct alarm a = { .timer.fn = on_alarm };
        uint64_t deadline_ns = now_ns() + i * 137 * TUTTI_NS_PER_US;
        tutti__loop_timer_start(loop, &a.timer, deadline_ns);
        EQ_INT(tutti__loop_run_until(loop, is_set, &a.done), TUTTI_OK, "the loop runs");
        early = early || a.fired_ns < deadline_ns;
        uint64_t late_ns = a.fired_ns - deadline_ns;
        worst_ns = late_ns > worst_ns ? late_ns : worst_ns;
    }
    OK(!early, "no timer fires before its deadline");
    NOTE("worst lateness %d us", (int)(worst_ns / TUTTI_NS_PER_US));
}

static void test_idle_costs_nothing(void)
{
    struct rusage before;
    struct rusage after;
    struct alarm a = { .timer.fn = on_alarm };
    getrusage(RUSAGE_THREAD, &before);
    tutti__loop_timer_start(loop, &a.timer, now_ns() + 300 * TUTTI_NS_PER_MS);
    tutti__loop_run_until(loop, is_set, &a.done);
    getrusage(RUSAGE_THREAD, &after);
    EQ_INT(after.ru_nvcsw - before.ru_nvcsw <= 3, 1, "a sleep is one visit to the kernel");
}

/* ---- posts ----------------------------------------------------------------------------------- */

enum { POSTS = 20000 };

struct numbered {
    struct tutti__post post; /* first */
    int number;
};

static struct numbered numbered[POSTS];
static int next_number;
static bool in_order = true;
static bool all_came;

static void on_numbered(struct tutti__post *post)
{
    in_order = in_order && ((struct numbered *)(void *)post)->number == next_number;
    next_number++;
    all_came = next_number == POSTS;
}

static void *post_all(void *arg)
{
    uint64_t state = tap_seed();
    (void)arg;
    for (int i = 0; i < POSTS; i++) {
        numbered[i] = (struct numbered){ .post.fn = on_numbered, .number = i };
        tutti__home_post(tutti__loop_home(loop), &numbered[i].post);
        if (tap_random(&state) % 64 == 0) {
            usleep((useconds_t)(tap_random(&state) % 100)); /* let the loop fall asleep */
        }
    }
    return NULL;
}

static void test_posts_wake_the_loop(void)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, post_all, NULL) == 0, "a thread starts");
    tutti__loop_run_until(loop, is_set, &all_came);
    pthread_join(thread, NULL);
    EQ_INT(next_number, POSTS, "every post arrives, though nothing else wakes the loop");
    OK(in_order, "in the order they were sent");
}

static int nested_status;
static bool nested_done;

static void on_nested(struct tutti__post *post)
{
    (void)post;
    bool yes = true;
    nested_status = tutti__loop_run_until(loop, is_set, &yes);
    nested_done = true;
}

static void test_nested_run_is_refused(void)
{
    struct tutti__post post = { .fn = on_nested };
    tutti__home_post(tutti__loop_home(loop), &post);
    tutti__loop_run_until(loop, is_set, &nested_done);
    EQ_INT(nested_status, TUTTI_EDEADLK, "running the loop from inside a round is refused");
}

/* ---- the pump -------------------------------------------------------------------------------- */

static int pump_left;
static bool pump_ran_out;

static bool pump(void *user)
{
    (void)user;
    if (pump_left > 0) {
        pump_left--;
    }
    pump_ran_out = pump_left == 0;
    return pump_left > 0;
}

static void on_uv_timer(uv_timer_t *handle)
{
    (void)handle;
    pump_left = 3; /* as a luv callback that makes a coroutine ready */
    pump_ran_out = false;
}

static bool timer_closed;

static void on_uv_closed(uv_handle_t *handle)
{
    (void)handle;
    timer_closed = true;
}

static bool pump_has_worked(void *user)
{
    (void)user;
    return pump_ran_out;
}

/* A libuv timer that becomes due just as the loop is about to sleep must not leave what it made
 * ready behind: with nothing else to wake the loop, that would hang. */
static void test_uv_timers_and_the_pump(void)
{
    struct tutti__home *home = tutti__loop_home(loop);
    uv_timer_t timer;
    home->pump = pump;
    uv_timer_init(tutti__loop_uv(loop), &timer);
    int rounds = 0;
    for (uint64_t ms = 0; ms < 40; ms++) {
        pump_left = -1;
        pump_ran_out = false;
        uv_timer_start(&timer, on_uv_timer, ms % 4, 0);
        tutti__loop_run_until(loop, pump_has_worked, NULL);
        rounds++;
    }
    EQ_INT(rounds, 40, "what a libuv timer makes ready is pumped");
    home->pump = NULL;
    uv_close((uv_handle_t *)&timer, on_uv_closed);
    tutti__loop_run_until(loop, is_set, &timer_closed);
}

/* ---- being quiet, closing -------------------------------------------------------------------- */

static bool is_quiet(void *user)
{
    (void)user;
    return tutti__loop_is_quiet(loop);
}

static void test_quiet(void)
{
    struct alarm a = { .timer.fn = on_alarm };
    uv_timer_t timer;
    uint64_t begin_ns = now_ns();
    tutti__loop_run_until(loop, is_quiet, NULL);
    OK(now_ns() - begin_ns < TUTTI_NS_PER_S, "an empty loop is quiet at once");
    tutti__loop_timer_start(loop, &a.timer, now_ns() + 5 * TUTTI_NS_PER_MS);
    tutti__loop_run_until(loop, is_quiet, NULL);
    OK(a.done, "it is not while a timer is armed");
    uv_timer_init(tutti__loop_uv(loop), &timer);
    uv_timer_start(&timer, on_uv_timer, 5, 0);
    pump_left = 0;
    tutti__loop_run_until(loop, is_quiet, NULL);
    EQ_INT(pump_left, 3, "nor while a libuv handle is active");
    /* `timer` is left open on purpose: closing the loop has to close it. */
    tutti__loop_free(loop);
    OK(uv_is_closing((uv_handle_t *)&timer) != 0, "what was left open is closed with the loop");
}

int main(void)
{
    TAP_BEGIN();
    REQUIRE(tutti__loop_new(&loop, tutti__env_default(), NULL) == TUTTI_OK, "a loop is made");
    test_timer_is_never_early();
    test_idle_costs_nothing();
    test_posts_wake_the_loop();
    test_nested_run_is_refused();
    test_uv_timers_and_the_pump();
    test_quiet();
    return TAP_END();
}
