/* SPDX-License-Identifier: MIT */
/*
 * test_api_wait.c - waits, run_until, the end with its grace, forks and configs, through tutti.h.
 *
 * Layer: tests only. Locks: none.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "support/proc.h"
#include "support/tap.h"
#include "tutti.h"

#define MS UINT64_C(1000000)

/* ThreadSanitizer ends a child of fork that starts threads. */
#ifdef __SANITIZE_THREAD__
#define CHILD_HAS_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_HAS_THREADS 0
#endif
#endif
#ifndef CHILD_HAS_THREADS
#define CHILD_HAS_THREADS 1
#endif

/* How a child of fork ends. LeakSanitizer would look at threads that only the parent has. */
#ifdef __SANITIZE_ADDRESS__
#define LEAVE(status) _exit(status)
#else
#define LEAVE(status) exit(status)
#endif

static tutti_engine *engine;

static void begin(uint32_t workers, uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .loop = loop,
                            .seed = tap_seed() | 1 };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine is made");
}

static void end(void)
{
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "it is freed");
}

static tutti_task *start(tutti_task_fn fn, void *arg, uint32_t flags)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg, .flags = flags };
    tutti_task *task = NULL;
    return tutti_submit(engine, &desc, NULL, 0, &task) == TUTTI_OK ? task : NULL;
}

static int body_count(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add((atomic_int *)arg, 1);
    return TUTTI_OK;
}

static int body_fib(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    intptr_t n = (intptr_t)arg;
    int64_t sum = n;
    if (n >= 2) {
        tutti_task *left = start(body_fib, (void *)(n - 1), 0);
        tutti_task *right = start(body_fib, (void *)(n - 2), 0);
        const tutti_value *a = NULL;
        const tutti_value *b = NULL;
        if (tutti_task_wait(right, TUTTI_FOREVER) != TUTTI_OK ||
            tutti_task_wait(left, TUTTI_FOREVER) != TUTTI_OK ||
            tutti_task_result(left, &a) != TUTTI_OK || tutti_task_result(right, &b) != TUTTI_OK) {
            return TUTTI_EFAILED;
        }
        sum = a->as.integer + b->as.integer;
        tutti_task_unref(left);
        tutti_task_unref(right);
    }
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = sum };
    return TUTTI_OK;
}

static void fork_join(void)
{
    const tutti_value *value = NULL;
    tutti_task *task = start(body_fib, (void *)(intptr_t)14, 0);
    EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "a family waits for itself");
    EQ_INT(tutti_task_result(task, &value), TUTTI_OK, "and succeeds");
    EQ_INT(value->as.integer, 377, "fib(14)");
    tutti_task_unref(task);
}

/* ---- the loop's thread helps ------------------------------------------------------------------ */

static int body_sleeps(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti_task *sleep = NULL;
    int rc = tutti_sleep(engine, 2 * MS, &sleep);
    if (rc == TUTTI_OK) {
        rc = tutti_task_wait(sleep, TUTTI_FOREVER);
        tutti_task_unref(sleep);
    }
    return rc;
}

static int body_settles(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return tutti_promise_settle(arg, TUTTI_OK, NULL);
}

static int body_waits(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return tutti_task_wait(arg, TUTTI_FOREVER);
}

static void *settle_later(void *promise)
{
    usleep(2000);
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    return NULL;
}

static void *submit_later(void *count)
{
    usleep(2000);
    tutti_task_unref(start(body_count, count, 0));
    return NULL;
}

static bool is_seven(void *count)
{
    return atomic_load((atomic_int *)count) == 7;
}

static void loop_waits(void)
{
    tutti_task *promise = NULL;
    tutti_task *task = start(body_sleeps, NULL, 0);
    EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "a task that waits for a timer");
    EQ_INT((int)tutti_task_state(task), TUTTI_TASK_DONE, "gets it");
    tutti_task_unref(task);
    tutti_promise_new(engine, &promise);
    task = start(body_waits, promise, 0);
    tutti_task *settler = start(body_settles, promise, 0);
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "a task that waits for a stranger");
    EQ_INT((int)tutti_task_state(task), TUTTI_TASK_DONE, "gets it");
    tutti_task_unref(settler);
    tutti_task_unref(task);
    tutti_task_unref(promise);
    pthread_t thread;
    tutti_promise_new(engine, &promise);
    pthread_create(&thread, NULL, settle_later, promise);
    EQ_INT(tutti_task_wait(promise, TUTTI_FOREVER), TUTTI_OK, "a foreign thread wakes the wait");
    pthread_join(thread, NULL);
    EQ_INT(tutti_task_wait(promise, 0), TUTTI_OK, "settled already");
    tutti_task_unref(promise);
    tutti_promise_new(engine, &promise);
    EQ_INT(tutti_task_wait(promise, 2 * MS), TUTTI_ETIMEDOUT, "a deadline passes");
    EQ_INT(tutti_task_wait(promise, 0), TUTTI_ETIMEDOUT, "a poll");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
}

static void run_until(void)
{
    atomic_int count = 0;
    pthread_t thread;
    for (int i = 0; i < 6; i++) {
        tutti_task_unref(start(body_count, &count, 0));
    }
    pthread_create(&thread, NULL, submit_later, &count);
    EQ_INT(tutti_run_until(engine, is_seven, &count), TUTTI_OK, "run until seven tasks have run");
    EQ_INT(atomic_load(&count), 7, "seven have");
    pthread_join(thread, NULL);
    tutti_wait_idle(engine);
}

/* Each settle on a worker must end a sleep in run_until: the task's own store is all there is. */
static bool is_set(void *flag)
{
    return atomic_load_explicit((atomic_int *)flag, memory_order_relaxed) != 0;
}

static void run_until_often(void)
{
    int good = 0;
    for (int i = 0; i < 300; i++) {
        atomic_int flag = 0;
        tutti_task_unref(start(body_count, &flag, TUTTI_NO_HELP)); /* never on this thread */
        good += tutti_run_until(engine, is_set, &flag) == TUTTI_OK;
        tutti_wait_idle(engine);
    }
    EQ_INT(good, 300, "every settle is seen");
}

/* ---- refused ---------------------------------------------------------------------------------- */

struct told {
    int task_wait, idle, run_until, free, run;
};

static bool never(void *user)
{
    (void)user;
    return false;
}

static void ask(struct told *told, tutti_task *promise)
{
    told->task_wait = tutti_task_wait(promise, TUTTI_FOREVER);
    told->idle = tutti_wait_idle(engine);
    told->run_until = tutti_run_until(engine, never, NULL);
    told->free = tutti_engine_free(engine);
}

static struct told told_post;

static void on_post(void *promise)
{
    ask(&told_post, promise);
}

static int body_asks(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    ask(arg, self);
    return TUTTI_OK;
}

static void refused(void)
{
    struct told told = { 0 };
    tutti_task *promise = NULL;
    tutti_task *task = start(body_asks, &told, 0);
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_unref(task);
    EQ_INT(told.task_wait, TUTTI_EDEADLK, "in a task: a wait for itself");
    EQ_INT(told.idle, TUTTI_EDEADLK, "wait_idle");
    EQ_INT(told.run_until, TUTTI_EDEADLK, "run_until");
    EQ_INT(told.free, TUTTI_EDEADLK, "engine_free");
    tutti_promise_new(engine, &promise);
    tutti_post(engine, on_post, promise);
    tutti_task *sleep = NULL;
    tutti_sleep(engine, MS, &sleep);
    tutti_task_wait(sleep, TUTTI_FOREVER);
    tutti_task_unref(sleep);
    EQ_INT(told_post.task_wait, TUTTI_EDEADLK, "in a callback of the loop: a wait");
    EQ_INT(told_post.idle, TUTTI_EDEADLK, "wait_idle");
    EQ_INT(told_post.run_until, TUTTI_EDEADLK, "run_until");
    EQ_INT(told_post.free, TUTTI_EDEADLK, "engine_free");
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static atomic_int released;

static int body_stubborn(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    sem_post(arg);
    while (atomic_load(&released) == 0) {
        usleep(1000);
    }
    return TUTTI_OK;
}

static int body_cooperative(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    sem_post(arg);
    while (!tutti_task_is_cancelled(self)) {
        usleep(1000);
    }
    return TUTTI_ECANCELED;
}

static int body_suspends(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    sem_post(arg);
    return TUTTI_TASK_SUSPEND;
}

struct waiter {
    sem_t *begun;
    tutti_task *promise;
};

static int body_wait_begun(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct waiter *w = arg;
    sem_post(w->begun);
    int rc = tutti_task_wait(w->promise, TUTTI_FOREVER);
    return rc == TUTTI_ECANCELED ? tutti_task_wait(w->promise, TUTTI_FOREVER) : rc;
}

static void take(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

static void ends(uint32_t loop)
{
    sem_t begun;
    sem_init(&begun, 0, 0);
    begin(2, loop);
    tutti_task *promise = NULL;
    tutti_promise_new(engine, &promise);
    struct waiter w = { &begun, promise };
    tutti_task *tasks[6] = {
        start(body_cooperative, &begun, TUTTI_NO_HELP), start(body_cooperative, &begun, TUTTI_BLOCKING),
        start(body_wait_begun, &w, TUTTI_BLOCKING), start(body_wait_begun, &w, TUTTI_NO_HELP),
        start(body_wait_begun, &w, TUTTI_NO_HELP), start(body_suspends, &begun, TUTTI_NO_HELP),
    };
    for (int i = 0; i < 6; i++) {
        take(&begun);
        tutti_task_unref(tasks[i]);
    }
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_waits, .arg = promise };
    for (int i = 0; i < 10; i++) { /* these wait for the promise as tasks */
        tutti_submit(engine, &desc, &promise, 1, NULL);
    }
    tutti_task_unref(promise);
    end();
    sem_destroy(&begun);
}

/* With a grace this short a busy machine may need several. */
static void end_at_last(void)
{
    int rc;
    while ((rc = tutti_engine_free(engine)) == TUTTI_ETIMEDOUT) {
    }
    EQ_INT(rc, TUTTI_OK, "it is freed when nothing runs");
}

static void grace(uint32_t flags, uint32_t loop)
{
    sem_t begun;
    sem_init(&begun, 0, 0);
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .loop = loop,
                            .grace_ns = 30 * MS };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with a grace is made");
    atomic_store(&released, 0);
    tutti_task_unref(start(body_stubborn, &begun, flags));
    take(&begun);
    EQ_INT(tutti_engine_free(engine), TUTTI_ETIMEDOUT, "a body that does not return outlasts it");
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &released };
    EQ_INT(tutti_submit(engine, &desc, NULL, 0, NULL), TUTTI_ESTOPPED, "the intake is closed");
    EQ_INT(tutti_engine_free(engine), TUTTI_ETIMEDOUT, "again");
    atomic_store(&released, 1);
    end_at_last();
    sem_destroy(&begun);
}

/* A callback of the loop's own thread holds up the end as well. */
static void post_stubborn(void *begun)
{
    sem_post(begun);
    while (atomic_load(&released) == 0) {
        usleep(1000);
    }
}

static void grace_of_loop(void)
{
    sem_t begun;
    sem_init(&begun, 0, 0);
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .grace_ns = 30 * MS };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with a grace is made");
    atomic_store(&released, 0);
    tutti_post(engine, post_stubborn, &begun);
    take(&begun);
    EQ_INT(tutti_engine_free(engine), TUTTI_ETIMEDOUT, "a callback that does not return outlasts it");
    atomic_store(&released, 1);
    end_at_last();
    sem_destroy(&begun);
}

static void *free_elsewhere(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)tutti_engine_free(engine);
}

static void free_by_another(void)
{
    pthread_t thread;
    void *rc = NULL;
    begin(1, TUTTI_LOOP_OWN_THREAD);
    pthread_create(&thread, NULL, free_elsewhere, NULL);
    pthread_join(thread, &rc);
    EQ_INT((int)(intptr_t)rc, TUTTI_EINVAL, "another thread may not free it");
    end();
}

/* ---- no workers ------------------------------------------------------------------------------- */

static bool is_ten(void *count)
{
    return atomic_load((atomic_int *)count) == 10;
}

static void *submit_ten(void *count)
{
    for (int i = 0; i < 10; i++) {
        usleep(500);
        tutti_task_unref(start(body_count, count, 0));
    }
    return NULL;
}

static void alone(uint32_t loop)
{
    pthread_t thread;
    atomic_int count = 0;
    begin(TUTTI_NO_WORKERS, loop);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &count,
                             .flags = TUTTI_NO_HELP };
    EQ_INT(tutti_submit(engine, &desc, NULL, 0, NULL), TUTTI_EINVAL, "nobody could run NO_HELP");
    fork_join();
    loop_waits();
    pthread_create(&thread, NULL, submit_ten, &count);
    EQ_INT(tutti_run_until(engine, is_ten, &count), TUTTI_OK, "work from outside wakes the creator");
    pthread_join(thread, NULL);
    if (loop == TUTTI_LOOP_CALLER) {
        tutti_task *promise = NULL;
        atomic_store(&count, 0);
        tutti_promise_new(engine, &promise);
        desc.flags = 0;
        tutti_submit(engine, &desc, &promise, 1, NULL);
        pthread_create(&thread, NULL, settle_later, promise);
        EQ_INT(tutti_run(engine), TUTTI_OK, "tutti_run runs tasks as well");
        EQ_INT(atomic_load(&count), 1, "one has run");
        pthread_join(thread, NULL);
        tutti_task_unref(promise);
    }
    end();
}

/* ---- forks ------------------------------------------------------------------------------------ */

static void drop_nothing(void *user)
{
    (void)user;
}

/* In the child. Returns: what went wrong; 0: nothing. */
static int check_forked(tutti_task *task, tutti_task *promise)
{
    tutti_task *out = NULL;
    tutti_stats stats = { .struct_size = sizeof stats };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &released };
    int rcs[] = {
        tutti_submit(engine, &desc, NULL, 0, &out), tutti_task_wait(task, TUTTI_FOREVER),
        tutti_task_wait(promise, TUTTI_FOREVER), tutti_promise_settle(promise, TUTTI_OK, NULL),
        tutti_task_cancel(promise), tutti_post(engine, drop_nothing, NULL),
        tutti_sleep(engine, 1, &out), tutti_promise_new(engine, &out), tutti_wait_idle(engine),
        tutti_run_until(engine, never, NULL), tutti_task_result(task, NULL),
        tutti_get_stats(engine, &stats), tutti_run(engine), tutti_engine_free(engine),
        tutti_poll(engine, 0), tutti_trim(engine),
    };
    for (size_t i = 0; i < sizeof rcs / sizeof rcs[0]; i++) {
        if (rcs[i] != TUTTI_EFORKED) {
            return 10 + (int)i;
        }
    }
    tutti_task_ref(task);
    tutti_task_unref(task);
    tutti_task_unref(task);
    if (tutti_task_is_done(task) || tutti_task_is_cancelled(task) || tutti_task_cause(task) != NULL ||
        tutti_engine_workers(engine) != 0) {
        return 2;
    }
    if (!CHILD_HAS_THREADS) {
        return 0;
    }
    begin(2, TUTTI_LOOP_OWN_THREAD); /* an engine of the child's own */
    atomic_int count = 0;
    tutti_task *mine = start(body_count, &count, 0);
    int rc = tutti_task_wait(mine, TUTTI_FOREVER);
    tutti_task_unref(mine);
    return rc != TUTTI_OK || count != 1 || tutti_engine_free(engine) != TUTTI_OK ? 3 : 0;
}

static int fork_and_check(tutti_task *task, tutti_task *promise)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        (void)!freopen("/dev/null", "w", stdout); /* the parent counts the tests */
        LEAVE(check_forked(task, promise));
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

struct fork_here {
    tutti_task *task;
    tutti_task *promise;
    int rc;
};

static void *fork_thread(void *arg)
{
    struct fork_here *here = arg;
    here->rc = fork_and_check(here->task, here->promise);
    return NULL;
}

static int body_busy(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    while (!tutti_task_is_cancelled(self)) {
        tutti_task_unref(start(body_count, &released, 0));
        usleep(100);
    }
    return TUTTI_OK;
}

static void forks(uint32_t loop)
{
    struct fork_here here = { 0 };
    pthread_t thread;
    begin(2, loop);
    tutti_task *busy = start(body_busy, NULL, TUTTI_NO_HELP);
    tutti_promise_new(engine, &here.promise);
    here.task = start(body_waits, here.promise, TUTTI_NO_HELP);
    for (int i = 0; i < 3; i++) {
        EQ_INT(fork_and_check(here.task, here.promise), 0, "a child of the main thread");
    }
    pthread_create(&thread, NULL, fork_thread, &here);
    pthread_join(thread, NULL);
    EQ_INT(here.rc, 0, "a child of another thread");
    tutti_promise_settle(here.promise, TUTTI_OK, NULL);
    tutti_task_cancel(busy);
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "the parent goes on");
    tutti_task_unref(busy);
    tutti_task_unref(here.task);
    tutti_task_unref(here.promise);
    end();
}

/* ---- configs ---------------------------------------------------------------------------------- */

static atomic_int started;
static atomic_int stopped;
static atomic_uint highest;

static void on_worker_start(void *user, uint32_t worker)
{
    (void)user;
    atomic_fetch_add(&started, 1);
    uint32_t old = atomic_load(&highest);
    while (worker > old && !atomic_compare_exchange_weak(&highest, &old, worker)) {
    }
}

static void on_worker_stop(void *user, uint32_t worker)
{
    (void)user, (void)worker;
    atomic_fetch_add(&stopped, 1);
}

static int try_config(const tutti_config *config)
{
    tutti_engine *e = NULL;
    int rc = tutti_engine_new(&e, config);
    return rc == TUTTI_OK ? tutti_engine_free(e) : rc;
}

static void configs(void)
{
    tutti_config c = { .struct_size = offsetof(tutti_config, preempt), .workers = 1, .preempt = 99 };
    EQ_INT(try_config(&c), TUTTI_OK, "a config of the oldest header");
    c.struct_size--;
    EQ_INT(try_config(&c), TUTTI_EINVAL, "a shorter one");
    c = (tutti_config){ .struct_size = sizeof c + 8, .workers = 1 };
    EQ_INT(try_config(&c), TUTTI_EINVAL, "one of a later header");
    c = (tutti_config){ .struct_size = sizeof c, .workers = 1, .preempt = TUTTI_PREEMPT_SIGNAL };
    EQ_INT(try_config(&c), TUTTI_OK, "interrupting Lua");
    c.preempt = TUTTI_PREEMPT_SIGNAL + 1;
    EQ_INT(try_config(&c), TUTTI_EINVAL, "interrupting it in a way that is not known");
    c = (tutti_config){ .struct_size = sizeof c, .reserved = 1 };
    EQ_INT(try_config(&c), TUTTI_EINVAL, "a reserved field");
    c = (tutti_config){ .struct_size = sizeof c, .stack_bytes = 1024 };
    EQ_INT(try_config(&c), TUTTI_EINVAL, "a small stack");
    c = (tutti_config){ .struct_size = sizeof c, .workers = 1, .stack_bytes = 64 << 10 };
    EQ_INT(tutti_engine_new(&engine, &c), TUTTI_OK, "the smallest stack");
    fork_join();
    end();
}

static void hooks(void)
{
    tutti_hooks h = { .worker_start = on_worker_start, .worker_stop = on_worker_stop };
    tutti_config c = { .struct_size = sizeof c, .workers = 1, .hooks = &h };
    EQ_INT(tutti_engine_new(&engine, &c), TUTTI_OK, "an engine with hooks");
    memset(&h, 0, sizeof h);
    tutti_task *promise = NULL;
    tutti_promise_new(engine, &promise);
    tutti_task *task = start(body_waits, promise, TUTTI_NO_HELP);
    tutti_task *settler = start(body_settles, promise, TUTTI_NO_HELP);
    tutti_task_wait(task, TUTTI_FOREVER);
    tutti_stats stats = { .struct_size = offsetof(tutti_stats, workers), .workers = 77 };
    EQ_INT(tutti_get_stats(engine, &stats), TUTTI_OK, "stats of the oldest header");
    EQ_INT((int)stats.workers, 77, "and no further");
    stats.struct_size = sizeof stats;
    EQ_INT(tutti_get_stats(engine, &stats), TUTTI_OK, "all stats");
    EQ_INT((int)stats.workers, 1, "one worker");
    tutti_task_unref(settler);
    tutti_task_unref(task);
    tutti_task_unref(promise);
    end();
    EQ_INT(started, 2, "a worker and a spare have begun");
    EQ_INT(stopped, 2, "and ended");
    EQ_INT((int)highest, 1, "the spare's number is above the workers'");
}

static void few_threads(void)
{
    uint64_t live = tutti__alloc_live();
    tutti_config c = { .struct_size = sizeof c, .workers = 4 };
    if (!tutti__thread_fail_from(1)) {
        NOTE("needs a debug build");
        return;
    }
    EQ_INT(try_config(&c), TUTTI_EAGAIN, "not one thread");
    for (uint32_t k = 2; k <= 5; k++) {
        tutti__thread_fail_from(k);
        int rc = tutti_engine_new(&engine, &c);
        /* The loop's own thread is the last to be started. */
        EQ_INT(rc, TUTTI_EAGAIN, "the loop's thread is missing");
        c.loop = TUTTI_LOOP_CALLER;
        tutti__thread_fail_from(k);
        EQ_INT(tutti_engine_new(&engine, &c), TUTTI_OK, "fewer workers");
        EQ_INT((int)tutti_engine_workers(engine), (int)k - 1, "as many as there are threads");
        tutti__thread_fail_from(0);
        fork_join();
        end();
        c.loop = TUTTI_LOOP_OWN_THREAD;
    }
    tutti__thread_fail_from(0);
    OK(tutti__alloc_live() <= live + 8, "nothing is left behind"); /* claims of this thread */
}

/* ---- many engines ----------------------------------------------------------------------------- */

static void many(void)
{
    const char *text = getenv("TUTTI_ROUNDS");
    int rounds = text != NULL ? atoi(text) : 100;
    int good = 0;
    size_t fds_before = proc_descriptors();
    size_t threads_before = proc_count("/proc/self/task"); /* a sanitizer has one of its own */
    uint64_t live = 0;
    for (int i = 0; i < rounds; i++) {
        tutti_config c = { .struct_size = sizeof c, .workers = 1 + (uint32_t)i % 3,
                           .loop = (uint32_t)i % 2 };
        if (tutti_engine_new(&engine, &c) != TUTTI_OK) {
            break;
        }
        for (int n = 0; n < i % 20; n++) {
            tutti_task_unref(start(body_fib, (void *)(intptr_t)5, n % 5 == 0 ? TUTTI_BLOCKING : 0));
        }
        good += tutti_engine_free(engine) == TUTTI_OK;
        if (i == 40) {
            live = tutti__alloc_live();
        }
    }
    EQ_INT(good, rounds, "many engines come and go");
    OK(proc_threads(threads_before) <= threads_before, "no thread is left"); /* one may have been leaving */
    EQ_UINT(proc_descriptors(), fds_before, "no descriptor");
    OK(rounds <= 40 || tutti__alloc_live() <= live + 8, "no memory");
}

int main(void)
{
    TAP_BEGIN();
    hooks(); /* first: it counts threads */
    few_threads();
    for (uint32_t loop = 0; loop < 2; loop++) {
        begin(2, loop);
        fork_join();
        loop_waits();
        run_until();
        run_until_often();
        refused();
        end();
        ends(loop);
        grace(TUTTI_NO_HELP, loop);
        grace(TUTTI_BLOCKING, loop);
        alone(loop);
        forks(loop);
    }
    grace_of_loop();
    free_by_another();
    configs();
    many();
    return TAP_END();
}
