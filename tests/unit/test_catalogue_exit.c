/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_exit.c - a host that ends while an engine lives: exit() and return from main, from every
 * kind of thread, with atexit handlers that free the engine or find that they may not.
 *
 * Reproduces: TBB #71, #353, parlaylib #100, tinybvh #275, enkiTS #128: hangs and crashes in static
 * destructors. Each case is a process of its own, forked before this one has any thread; it must end
 * with its own status: no hang, no crash.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test_catalogue.h"

enum { STATUS = 42, HANG_S = 60 };

static tutti_engine *e;
static atomic_int counter;
static tutti_task *kept; /* a host may have handles left as well */

/* ---- a busy engine ---------------------------------------------------------------------------- */

/* Goes on for ever: each makes the next one. */
static int body_again(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add(&counter, 1);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_again, .arg = arg,
                             .flags = TUTTI_DETACH };
    tutti_submit(e, &desc, NULL, 0, NULL);
    return TUTTI_OK;
}

static int body_long(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_fetch_add(&counter, 1);
    nap_us(HANG_S * 2000000L);
    return TUTTI_OK;
}

static void start(uint32_t workers, uint32_t loop)
{
    e = engine_make(workers, loop);
}

static void make_busy(void)
{
    for (int i = 0; i < 4; i++) {
        tutti_task_unref(submit(e, body_again, NULL));
    }
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_long, .flags = TUTTI_BLOCKING };
    tutti_submit(e, &desc, NULL, 0, NULL);
    kept = new_promise(e);
    tutti_task_unref(submit_after(e, body_empty, NULL, &kept, 1));
    tutti_task *sleep = NULL;
    tutti_sleep(e, TUTTI_NS_PER_MS, &sleep);
    tutti_task_unref(sleep);
    while (atomic_load(&counter) < 100) {
        nap_us(100);
    }
}

/* ---- cases: each ends the process, or returns for main to do so ------------------------------- */

static void idle_own_loop(void)
{
    start(2, TUTTI_LOOP_OWN_THREAD);
}

static void idle_callers_loop(void)
{
    start(2, TUTTI_LOOP_CALLER);
}

static void busy(void)
{
    start(2, TUTTI_LOOP_OWN_THREAD);
    make_busy();
}

static void *thread_exits(void *arg)
{
    (void)arg;
    tutti_task_unref(submit(e, body_empty, NULL));
    exit(STATUS);
}

/* The other threads go on, the creator is in a wait. */
static void on_a_foreign_thread(void)
{
    busy();
    pthread_t thread;
    pthread_create(&thread, NULL, thread_exits, NULL);
    tutti_task_wait(kept, TUTTI_FOREVER);
}

static int body_exits(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    exit(STATUS);
}

static void exits_in_a_task(uint32_t flags)
{
    busy();
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_exits, .flags = flags };
    tutti_submit(e, &desc, NULL, 0, NULL);
    tutti_task_wait(kept, TUTTI_FOREVER);
}

static void in_a_task(void)
{
    exits_in_a_task(TUTTI_NO_HELP);
}

static void in_a_blocking_task(void)
{
    exits_in_a_task(TUTTI_BLOCKING);
}

static void in_a_task_of_the_creator(void)
{
    start(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD);
    finish(submit(e, body_exits, NULL));
}

static void post_exits(void *user)
{
    (void)user;
    exit(STATUS);
}

static void on_the_loop(void)
{
    busy();
    tutti_post(e, post_exits, NULL);
    tutti_task_wait(kept, TUTTI_FOREVER);
}

static void on_the_callers_loop(void)
{
    start(1, TUTTI_LOOP_CALLER);
    tutti_post(e, post_exits, NULL);
    tutti_run(e);
}

/* ---- with handlers ---------------------------------------------------------------------------- */

static int free_rc = 99;

static void free_at_exit(void)
{
    if (kept != NULL) {
        tutti_task_unref(kept);
    }
    free_rc = tutti_engine_free(e);
}

static void frees_at_exit(void)
{
    start(2, TUTTI_LOOP_OWN_THREAD);
    kept = new_promise(e);
    tutti_task_unref(submit_after(e, body_empty, NULL, &kept, 1));
    for (int i = 0; i < 1000; i++) {
        tutti_task_unref(submit(e, body_empty, NULL));
    }
    atexit(free_at_exit);
}

/* The handler runs on a worker, which may not end its engine: it is told so and the exit goes on. */
static void check_refused(void)
{
    if (free_rc != TUTTI_EINVAL && free_rc != TUTTI_EDEADLK) {
        _exit(1);
    }
}

static void frees_at_exit_in_a_task(void)
{
    atexit(check_refused); /* the last handler first */
    atexit(free_at_exit);
    start(1, TUTTI_LOOP_OWN_THREAD);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_exits, .flags = TUTTI_NO_HELP };
    tutti_submit(e, &desc, NULL, 0, NULL);
    for (;;) {
        pause();
    }
}

static void uses_at_exit(void)
{
    if (finish(submit(e, body_count, &counter)) != TUTTI_OK) {
        _exit(1);
    }
    if (tutti_engine_free(e) != TUTTI_OK) {
        _exit(2);
    }
}

/* Handlers may still use the engine. */
static void works_in_a_handler(void)
{
    start(2, TUTTI_LOOP_CALLER);
    atexit(uses_at_exit);
}

static void *thread_leaves(void *arg)
{
    (void)arg;
    nap_us(20000);
    exit(STATUS);
}

/* The creator's thread has ended, the process has not. */
static void main_thread_ends(void)
{
    busy();
    pthread_t thread;
    pthread_create(&thread, NULL, thread_leaves, NULL);
    pthread_exit(NULL);
}

/* ---- the cases, one process each -------------------------------------------------------------- */

static void run_case(const char *name, void (*body)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(HANG_S);
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO); /* its checks are not of this count */
        body();
        exit(STATUS);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    OK(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "%s: status %d, signal %d", name,
       WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void)
{
    TAP_BEGIN();
    for (int round = 0; round < 3; round++) {
        run_case("exit with an idle engine", idle_own_loop);
        run_case("exit with an idle engine on the caller's loop", idle_callers_loop);
        run_case("exit with a busy engine", busy);
        run_case("exit on a foreign thread", on_a_foreign_thread);
        run_case("exit in a task", in_a_task);
        run_case("exit in a blocking task", in_a_blocking_task);
        run_case("exit in a task of the creator", in_a_task_of_the_creator);
        run_case("exit in a callback of the loop", on_the_loop);
        run_case("exit in a callback of the caller's loop", on_the_callers_loop);
        run_case("an exit handler frees the engine", frees_at_exit);
        run_case("an exit handler on a worker may not", frees_at_exit_in_a_task);
        run_case("an exit handler uses the engine", works_in_a_handler);
        run_case("the creator's thread ends before the process", main_thread_ends);
    }
    return TAP_END();
}
