/* SPDX-License-Identifier: MIT */
/* test_process_limits.c - running short of descriptors, processes, memory; a start of the test's
 * own. */
#include "test_process.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/env.h"
#include "io/spawn.h"

/* ---- 500 at once with 64 descriptors --------------------------------------------------------- */

static void test_many(void)
{
    enum { MANY = 500 };
    static tutti_task *tasks[MANY];
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit tight = { .rlim_cur = 64, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_NOFILE, &tight);
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo x"));
    for (int i = 0; i < MANY; i++) {
        tasks[i] = start(&spec);
    }
    int good = 0;
    for (int i = 0; i < MANY; i++) {
        const struct tutti__process_result *r = NULL;
        int status = finish(tasks[i], &r);
        good += status == TUTTI_OK && r->code == 0 && output_is(r, 0, "x\n") ? 1 : 0;
        tutti_task_unref(tasks[i]);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    EQ_INT(good, MANY, "500 processes with 64 descriptors all run");
}

static void test_none_running(void)
{
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    int lowest_free = dup(0);
    close(lowest_free);
    struct rlimit tight = { .rlim_cur = (rlim_t)lowest_free, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_NOFILE, &tight);
    struct tutti__process_spec spec = spec_of(ARGV("/bin/true"));
    enum { SOME = 10 };
    tutti_task *tasks[SOME];
    int refused = 0;
    for (int i = 0; i < SOME; i++) {
        tasks[i] = start(&spec);
    }
    for (int i = 0; i < SOME; i++) {
        const struct tutti__process_result *r = NULL;
        int status = finish(tasks[i], &r);
        refused += status == TUTTI_EIO && r->start_errno == EMFILE ? 1 : 0;
        tutti_task_unref(tasks[i]);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    EQ_INT(refused, SOME, "with none running and no descriptor at all they fail with EMFILE");
}

/* ---- a start of our own ---------------------------------------------------------------------- */

static _Atomic int begun;    /* starts that have been called */
static _Atomic int started;  /* starts that are on their way back: pid and failures are written */
static _Atomic int together; /* a start goes on when so many have begun: they are under way at once */
static _Atomic int failures; /* so many starts fail with EAGAIN before one goes through */
static _Atomic int last_pid; /* of the last one that went through */
static _Atomic bool no_pidfd;

static void expect_starts(int fail_count, int together_count)
{
    begun = 0;
    started = 0;
    failures = fail_count;
    together = together_count;
}

static int try_start(struct tutti__spawn *s)
{
    begun++;
    for (int i = 0; i < 30000 && begun < together; i++) {
        usleep(1000);
    }
    if (failures > 0) {
        failures--;
        s->error = EAGAIN;
        s->what = "program";
        return TUTTI_EIO;
    }
    int rc = tutti__spawn_start(s);
    if (rc == TUTTI_OK) {
        last_pid = (int)s->pid;
    }
    if (rc == TUTTI_OK && no_pidfd) {
        close(s->pidfd);
        s->pidfd = -1;
        s->pidfd_error = EMFILE;
    }
    return rc;
}

static int our_start(void *user, void *start_arg)
{
    (void)user;
    int rc = try_start(start_arg);
    started++;
    return rc;
}

/* Wait until so many starts have been tried, for whichever task. */
static bool await_started(tutti_task *task, int count)
{
    for (int i = 0; i < 3000 && started < count; i++) {
        tutti_task_wait(task, 10 * TUTTI_NS_PER_MS);
    }
    tutti_task_wait(task, 10 * TUTTI_NS_PER_MS); /* so that one too many may show */
    return started == count;
}

static void test_retry(void)
{
    struct tutti__process_spec slow = spec_of(ARGV("sleep", "61"));
    struct tutti__process_spec spec = spec_of(ARGV("/bin/true"));
    const struct tutti__process_result *r = NULL;
    expect_starts(0, 1);
    tutti_task *running = start(&slow);
    OK(await_started(running, 1), "processes are started through the environment's table");
    expect_starts(1, 1);
    tutti_task *task = start(&spec);
    OK(await_started(task, 1) && !tutti_task_is_done(task), "a start that fails for want of processes waits");
    kill(last_pid, SIGKILL); /* of the running one */
    EQ_INT(finish(task, &r), TUTTI_OK, "and goes through in the end");
    OK(tutti_task_is_done(running), "when a running child has ended");
    EQ_INT(started, 2, "tried once more");
    tutti_task_unref(task);
    tutti_task_unref(running);

    expect_starts(1, 1);
    task = start(&spec);
    EQ_INT(finish(task, &r), TUTTI_EIO, "with none running it fails");
    EQ_INT(r->start_errno, EAGAIN, "with the errno");
    EQ_INT(started, 1, "at once");
    tutti_task_unref(task);
}

static void test_cancel_queued(void)
{
    struct tutti__process_spec slow = spec_of(ARGV("sleep", "61"));
    struct tutti__process_spec spec = spec_of(ARGV("/bin/true"));
    const struct tutti__process_result *r = NULL;
    expect_starts(0, 1);
    tutti_task *running = start(&slow);
    OK(await_started(running, 1), "one runs");
    int running_pid = last_pid;
    /* Both fail, or the one that goes through would show that there is enough again; and they are under
     * way together, or the failure of one would hold the other back untried. */
    expect_starts(2, 2);
    tutti_task *first = start(&spec);
    tutti_task *second = start(&spec);
    OK(await_started(first, 2), "two more are tried and wait");
    expect_starts(0, 1);
    tutti_task_cancel(first);
    EQ_INT(finish(first, &r), TUTTI_ECANCELED, "one that waits to start can be cancelled");
    OK(!tutti_task_is_done(running), "at once");
    kill(running_pid, SIGKILL);
    EQ_INT(finish(second, &r), TUTTI_OK, "the one behind it runs");
    EQ_INT(started, 1, "the cancelled one was never started");
    EQ_INT(finish(running, &r), TUTTI_OK, "the running one");
    EQ_INT(r->signal, SIGKILL, "was not touched but by us");
    tutti_task_unref(first);
    tutti_task_unref(second);
    tutti_task_unref(running);
}

static void test_without_pidfd(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo x; sleep 0.05; exit 4"));
    const struct tutti__process_result *r = NULL;
    expect_starts(0, 1);
    no_pidfd = true;
    tutti_task *task = start(&spec);
    OK(finish(task, &r) == TUTTI_OK && r->code == 4 && output_is(r, 0, "x\n"),
       "without a pidfd a thread waits instead");
    tutti_task_unref(task);
    spec = spec_of(ARGV("sleep", "61"));
    expect_starts(0, 1);
    task = start(&spec);
    OK(await_started(task, 1), "it runs");
    tutti_task_cancel(task);
    OK(finish(task, &r) == TUTTI_ECANCELED && group_ends(r->pid), "and cancelling works");
    tutti_task_unref(task);
    no_pidfd = false;
}

/* ---- out of memory --------------------------------------------------------------------------- */

static void test_out_of_memory(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo x"));
    expect_starts(0, 1);
    int refused = 0;
    for (uint64_t nth = 1; nth < 20; nth++) {
        tutti_task *task = NULL;
        const struct tutti__process_result *r = NULL;
        if (!tutti__alloc_fail_nth(nth)) {
            NOTE("no failing allocations in this build");
            return;
        }
        int rc = tutti__bridge_process(engine, &spec, &task);
        if (rc == TUTTI_OK) {
            int status = finish(task, &r);
            OK(status == TUTTI_OK || r->start_errno == ENOMEM || r->start_errno == EAGAIN,
               "allocation %d fails: the process runs or says why not", (int)nth);
            tutti_task_unref(task);
        } else {
            refused++;
            EQ_INT(rc, TUTTI_ENOMEM, "a call that lacks memory says so");
        }
    }
    tutti__alloc_fail_nth(0);
    OK(refused >= 2, "the first ones are refused in the call");
}

int main(void)
{
    TAP_BEGIN();
    engine_begin(TUTTI_LOOP_OWN_THREAD, NULL);
    tutti_engine_free(engine);
    size_t fds = fd_count();
    struct tutti__env env = *tutti__env_default();
    env.process_start = our_start;
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        engine_begin(loop, NULL);
        test_many();
        test_none_running();
        engine_end(fds);
        engine_begin(loop, &env);
        test_retry();
        test_cancel_queued();
        test_without_pidfd();
        test_out_of_memory();
        engine_end(fds);
    }
    return TAP_END();
}
