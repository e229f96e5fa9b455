/* SPDX-License-Identifier: MIT */
/* test_api_poll.c - tutti_poll and its budget, tutti_backend_fd and _timeout. */
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "api/engine.h"
#include "base/limits.h"
#include "support/tap.h"
#include "tutti_lua.h"

static tutti_engine *engine;

/* ---- a clock that only moves when a step says so --------------------------------------------- */

static _Atomic uint64_t fake_now_ns = 1000;

static uint64_t fake_clock(void *user)
{
    (void)user;
    return fake_now_ns;
}

static uint64_t fake_random(void *user)
{
    (void)user;
    return tap_seed();
}

static void pass_ms(uint64_t ms)
{
    fake_now_ns += ms * TUTTI_NS_PER_MS;
}

static const struct tutti__env fake_env = { .now_ns = fake_clock, .random = fake_random };

static void begin(uint32_t loop, const struct tutti__env *env)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop };
    if (env != NULL) {
        config.workers = TUTTI_NO_WORKERS; /* a worker spins for some microseconds of this clock */
    }
    REQUIRE(tutti__engine_new(&engine, &config, env) == TUTTI_OK, "an engine is made");
}

static void end(void)
{
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "and freed");
}

/* ---- who may call ---------------------------------------------------------------------------- */

static void poll_inside(void *user)
{
    uint64_t timeout_ns = 77;
    (void)user;
    EQ_INT(tutti_poll(engine, 0), TUTTI_EDEADLK, "a callback of the loop may not poll");
    EQ_INT(tutti_backend_timeout(engine, &timeout_ns), TUTTI_EDEADLK, "nor ask for the timeout");
    EQ_INT(tutti_backend_fd(engine), -1, "nor for the descriptor");
    EQ_UINT(timeout_ns, 77, "nothing is written");
}

static void *poll_elsewhere(void *unused)
{
    uint64_t timeout_ns = 0;
    EQ_INT(tutti_poll(engine, 0), TUTTI_EINVAL, "another thread may not poll");
    EQ_INT(tutti_backend_timeout(engine, &timeout_ns), TUTTI_EINVAL, "nor ask for the timeout");
    EQ_INT(tutti_backend_fd(engine), -1, "nor for the descriptor");
    return unused;
}

static void test_refused(void)
{
    pthread_t thread;
    uint64_t timeout_ns = 0;
    begin(TUTTI_LOOP_OWN_THREAD, NULL);
    EQ_INT(tutti_poll(engine, 0), TUTTI_EINVAL, "an engine that runs its loop itself");
    EQ_INT(tutti_backend_timeout(engine, &timeout_ns), TUTTI_EINVAL, "has no timeout to ask for");
    EQ_INT(tutti_backend_fd(engine), -1, "and no descriptor to give");
    end();
    begin(TUTTI_LOOP_CALLER, NULL);
    EQ_INT(tutti_poll(NULL, 0), TUTTI_EINVAL, "no engine");
    EQ_INT(tutti_backend_timeout(engine, NULL), TUTTI_EINVAL, "nowhere to write to");
    pthread_create(&thread, NULL, poll_elsewhere, NULL);
    pthread_join(thread, NULL);
    tutti_post(engine, poll_inside, NULL);
    EQ_INT(tutti_poll(engine, 0), TUTTI_OK, "the creator may");
    end();
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static int rounds_run;

static void post_again(void *user)
{
    rounds_run++;
    if (rounds_run < 100) {
        tutti_post(engine, post_again, user);
    }
}

static void test_rounds(void)
{
    begin(TUTTI_LOOP_CALLER, NULL);
    EQ_INT(tutti_poll(engine, 0), TUTTI_OK, "nothing is ready");
    EQ_INT(tutti_poll(engine, TUTTI_NS_PER_S), TUTTI_OK, "nor within a second, which is not waited for");
    tutti_post(engine, post_again, NULL);
    EQ_INT(tutti_poll(engine, 0), TUTTI_EAGAIN, "a round without budget leaves what it made ready");
    EQ_INT(rounds_run, 1, "and is one round");
    EQ_INT(tutti_poll(engine, TUTTI_FOREVER), TUTTI_OK, "with budget rounds follow rounds");
    EQ_INT(rounds_run, 100, "until nothing is ready");
    end();
}

/* ---- the budget ------------------------------------------------------------------------------ */

enum { STEPS = 40 };

static int step_order[4 * STEPS];
static int steps_run;

static void slow_step(void *user)
{
    step_order[steps_run++] = *(int *)user;
    pass_ms(1);
}

struct slow_timer {
    struct tutti__timer timer; /* first */
    int number;
};

static void on_slow_timer(struct tutti__timer *timer)
{
    slow_step(&((struct slow_timer *)(void *)timer)->number);
}

static void test_budget_of_posts(void)
{
    static int numbers[STEPS];
    bool in_order = true;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    steps_run = 0;
    for (int i = 0; i < STEPS; i++) {
        numbers[i] = i;
        tutti_post(engine, slow_step, &numbers[i]);
    }
    for (int polls = 0; steps_run < STEPS && polls < STEPS; polls++) {
        int before = steps_run;
        int rc = tutti_poll(engine, 3 * TUTTI_NS_PER_MS + 1);
        int ran = steps_run - before;
        int want = STEPS - before < 4 ? STEPS - before : 4;
        if (ran != want || (rc != TUTTI_EAGAIN && steps_run < STEPS)) {
            FAIL("poll %d ran %d steps and returned %d", polls, ran, rc);
        }
    }
    for (int i = 0; i < STEPS; i++) {
        in_order = in_order && step_order[i] == i;
    }
    EQ_INT(tutti_poll(engine, TUTTI_NS_PER_MS), TUTTI_OK, "then nothing is ready");
    EQ_INT(steps_run, STEPS, "all steps were run, four a poll: the last one begins in time");
    OK(in_order, "in the order they were posted");
    end();
}

static void test_budget_is_shared(void)
{
    static int post_number = 1000;
    static struct slow_timer timers[STEPS];
    begin(TUTTI_LOOP_CALLER, &fake_env);
    steps_run = 0;
    for (int i = 0; i < STEPS; i++) {
        tutti_post(engine, slow_step, &post_number);
        timers[i] = (struct slow_timer){ .timer.fn = on_slow_timer, .number = i };
        tutti__loop_timer_start(engine->loop, &timers[i].timer, fake_now_ns + (uint64_t)i);
    }
    pass_ms(1);
    EQ_INT(tutti_poll(engine, 1), TUTTI_EAGAIN, "a tiny budget");
    EQ_INT(tutti_poll(engine, 1), TUTTI_EAGAIN, "is one step");
    EQ_INT(tutti_poll(engine, 1), TUTTI_EAGAIN, "each time");
    EQ_INT(steps_run, 3, "or more precisely three");
    int posts = 0;
    for (int i = 0; i < steps_run; i++) {
        posts += step_order[i] == post_number;
    }
    OK(posts == 1 || posts == 2, "a flood of posts does not starve the timers, nor they it");
    while (tutti_poll(engine, 5 * TUTTI_NS_PER_MS) == TUTTI_EAGAIN) {
    }
    EQ_INT(steps_run, 2 * STEPS, "all are run in the end");
    int next = 0;
    for (int i = 0; i < steps_run; i++) {
        next += step_order[i] == next;
    }
    EQ_INT(next, STEPS, "timers in the order of their deadlines");
    EQ_INT(tutti_run(engine), TUTTI_OK, "nothing is left to run");
    end();
}

/* What a poll has left must be seen by whatever else runs the loop. */
static void test_rest_is_not_lost(void)
{
    static int number = 1;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    steps_run = 0;
    for (int i = 0; i < STEPS; i++) {
        tutti_post(engine, slow_step, &number);
    }
    EQ_INT(tutti_poll(engine, 1), TUTTI_EAGAIN, "a poll is cut short");
    EQ_INT(tutti_run(engine), TUTTI_OK, "a run does the rest");
    EQ_INT(steps_run, STEPS, "all of it");
    for (int i = 0; i < STEPS; i++) {
        tutti_post(engine, slow_step, &number);
    }
    EQ_INT(tutti_poll(engine, 1), TUTTI_EAGAIN, "and once more");
    end();
    EQ_INT(steps_run, 2 * STEPS, "so does the end of the engine");
}

/* ---- pinned tasks ---------------------------------------------------------------------------- */

static int body_slow(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    slow_step(arg);
    return TUTTI_OK;
}

static void test_budget_of_pinned(void)
{
    static int numbers[STEPS];
    bool in_order = true;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    steps_run = 0;
    for (int i = 0; i < STEPS; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_slow, .arg = &numbers[i],
                                 .flags = TUTTI_PIN_LOOP };
        numbers[i] = i;
        REQUIRE(tutti_submit(engine, &desc, NULL, 0, NULL) == TUTTI_OK, "a pinned task");
    }
    for (int polls = 0; steps_run < STEPS && polls < STEPS; polls++) {
        int before = steps_run;
        int rc = tutti_poll(engine, 3 * TUTTI_NS_PER_MS + 1);
        if (steps_run - before > 4 || (rc != TUTTI_EAGAIN && steps_run < STEPS)) {
            FAIL("poll %d ran %d tasks and returned %d", polls, steps_run - before, rc);
        }
    }
    for (int i = 0; i < STEPS; i++) {
        in_order = in_order && step_order[i] == i;
    }
    EQ_INT(tutti_poll(engine, TUTTI_NS_PER_MS), TUTTI_OK, "then nothing is ready");
    EQ_INT(steps_run, STEPS, "each pinned task was run, at most four a poll");
    OK(in_order, "in order");
    end();
}

/* ---- Lua ------------------------------------------------------------------------------------- */

static int l_slow(lua_State *L)
{
    (void)L;
    steps_run++;
    pass_ms(1);
    return 0;
}

static void test_budget_of_lua(void)
{
    static const char chunk[] = "local tutti = require 'tutti'\n"
                                "for i = 1, 40 do tutti.spawn(slow) end\n";
    lua_State *L = luaL_newstate();
    uint64_t timeout_ns = 1;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    luaL_openlibs(L);
    REQUIRE(tutti_lua_attach(L, engine) == TUTTI_OK, "a Lua state");
    lua_register(L, "slow", l_slow);
    steps_run = 0;
    REQUIRE(luaL_dostring(L, chunk) == LUA_OK, "coroutines become ready outside of a round");
    EQ_INT(tutti_backend_timeout(engine, &timeout_ns), TUTTI_OK, "then");
    EQ_UINT(timeout_ns, 0, "the host must not sleep");
    for (int polls = 0; steps_run < STEPS && polls < STEPS; polls++) {
        int before = steps_run;
        int rc = tutti_poll(engine, 3 * TUTTI_NS_PER_MS + 1);
        if (steps_run - before > 4 || (rc != TUTTI_EAGAIN && steps_run < STEPS)) {
            FAIL("poll %d ran %d coroutines and returned %d", polls, steps_run - before, rc);
        }
    }
    EQ_INT(tutti_poll(engine, TUTTI_NS_PER_MS), TUTTI_OK, "then nothing is ready");
    EQ_INT(steps_run, STEPS, "each was run, four a poll");
    lua_close(L);
    end();
}

/* ---- without workers ------------------------------------------------------------------------- */

static int body_chain(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_chain, .arg = arg,
                             .flags = TUTTI_DETACH };
    slow_step(arg);
    if (steps_run < STEPS) {
        tutti_submit(engine, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

static void test_tasks_without_workers(void)
{
    static int number = 7;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_chain, .arg = &number };
    steps_run = 0;
    REQUIRE(tutti_submit(engine, &desc, NULL, 0, NULL) == TUTTI_OK, "a task that makes the next one");
    for (int polls = 0; steps_run < STEPS && polls < 4 * STEPS; polls++) {
        int before = steps_run;
        int rc = tutti_poll(engine, 3 * TUTTI_NS_PER_MS + 1);
        if (steps_run - before > 4 || (rc != TUTTI_EAGAIN && steps_run < STEPS)) {
            FAIL("poll %d ran %d tasks and returned %d", polls, steps_run - before, rc);
        }
    }
    EQ_INT(steps_run, STEPS, "a poll runs the pool's tasks where nobody else does, within its budget");
    while (tutti_poll(engine, TUTTI_NS_PER_MS) == TUTTI_EAGAIN) {
    }
    EQ_INT(tutti_poll(engine, 0), TUTTI_OK, "then nothing is ready");
    end();
}

static bool is_readable(void);
static uint64_t timeout_now(void);

static void *submit_one(void *arg)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_slow, .arg = arg };
    EQ_INT(tutti_submit(engine, &desc, NULL, 0, NULL), TUTTI_OK, "a foreign thread submits");
    return NULL;
}

static void test_backend_without_workers(void)
{
    static int number = 8;
    pthread_t thread;
    begin(TUTTI_LOOP_CALLER, &fake_env);
    steps_run = 0;
    while (tutti_poll(engine, 0) == TUTTI_EAGAIN) {
    }
    OK(timeout_now() == TUTTI_FOREVER && timeout_now() == TUTTI_FOREVER, "the host may sleep");
    OK(!is_readable(), "nothing wakes it");
    pthread_create(&thread, NULL, submit_one, &number);
    pthread_join(thread, NULL);
    OK(is_readable(), "but a task that only the host can run");
    EQ_UINT(timeout_now(), 0, "after which it may not sleep");
    tutti_poll(engine, TUTTI_NS_PER_MS);
    EQ_INT(steps_run, 1, "and which a poll runs");
    (void)submit_one(&number);
    EQ_UINT(timeout_now(), 0, "nor may it with a task of its own");
    end();
}

/* ---- sleeping elsewhere ---------------------------------------------------------------------- */

static bool is_readable(void)
{
    struct pollfd backend = { .fd = tutti_backend_fd(engine), .events = POLLIN };
    return poll(&backend, 1, 0) == 1;
}

static uint64_t timeout_now(void)
{
    uint64_t timeout_ns = 1;
    EQ_INT(tutti_backend_timeout(engine, &timeout_ns), TUTTI_OK, "the timeout is told");
    return timeout_ns;
}

static void do_nothing(void *user)
{
    (void)user;
}

static void *post_one(void *unused)
{
    tutti_post(engine, do_nothing, NULL);
    return unused;
}

static void test_backend(void)
{
    pthread_t thread;
    tutti_task *task = NULL;
    begin(TUTTI_LOOP_CALLER, NULL);
    OK(tutti_backend_fd(engine) >= 0, "there is a descriptor");
    while (tutti_poll(engine, 0) == TUTTI_EAGAIN) {
    }
    OK(timeout_now() == TUTTI_FOREVER, "with nothing to do the host may sleep for ever");
    OK(!is_readable(), "and nothing wakes it");
    pthread_create(&thread, NULL, post_one, NULL);
    pthread_join(thread, NULL);
    OK(is_readable(), "a post of another thread makes the descriptor readable");
    EQ_UINT(timeout_now(), 0, "and who asks again may not sleep");
    EQ_INT(tutti_poll(engine, TUTTI_NS_PER_S), TUTTI_OK, "a poll runs it");
    OK(!is_readable(), "and takes the event");
    OK(timeout_now() == TUTTI_FOREVER, "then the host may sleep again");
    tutti_sleep(engine, 3600 * TUTTI_NS_PER_S, &task);
    OK(is_readable(), "a sleep that is made between wakes as well");
    tutti_poll(engine, TUTTI_NS_PER_S);
    uint64_t timeout_ns = timeout_now();
    OK(timeout_ns > 3500 * TUTTI_NS_PER_S && timeout_ns <= 3600 * TUTTI_NS_PER_S,
       "its deadline bounds the host's sleep");
    tutti_task_cancel(task);
    tutti_task_unref(task);
    tutti_poll(engine, TUTTI_NS_PER_S);
    OK(timeout_now() == TUTTI_FOREVER, "until it is cancelled");
    EQ_INT(tutti_run(engine), TUTTI_OK, "a run ends what was armed");
    end();
}

/* A child process: its pidfd must be in the backend before the host sleeps. */
static void test_backend_process(void)
{
    static const char *const argv[] = { "/bin/sleep", "0.05", NULL };
    tutti_exec_desc desc = { .struct_size = sizeof desc, .argv = argv };
    tutti_task *task = NULL;
    begin(TUTTI_LOOP_CALLER, NULL);
    REQUIRE(tutti_exec(engine, &desc, &task) == TUTTI_OK, "a process");
    int sleeps = 0;
    while (!tutti_task_is_done(task) && sleeps < 10000) {
        uint64_t timeout_ns = 0;
        struct pollfd backend = { .fd = tutti_backend_fd(engine), .events = POLLIN };
        tutti_poll(engine, TUTTI_NS_PER_MS);
        if (tutti_task_is_done(task)) {
            break;
        }
        tutti_backend_timeout(engine, &timeout_ns);
        if (timeout_ns != 0) {
            sleeps++;
            OK(poll(&backend, 1, 30000) == 1, "sleep %d is ended by an event", sleeps);
        }
    }
    OK(tutti_task_is_done(task) && sleeps < 20, "the process has ended, after %d sleeps", sleeps);
    tutti_task_unref(task);
    end();
}

int main(void)
{
    TAP_BEGIN();
    test_refused();
    test_rounds();
    test_budget_of_posts();
    test_budget_is_shared();
    test_rest_is_not_lost();
    test_budget_of_pinned();
    test_budget_of_lua();
    test_tasks_without_workers();
    test_backend_without_workers();
    test_backend();
    test_backend_process();
    return TAP_END();
}
