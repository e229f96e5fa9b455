/* SPDX-License-Identifier: MIT */
/*
 * stress_io.c - several threads sleep, cancel, post and settle while the loop runs; engines are
 * freed in the middle of it all; processes are started and cancelled from every side.
 *
 * Each round is checked by counting: what was made has settled, exactly once, as what it should.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/bridge.h"
#include "api/engine.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "stress/stress.h"
#include "tutti.h"

enum { THREADS = 3 };

static tutti_engine *engine;
static uint64_t deadline_ns;

/* All relaxed: only summed after the threads were joined. */
static atomic_ulong made;
static atomic_ulong done;
static atomic_ulong cancelled;
static atomic_ulong posted;
static atomic_ulong post_ran;
static atomic_ulong early;
static atomic_ulong wrong;

static bool is_time_left(void)
{
    return tutti__clock_now_ns() < deadline_ns;
}

/* Account for a task that must have settled. */
static void settle_up(tutti_task *task)
{
    int status = tutti_task_result(task, NULL);
    if (status == TUTTI_OK) {
        atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    } else if (status == TUTTI_ECANCELED) {
        atomic_fetch_add_explicit(&cancelled, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    }
    tutti_task_unref(task);
}

/* ---- sleeps against cancels ------------------------------------------------------------------ */

static void sleep_once(uint64_t *state)
{
    tutti_task *task = NULL;
    uint64_t delay_ns = tap_random(state) % (500 * TUTTI_NS_PER_US);
    uint64_t begin_ns = tutti__clock_now_ns();
    if (tutti_sleep(engine, delay_ns, &task) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    uint64_t choice = tap_random(state) % 4;
    if (choice == 0) {
        tutti_task_cancel(task);
    } else if (choice == 1) {
        tutti_task_wait(task, tap_random(state) % (600 * TUTTI_NS_PER_US));
        tutti_task_cancel(task);
    }
    if (tutti_task_wait(task, 20 * TUTTI_NS_PER_S) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    }
    if (tutti_task_result(task, NULL) == TUTTI_OK &&
        tutti__clock_now_ns() - begin_ns < delay_ns) {
        atomic_fetch_add_explicit(&early, 1, memory_order_relaxed);
    }
    settle_up(task);
}

/* ---- promises settled by posts --------------------------------------------------------------- */

static void settle_on_loop(void *user)
{
    tutti_task *promise = user;
    atomic_fetch_add_explicit(&post_ran, 1, memory_order_relaxed);
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
}

static void post_once(uint64_t *state)
{
    tutti_task *promise = NULL;
    if (tutti_promise_new(engine, &promise) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    tutti_task_ref(promise);
    atomic_fetch_add_explicit(&posted, 1, memory_order_relaxed);
    tutti_post(engine, settle_on_loop, promise);
    if (tap_random(state) % 3 == 0) {
        tutti_task_cancel(promise);
    }
    if (tutti_task_wait(promise, 20 * TUTTI_NS_PER_S) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    }
    settle_up(promise);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void process_once(uint64_t *state)
{
    static const char *const quick[] = { "/bin/true", NULL };
    static const char *const slow[] = { "/bin/sleep", "20", NULL };
    struct tutti__process_spec spec = {
        .argv = tap_random(state) % 2 == 0 ? quick : slow,
        .capture_bytes = 100,
        .timeout_ns = tap_random(state) % 4 == 0 ? 3 * TUTTI_NS_PER_MS : TUTTI_FOREVER,
        .grace_ns = 5 * TUTTI_NS_PER_S,
    };
    struct tutti__process_spec source = {
        .argv = tap_random(state) % 2 == 0 ? quick : slow,
        .out[0].kind = TUTTI__STDOUT_PROCESS,
        .timeout_ns = tap_random(state) % 4 == 0 ? 3 * TUTTI_NS_PER_MS : TUTTI_FOREVER,
        .grace_ns = 5 * TUTTI_NS_PER_S,
    };
    if (tap_random(state) % 3 == 0) {
        spec.stdin_kind = TUTTI__STDIN_PROCESS;
        spec.feeder = &source;
    }
    tutti_task *task = NULL;
    if (tutti__bridge_process(engine, &spec, &task) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    tutti_task_wait(task, tap_random(state) % (3 * TUTTI_NS_PER_MS));
    tutti_task_cancel(task);
    if (tutti_task_wait(task, 20 * TUTTI_NS_PER_S) != TUTTI_OK) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    }
    if (tutti_task_result(task, NULL) == TUTTI_ETIMEDOUT) {
        atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
        tutti_task_unref(task);
    } else {
        settle_up(task);
    }
}

/* ---- the rounds ------------------------------------------------------------------------------ */

static void *work(void *arg)
{
    uint64_t state = tap_seed() + (uint64_t)(uintptr_t)arg;
    while (is_time_left()) {
        uint64_t choice = tap_random(&state) % 20;
        if (choice == 0) {
            process_once(&state);
        } else if (choice < 10) {
            post_once(&state);
        } else {
            sleep_once(&state);
        }
    }
    return NULL;
}

static atomic_uint threads_left;

static bool are_threads_done(void *user)
{
    (void)user;
    return atomic_load(&threads_left) == 0;
}

static void nudge(void *user)
{
    (void)user;
}

static void *work_and_tell(void *arg)
{
    work(arg);
    atomic_fetch_sub(&threads_left, 1);
    tutti_post(engine, nudge, NULL);
    return NULL;
}

static void test_threads(uint32_t loop, uint64_t span_ns)
{
    pthread_t threads[THREADS];
    tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(2),
                            .loop = loop };
    uint64_t live = tutti__alloc_live();
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    made = done = cancelled = posted = post_ran = 0;
    deadline_ns = tutti__clock_now_ns() + span_ns;
    threads_left = THREADS;
    if (loop == TUTTI_LOOP_CALLER) {
        tutti_run(engine); /* so that waits elsewhere do not get ENOLOOP before the loop runs */
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, work_and_tell, (void *)(i + 1)) == 0, "a thread");
    }
    if (loop == TUTTI_LOOP_CALLER) {
        EQ_INT(tutti__bridge_run_until(engine, are_threads_done, NULL), TUTTI_OK, "the loop runs");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "idle");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    EQ_UINT(done + cancelled, made, "everything that was made has settled");
    EQ_UINT(post_ran, posted, "every post has run");
    EQ_UINT(early, 0, "no sleep was early");
    EQ_UINT(wrong, 0, "nothing went wrong");
    EQ_UINT(tutti__alloc_live(), live, "no memory is left");
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
    NOTE("%lu made, %lu cancelled", made, cancelled);
}

/* Free the engine while sleeps, processes and promises of all ages are under way. */
static void test_free_in_the_middle(uint64_t span_ns)
{
    uint64_t state = tap_seed();
    uint64_t live = tutti__alloc_live();
    unsigned long rounds = 0;
    static const char *const argv[] = { "/bin/sleep", "20", NULL };
    struct tutti__process_spec spec = {
        .argv = argv, .timeout_ns = TUTTI_FOREVER, .grace_ns = 5 * TUTTI_NS_PER_S,
    };
    deadline_ns = tutti__clock_now_ns() + span_ns;
    while (is_time_left() || rounds <= 10) {
        tutti_task *task = NULL;
        tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(2),
                                .loop = rounds % 2 };
        if (tutti_engine_new(&engine, &config) != TUTTI_OK) {
            FAIL("round %lu: no engine", rounds);
            return;
        }
        for (uint64_t n = tap_random(&state) % 20; n > 0; n--) {
            bool is_process = tap_random(&state) % 8 == 0;
            int rc = is_process ? tutti__bridge_process(engine, &spec, &task)
                                : tutti_sleep(engine, tap_random(&state) % TUTTI_NS_PER_MS, &task);
            if (rc != TUTTI_OK) {
                FAIL("round %lu: %s", rounds, tutti_status_text(rc));
            }
            if (tap_random(&state) % 4 == 0) {
                tutti_task_wait(task, tap_random(&state) % TUTTI_NS_PER_MS);
            }
            tutti_task_unref(task);
        }
        tutti_engine_free(engine);
        rounds++;
    }
    OK(rounds > 10, "%lu engines were freed in the middle of their work", rounds);
    EQ_UINT(tutti__alloc_live(), live, "no memory is left");
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
}

int main(void)
{
    TAP_BEGIN();
    uint64_t span_ns = tap_rounds(1000) * TUTTI_NS_PER_MS;
    test_threads(TUTTI_LOOP_OWN_THREAD, span_ns);
    test_threads(TUTTI_LOOP_CALLER, span_ns);
    test_free_in_the_middle(span_ns);
    return TAP_END();
}
