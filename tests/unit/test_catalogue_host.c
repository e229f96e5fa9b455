/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_host.c - hosts that are odd: signals that interrupt every sleep, one CPU, threads that
 * cannot be started, another rounding mode, all signals blocked.
 *
 * Reproduces: glibc 25847 and other sleeps that a signal ends; taskflow #693 (thread creation fails half
 * way); Go and TBB #2056 (one CPU); reliability.md 9, rows 52 and 54. The linker gives this program its
 * own pthread_create (see tests/CMakeLists.txt).
 */
#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "unit/test_catalogue.h"

/* ---- signals ---------------------------------------------------------------------------------- */

static atomic_int storms;   /* signals that were handled */
static atomic_bool raining;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add_explicit(&storms, 1, memory_order_relaxed);
}

static void *rain(void *arg)
{
    while (atomic_load(&raining)) {
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
        nap_us(50);
    }
    return NULL;
}

static void *settle_late(void *arg)
{
    nap_us(30000);
    tutti_promise_settle(arg, TUTTI_OK, NULL);
    return NULL;
}

static void wait_in_rain(tutti_engine *e)
{
    uint64_t before = tutti__clock_now_ns();
    while (atomic_load(&storms) == 0 && tutti__clock_now_ns() - before < HANG_NS) {
        nap_us(100); /* the thread that rains has to come to it first */
    }
    tutti_task *promise = new_promise(e);
    before = tutti__clock_now_ns();
    EQ_INT(tutti_task_wait(promise, 20 * TUTTI_NS_PER_MS), TUTTI_ETIMEDOUT, "a deadline");
    OK(tutti__clock_now_ns() - before >= 20 * TUTTI_NS_PER_MS, "not early, whatever wakes it");
    pthread_t thread;
    pthread_create(&thread, NULL, settle_late, promise);
    EQ_INT(tutti_task_wait(promise, HANG_NS), TUTTI_OK, "a wait goes on until the end");
    pthread_join(thread, NULL);
    tutti_task_unref(promise);
    tutti_task *sleep = NULL;
    before = tutti__clock_now_ns();
    EQ_INT(tutti_sleep(e, 20 * TUTTI_NS_PER_MS, &sleep), TUTTI_OK, "a sleep");
    EQ_INT(finish(sleep), TUTTI_OK, "ends");
    OK(tutti__clock_now_ns() - before >= 20 * TUTTI_NS_PER_MS, "not early");
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
}

static void *wait_elsewhere(void *arg)
{
    wait_in_rain(arg);
    return NULL;
}

/* All waits of the creator and of a foreign thread, under a signal each 50 us. */
static void interrupted(uint32_t workers, uint32_t loop, bool elsewhere)
{
    tutti_engine *e = engine_make(workers, loop);
    struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: EINTR everywhere */
    sigaction(SIGUSR1, &action, NULL);
    pthread_t waiter = pthread_self();
    pthread_t rainer;
    atomic_store(&raining, true);
    atomic_store(&storms, 0);
    if (elsewhere) {
        pthread_create(&waiter, NULL, wait_elsewhere, e);
    }
    pthread_create(&rainer, NULL, rain, &waiter);
    if (elsewhere) {
        uint64_t end_ns = tutti__clock_now_ns() + HANG_NS;
        while (atomic_load(&storms) == 0 && tutti__clock_now_ns() < end_ns) {
            nap_us(1000);
        }
        nap_us(10000); /* a shower; the waiter can be signalled until it is joined */
    } else {
        wait_in_rain(e);
    }
    atomic_store(&raining, false);
    pthread_join(rainer, NULL);
    if (elsewhere) {
        pthread_join(waiter, NULL);
    }
    OK(atomic_load(&storms) > 0, "there were signals: %d", atomic_load(&storms));
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    signal(SIGUSR1, SIG_DFL);
}

static int body_mask(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *(bool *)arg = sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGINT) == 1 &&
                   sigismember(&mask, SIGCHLD) == 1 && sigismember(&mask, SIGSEGV) == 0;
    return TUTTI_OK;
}

/* The host's handlers stay on the host's threads, and its dispositions are its own. */
static void dispositions(void)
{
    struct sigaction before[32];
    struct sigaction after;
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &before[i]);
    }
    sigset_t all;
    sigset_t old;
    sigset_t mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* a host with all signals blocked everywhere */
    tutti_engine *e = engine_make(2, TUTTI_LOOP_OWN_THREAD);
    bool blocked[3] = { false, false, false };
    for (uint32_t i = 0; i < 3; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_mask, .arg = &blocked[i],
                                 .flags = i == 2 ? TUTTI_BLOCKING : TUTTI_NO_HELP };
        tutti_task *task = NULL;
        tutti_submit(e, &desc, NULL, 0, &task);
        finish(task);
    }
    OK(blocked[0] && blocked[1] && blocked[2], "threads of the engine take no signals of the host");
    tutti_task *sleep = NULL;
    EQ_INT(tutti_sleep(e, TUTTI_NS_PER_MS, &sleep), TUTTI_OK, "a sleep");
    EQ_INT(finish(sleep), TUTTI_OK, "works with all signals blocked");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    pthread_sigmask(SIG_SETMASK, &old, &mask);
    int changed = 0;
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &after);
        changed += after.sa_handler != before[i].sa_handler;
    }
    EQ_INT(changed, 0, "no disposition of a signal has changed");
    OK(sigismember(&mask, SIGUSR2) == 1, "nor has the mask of the creator");
}

/* ---- one CPU ---------------------------------------------------------------------------------- */

static int body_yield_until(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    while (atomic_load((atomic_int *)arg) == 0) {
        sched_yield();
    }
    return TUTTI_OK;
}

static void set_one(void *user)
{
    atomic_store((atomic_int *)user, 1);
}

/* onnxruntime #23098, TBB #2056: with one CPU who waits must let the others go on. */
static void one_cpu(void)
{
    cpu_set_t old;
    cpu_set_t one;
    sched_getaffinity(0, sizeof old, &old);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &old)) {
            CPU_SET(i, &one);
        }
    }
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0, "one CPU");
    tutti_engine *e = engine_make(0, TUTTI_LOOP_OWN_THREAD);
    EQ_UINT(tutti_engine_workers(e), 1, "on one CPU there is one worker");
    atomic_int ran = 0;
    for (int i = 0; i < SCALED(10000); i++) {
        tutti_task_unref(submit(e, body_count, &ran));
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, SCALED(10000), "all ran");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    e = engine_make(4, TUTTI_LOOP_OWN_THREAD);
    for (int i = 0; i < 20; i++) {
        atomic_int flag = 0;
        tutti_task *spins = submit(e, body_yield_until, &flag);
        tutti_post(e, set_one, &flag);
        if (finish(spins) != TUTTI_OK) {
            FAIL("a task that waits for the loop");
        }
    }
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "four workers on one CPU");
    sched_setaffinity(0, sizeof old, &old);
}

/* ---- threads that cannot be started ----------------------------------------------------------- */

static atomic_int threads_left = 1 << 30; /* how many more may be started */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    if (atomic_fetch_sub(&threads_left, 1) <= 0) {
        return EAGAIN;
    }
    return __real_pthread_create(thread, attr, fn, arg);
}

static void use_engine(tutti_engine *e, int allowed)
{
    atomic_int ran = 0;
    for (int i = 0; i < 100; i++) {
        tutti_task_unref(submit(e, body_count, &ran));
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, 100, "an engine with fewer threads runs everything");
    OK(tutti_engine_workers(e) >= 1 && tutti_engine_workers(e) <= (uint32_t)allowed,
       "%u workers of %d threads", tutti_engine_workers(e), allowed);
}

/* The k-th thread cannot be started: fewer workers, or EAGAIN with nothing left behind. */
static void kth_thread_fails(uint32_t loop)
{
    int refused = 0;
    int smaller = 0;
    for (int allowed = 0; allowed < 7; allowed++) {
        uint64_t live = tutti__alloc_live();
        tutti_config config = { .struct_size = sizeof config, .workers = 4, .loop = loop };
        tutti_engine *e = NULL;
        atomic_store(&threads_left, allowed);
        int rc = tutti_engine_new(&e, &config);
        if (rc == TUTTI_OK) {
            use_engine(e, allowed);
            smaller += tutti_engine_workers(e) < 4;
            EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
        } else {
            EQ_INT(rc, TUTTI_EAGAIN, "no thread");
            EQ_PTR(e, NULL, "no engine");
            refused++;
        }
        atomic_store(&threads_left, 1 << 30);
        EQ_UINT(tutti__alloc_live(), live, "nothing is left");
    }
    OK(refused >= 1 && (smaller >= 1 || loop == TUTTI_LOOP_OWN_THREAD),
       "%d times refused, %d times with fewer workers", refused, smaller);
}

/* No thread for a blocking task at the moment. It must not be lost. */
static void no_blocking_thread(void)
{
    tutti_engine *e = engine_make(1, TUTTI_LOOP_OWN_THREAD);
    atomic_int ran = 0;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &ran,
                             .flags = TUTTI_BLOCKING, .arg_drop = drop_count };
    atomic_store(&dropped, 0);
    tutti_task *tasks[10];
    atomic_store(&threads_left, 0);
    for (int i = 0; i < 10; i++) {
        if (tutti_submit(e, &desc, NULL, 0, &tasks[i]) != TUTTI_OK) {
            FAIL("submit %d", i);
        }
    }
    nap_us(5000);
    atomic_store(&threads_left, 1 << 30);
    tutti_task *last = NULL;
    EQ_INT(tutti_submit(e, &desc, NULL, 0, &last), TUTTI_OK, "one more, with threads again");
    EQ_INT(finish(last), TUTTI_OK, "runs");
    for (int i = 0; i < 10; i++) {
        int rc = finish(tasks[i]);
        if (rc != TUTTI_OK && rc != TUTTI_EAGAIN) {
            FAIL("task %d: %d", i, rc);
        }
    }
    EQ_INT(dropped, 11, "each argument was dropped once");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

/* ---- the rest --------------------------------------------------------------------------------- */

/* Times and counts must not depend on how floating point is rounded. */
static void rounding(void)
{
    static const int modes[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    for (int i = 0; i < 3; i++) {
        fesetround(modes[i]);
        tutti_engine *e = engine_make(1, TUTTI_LOOP_CALLER);
        tutti_task *sleep = NULL;
        uint64_t before = tutti__clock_now_ns();
        tutti_sleep(e, 2 * TUTTI_NS_PER_MS + 1, &sleep);
        EQ_INT(finish(sleep), TUTTI_OK, "a sleep with another rounding mode");
        OK(tutti__clock_now_ns() - before > 2 * TUTTI_NS_PER_MS, "is not early");
        EQ_INT(fegetround(), modes[i], "the mode of the host stays");
        EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    }
    fesetround(FE_TONEAREST);
}

/* The engine's threads have stacks of their own size, whatever the system's limit is. */
static void small_stacks(void)
{
    struct rlimit old;
    getrlimit(RLIMIT_STACK, &old);
    struct rlimit tiny = { .rlim_cur = 64 << 10, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_STACK, &tiny);
    tutti_engine *e = engine_make(2, TUTTI_LOOP_OWN_THREAD);
    EQ_INT(finish(submit(e, body_empty, NULL)), TUTTI_OK, "with a stack limit of 64 KiB");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    setrlimit(RLIMIT_STACK, &old);
}

int main(void)
{
    TAP_BEGIN();
    interrupted(1, TUTTI_LOOP_OWN_THREAD, false);
    interrupted(1, TUTTI_LOOP_OWN_THREAD, true);
    interrupted(1, TUTTI_LOOP_CALLER, false);
    interrupted(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD, false);
    dispositions();
    one_cpu();
    kth_thread_fails(TUTTI_LOOP_OWN_THREAD);
    kth_thread_fails(TUTTI_LOOP_CALLER);
    no_blocking_thread();
    rounding();
    small_stacks();
    return TAP_END();
}
