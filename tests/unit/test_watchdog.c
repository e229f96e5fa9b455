/* SPDX-License-Identifier: MIT */
/* test_watchdog.c - the watchdog and urgent posts, without Lua: a body that spins plays the Lua state. */
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "sched/core.h"
#include "sched/watchdog.h"
#include "unit/test_sched.h"

/* What a body waits for while it is "in Lua". */
struct state {
    struct tutti__watched watched;
    struct gate gate;      /* begun: it spins */
    uint32_t awaited;      /* bits of asked that it waits for */
    atomic_uint armed;     /* [signal handler] calls of arm */
    atomic_uint described; /* [signal handler] calls of describe */
    atomic_bool may_end;   /* the body ends when this is set, if it waits for nothing */
    uint64_t deadline_ns;
};

static struct tutti__sched *sched;
static atomic_uint urgent_run;
static atomic_uint plain_run;
static pthread_t spinner; /* the thread of the body, while it runs */
static atomic_bool on_home;

static void arm(struct tutti__watched *w)
{
    atomic_fetch_add(&((struct state *)(void *)w)->armed, 1);
}

static bool describe(struct tutti__watched *w, char *text, size_t size)
{
    (void)text, (void)size;
    atomic_fetch_add(&((struct state *)(void *)w)->described, 1);
    return false; /* nothing that is to end: nobody is told, and no spare is made */
}

static void turn(struct state *state)
{
    TUTTI_STORE(&state->watched.turn, TUTTI_LOAD(&state->watched.turn, relaxed) + 1, relaxed);
}

static bool is_asked(struct state *state)
{
    return (TUTTI_LOAD(&state->watched.asked, relaxed) & state->awaited) != 0 &&
           atomic_load(&state->armed) != 0;
}

/* usleep: a call that TSan intercepts, so that a signal is delivered. */
static int body_spin(tutti_task *self, void *arg, tutti_value *result)
{
    struct state *state = arg;
    (void)self, (void)result;
    spinner = pthread_self();
    state->watched.arm = arm;
    state->watched.describe = describe;
    OK(tutti__watchdog_add(tutti__sched_watchdog(sched), &state->watched), "the state is watched");
    turn(state);
    TUTTI_STORE(&state->watched.deadline_ns, state->deadline_ns, relaxed);
    if (state->deadline_ns != 0) {
        tutti__watchdog_alert_by(state->watched.dog, state->deadline_ns);
    }
    sem_post(&state->gate.begun);
    while (state->awaited != 0 ? !is_asked(state) : !atomic_load(&state->may_end)) {
        usleep(50);
    }
    TUTTI_FETCH_AND(&state->watched.asked, ~(uint32_t)TUTTI__ASK_WISHES, relaxed);
    tutti__home_take_urgent(state->watched.home);
    turn(state);
    tutti__watchdog_remove(&state->watched);
    return TUTTI_OK;
}

static tutti_task *begin(struct state *state)
{
    gate_init(&state->gate);
    tutti_task *task = spawn(sched, body_spin, state);
    sem_wait(&state->gate.begun);
    return task;
}

static void end(tutti_task *task, const char *what)
{
    EQ_INT(await(task), TUTTI_OK, what);
    tutti__task_unref(task);
}

static void run_urgent(struct tutti__post *post)
{
    (void)post;
    atomic_store(&on_home, pthread_equal(pthread_self(), spinner) != 0);
    atomic_fetch_add(&urgent_run, 1);
}

static void run_plain(struct tutti__post *post)
{
    (void)post;
    atomic_fetch_add(&plain_run, 1);
}

static void make(void)
{
    struct tutti__sched_config config = { .workers = 1, .seed = 1, .preempt = TUTTI_PREEMPT_SIGNAL };
    REQUIRE(tutti__sched_new(&sched, &config) == TUTTI_OK, "a scheduler");
}

static void urgent_posts(void)
{
    static struct state state = { .awaited = TUTTI__ASK_POSTS };
    static struct tutti__post posts[2] = { { .fn = run_urgent }, { .fn = run_urgent } };
    tutti_task *task = begin(&state);
    tutti__home_post_urgent(state.watched.home, &posts[0]);
    tutti__home_post_urgent(state.watched.home, &posts[1]);
    end(task, "a busy state hears of urgent posts");
    EQ_UINT(atomic_load(&urgent_run), 2, "and takes both");
    OK(atomic_load(&on_home), "on its own thread");
}

static void deadline(void)
{
    static struct state state = { .awaited = TUTTI__ASK_DEADLINE };
    state.deadline_ns = tutti__clock_now_ns() + 20 * TUTTI_NS_PER_MS;
    end(begin(&state), "a busy state hears of its deadline");
    OK(tutti__clock_now_ns() >= state.deadline_ns, "not before it");
}

static void slices(void)
{
    static struct state state = { .awaited = TUTTI__ASK_SLICE, .watched = { .is_sliced = true } };
    static struct tutti__post post = { .fn = run_plain };
    tutti_task *task = begin(&state);
    tutti__home_post(state.watched.home, &post);
    end(task, "a busy state hears that others wait");
}

static void stuck(void)
{
    static struct state state;
    static struct tutti__post post = { .fn = run_urgent };
    tutti_task *task = begin(&state);
    tutti__home_post_urgent(state.watched.home, &post);
    while (atomic_load(&state.described) == 0) {
        usleep(1000);
    }
    OK(atomic_load(&state.armed) > 1, "a state that does not listen is nudged again");
    atomic_store(&state.may_end, true);
    end(task, "and asked what it does");
    EQ_UINT(atomic_load(&state.described), 1, "once");
}

/* ---- the process's handler ---------------------------------------------------------------- */

static atomic_int passed_on;

static void host_handler(int number)
{
    atomic_store(&passed_on, number);
}

static void handler(void)
{
    static struct state state;
    struct sigaction old;
    struct sigaction mine = { .sa_handler = host_handler };
    sigaction(SIGURG, &mine, &old);
    tutti_task *task = begin(&state);
    pthread_kill(spinner, SIGURG);
    while (atomic_load(&passed_on) == 0) {
        usleep(1000);
    }
    EQ_INT(atomic_load(&passed_on), SIGURG, "a signal of somebody else's goes on to the host's handler");
    atomic_store(&state.may_end, true);
    end(task, "the state ends");
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    OK(now.sa_handler == host_handler, "the last state that is watched gives the handler back");
    sigaction(SIGURG, &old, NULL);
}

static void not_asked_for(void)
{
    static struct state state;
    struct tutti__sched *plain = sched_make(1);
    OK(!tutti__watchdog_add(tutti__sched_watchdog(plain), &state.watched),
       "without preempt nothing is watched");
    tutti__watchdog_remove(&state.watched);
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    OK(now.sa_handler == SIG_DFL, "and no handler installed");
    tutti__sched_free(plain);
}

int main(void)
{
    TAP_BEGIN();
    not_asked_for();
    make();
    urgent_posts();
    deadline();
    slices();
    stuck();
    handler();
    tutti__sched_free(sched);
    EQ_UINT(atomic_load(&plain_run), 1, "an ordinary post arrives too");
    return TAP_END();
}
