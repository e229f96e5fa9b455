/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_fork.c - fork while an engine lives: in the child every call on the parent's engine says
 * so at once, exit works, and an engine of its own works; the parent's goes on.
 *
 * Reproduces: rayon #708, tokio #1541, futures-rs #649, zarrs-python #195, root #7075: a child that hangs
 * in a pool whose threads it does not have, or joins them when it exits.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test_catalogue.h"

enum { STATUS = 42, HANG_S = 60 };

static tutti_engine *e;
static tutti_task *promise; /* pending */
static tutti_task *done;    /* settled */

static void nothing(void *user)
{
    (void)user;
}

static int chunk(void *user, size_t begin, size_t end)
{
    (void)user, (void)begin, (void)end;
    return TUTTI_OK;
}

static int native(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                  tutti_value *result)
{
    (void)self, (void)user, (void)args, (void)argc, (void)result;
    return TUTTI_OK;
}

/* Returns: the number of the first call that did not say EFORKED; 0: all did. */
static int calls_on_the_parents(void)
{
    static const char *const argv[] = { "true", NULL };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
    tutti_exec_desc exec = { .struct_size = sizeof exec, .argv = argv };
    tutti_range range = { 0, 100, 1 };
    tutti_stats stats = { .struct_size = sizeof stats };
    tutti_value value = { .kind = TUTTI_INT };
    tutti_task *task = NULL;
    const int rcs[] = {
        tutti_submit(e, &desc, NULL, 0, &task),
        tutti_submit(e, &desc, &promise, 1, NULL),
        tutti_promise_new(e, &task),
        tutti_promise_settle(promise, TUTTI_OK, &value),
        tutti_task_cancel(promise),
        tutti_task_wait(promise, TUTTI_FOREVER),
        tutti_wait_idle(e),
        tutti_post(e, nothing, NULL),
        tutti_sleep(e, 1, &task),
        tutti_exec(e, &exec, &task),
        tutti_register(e, "name", native, NULL),
        tutti_parallel_for(e, &range, chunk, NULL),
        tutti_get_stats(e, &stats),
        tutti_engine_free(e),
    };
    int count = (int)(sizeof rcs / sizeof rcs[0]);
    for (int i = 0; i < count; i++) {
        if (rcs[i] != TUTTI_EFORKED) {
            return i + 1;
        }
    }
    tutti_task_ref(done); /* these return nothing, and do nothing */
    tutti_task_unref(done);
    tutti_task_unref(promise);
    return task == NULL ? 0 : count + 1;
}

/* ThreadSanitizer starts no threads after such a fork. */
static int own_engine(void)
{
#ifndef TUTTI_TSAN
    tutti_engine *own = NULL;
    if (tutti_engine_new(&own, NULL) != TUTTI_OK || finish(submit(own, body_empty, NULL)) != TUTTI_OK ||
        tutti_engine_free(own) != TUTTI_OK) {
        return 50;
    }
#endif
    return 0;
}

/* What another thread was about to store when the process forked looks like a leak in the child, where
 * that thread does not exist: only the parent looks for leaks. LeakSanitizer asks this at exit; with gcc
 * it is a library, which would ask its own if this one were hidden, as all else is here. */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

static void child(void)
{
    is_child = 1;
    alarm(HANG_S);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    int rc = calls_on_the_parents();
    rc = rc == 0 ? own_engine() : rc;
    exit(rc == 0 ? STATUS : rc);
}

/* Fork `times` from this thread. Returns: the first status of a child that is not STATUS, else STATUS. */
static int fork_here(int times)
{
    int first = STATUS;
    for (int i = 0; i < times && first == STATUS; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            child();
        }
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        first = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return first;
}

static void *fork_elsewhere(void *arg)
{
    *(int *)arg = fork_here(5);
    return NULL;
}

static int body_fork(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    *(int *)arg = fork_here(2);
    return TUTTI_OK;
}

/* Keeps the workers, their queues and locks busy for as long as others fork. */
static atomic_bool stop;

static int body_again(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_again, .flags = TUTTI_DETACH };
    return atomic_load(&stop) ? TUTTI_OK : tutti_submit(e, &desc, NULL, 0, NULL);
}

static void forks(uint32_t loop)
{
    e = engine_make(2, loop);
    promise = new_promise(e);
    done = submit(e, body_empty, NULL);
    OK(has_ended(done), "a task has ended");
    EQ_INT(fork_here(5), STATUS, "children of an idle engine's creator");
    atomic_store(&stop, false);
    tutti_task_unref(submit(e, body_again, NULL));
    tutti_task_unref(submit(e, body_again, NULL));
    EQ_INT(fork_here(10), STATUS, "children of a busy engine's creator");
    int status = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, fork_elsewhere, &status);
    pthread_join(thread, NULL);
    EQ_INT(status, STATUS, "children of another thread");
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_fork, .arg = &status,
                             .flags = TUTTI_NO_HELP };
    tutti_task *task = NULL;
    status = 0;
    tutti_submit(e, &desc, NULL, 0, &task);
    EQ_INT(finish(task), TUTTI_OK, "a task that forks");
    EQ_INT(status, STATUS, "children of a worker");
    atomic_store(&stop, true);
    EQ_INT(tutti_promise_settle(promise, TUTTI_OK, NULL), TUTTI_OK, "the parent's engine goes on");
    EQ_INT(finish(promise), TUTTI_OK, "as before");
    tutti_task_unref(done);
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

int main(void)
{
    TAP_BEGIN();
    forks(TUTTI_LOOP_OWN_THREAD);
    forks(TUTTI_LOOP_CALLER);
    return TAP_END();
}
