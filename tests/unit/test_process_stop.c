/* SPDX-License-Identifier: MIT */
/* test_process_stop.c - cancelling, timeouts, stopping the engine: nothing may be left behind. */
#include "test_process.h"

#include <sys/stat.h>

#include "base/clock.h"

static char flag_path[64]; /* a FIFO: a child says that it is ready by opening it */

/* Wait until the child has run `echo > flag_path`. */
static void await_ready(void)
{
    char bytes[16];
    int fd = open(flag_path, O_RDONLY | O_CLOEXEC);
    while (read(fd, bytes, sizeof bytes) > 0) {
        /* until it closes */
    }
    close(fd);
}

/* Start `script` with $0 = the flag and wait until it is ready. */
static tutti_task *start_ready(const char *script, uint64_t grace_ns)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", script, flag_path));
    spec.grace_ns = grace_ns;
    tutti_task *task = start(&spec);
    if (!engine->has_own_loop) {
        /* Nothing runs while we block in open: let the loop start it first. */
        tutti_task_wait(task, 100 * TUTTI_NS_PER_MS);
    }
    await_ready();
    return task;
}

static const struct tutti__process_result *cancel_and_wait(tutti_task *task, uint64_t *took_ns)
{
    const struct tutti__process_result *r = NULL;
    uint64_t begin_ns = tutti__bridge_now_ns(engine);
    EQ_INT(tutti_task_cancel(task), TUTTI_EPENDING, "a running process is not gone at once");
    int status = finish(task, &r);
    EQ_INT(status, TUTTI_ECANCELED, "the task ends as cancelled");
    REQUIRE(r != NULL, "and there is a result");
    *took_ns = tutti__bridge_now_ns(engine) - begin_ns;
    return r;
}

static void test_cancel_group(void)
{
    uint64_t took_ns = 0;
    tutti_task *task = start_ready("sleep 61 & echo > $0; wait", 60 * TUTTI_NS_PER_S);
    const struct tutti__process_result *r = cancel_and_wait(task, &took_ns);
    OK(group_ends(r->pid), "the whole group is gone");
    EQ_INT(r->signal, SIGTERM, "it ended by TERM");
    OK(took_ns < 60 * TUTTI_NS_PER_S, "without waiting for the grace");
    EQ_INT(tutti_task_cancel(task), TUTTI_ESETTLED, "cancelling it again finds it settled");
    tutti_task_unref(task);
}

static void test_kill_after_grace(void)
{
    uint64_t took_ns = 0;
    tutti_task *task =
        start_ready("trap '' TERM; echo > $0; while :; do sleep 1; done", 300 * TUTTI_NS_PER_MS);
    const struct tutti__process_result *r = cancel_and_wait(task, &took_ns);
    EQ_INT(r->signal, SIGKILL, "one that ignores TERM is killed");
    OK(took_ns >= 300 * TUTTI_NS_PER_MS, "not before the grace is over");
    OK(group_ends(r->pid), "with its group");
    tutti_task_unref(task);
}

static void test_stubborn_member(void)
{
    uint64_t took_ns = 0;
    tutti_task *task = start_ready(
        "(trap '' TERM; echo > $0; exec >/dev/null 2>&1; while :; do sleep 1; done) & wait",
        300 * TUTTI_NS_PER_MS);
    const struct tutti__process_result *r = cancel_and_wait(task, &took_ns);
    EQ_INT(r->signal, SIGTERM, "the leader ends by TERM");
    OK(took_ns >= 300 * TUTTI_NS_PER_MS, "a member that ignores it gets the grace");
    OK(group_ends(r->pid), "and is killed then, though it holds no stream");
    tutti_task_unref(task);
}

static void test_tidy_member(void)
{
    uint64_t took_ns = 0;
    char out[80];
    snprintf(out, sizeof out, "%s.tidy", flag_path);
    tutti_task *task = start_ready(
        "(trap 'sleep 0.2; echo tidied > $0.tidy; exit' TERM; echo > $0; exec >/dev/null 2>&1; "
        "while :; do sleep 0.02; done) & wait",
        60 * TUTTI_NS_PER_S);
    const struct tutti__process_result *r = cancel_and_wait(task, &took_ns);
    OK(access(out, F_OK) == 0, "a member has time to clean up after its leader has gone");
    OK(took_ns < 60 * TUTTI_NS_PER_S, "and its end is noticed, not waited out");
    OK(group_ends(r->pid), "nothing is left");
    tutti_task_unref(task);
    unlink(out);
}

static void test_stopped_process(void)
{
    uint64_t took_ns = 0;
    tutti_task *task = start_ready("echo > $0; kill -STOP $$; sleep 61", 60 * TUTTI_NS_PER_S);
    const struct tutti__process_result *r = cancel_and_wait(task, &took_ns);
    OK(r->signal == SIGTERM && took_ns < 60 * TUTTI_NS_PER_S, "a stopped process hears the TERM");
    tutti_task_unref(task);
}

/* The leak is given up after 200 ms: on a busy machine the cancel may come too late, so try again. */
static void test_cancel_in_the_leak(void)
{
    bool is_in_time = false;
    bool is_gone = true;
    for (int i = 0; i < 50 && !is_in_time; i++) {
        const struct tutti__process_result *r = NULL;
        tutti_task *task = start_ready("sleep 61 & echo > $0; exit 0", 5 * TUTTI_NS_PER_S);
        tutti_task_cancel(task);
        is_in_time = finish(task, &r) == TUTTI_ECANCELED;
        if (is_in_time) {
            is_gone = group_ends(r->pid);
        } else {
            kill(-(pid_t)r->pid, SIGKILL); /* given up as leaked: its child is ours to end */
        }
        tutti_task_unref(task);
    }
    OK(is_in_time, "cancelled while it leaks");
    OK(is_gone, "who holds the stream is ended too");
}

/* As long as it takes the shell to say something. */
static void test_timeout(void)
{
    struct tutti__process_spec spec = spec_of(ARGV("sh", "-c", "echo begun; sleep 61 & wait"));
    const struct tutti__process_result *r = NULL;
    uint64_t timeout_ns = 300 * TUTTI_NS_PER_MS;
    tutti_task *task = NULL;
    int status = 0;
    for (bool has_begun = false; !has_begun && timeout_ns < 30 * TUTTI_NS_PER_S;) {
        tutti_task_unref(task);
        spec.timeout_ns = timeout_ns;
        task = start(&spec);
        status = finish(task, &r);
        has_begun = r->out[0].length > 0;
        timeout_ns *= 2;
    }
    EQ_INT(status, TUTTI_ETIMEDOUT, "too slow fails with a status of its own");
    OK(r->timed_out && r->signal == SIGTERM && output_is(r, 0, "begun\n"),
       "and what there was is kept");
    OK(r->elapsed_ns >= timeout_ns / 2, "not before its time");
    OK(group_ends(r->pid), "nothing is left");
    tutti_task_unref(task);
    spec = spec_of(ARGV("/bin/true"));
    spec.timeout_ns = 20 * TUTTI_NS_PER_S;
    task = start(&spec);
    OK(finish(task, &r) == TUTTI_OK && !r->timed_out, "a timeout that is not reached does nothing");
    tutti_task_unref(task);
}

/* Cancel at every moment of a start: it must end as cancelled or as done, never hang, never
 * leak. */
static void test_cancel_races(void)
{
    uint64_t state = tap_seed();
    unsigned long cancelled = 0;
    unsigned long done = 0;
    unsigned long rounds = tap_rounds(200);
    for (unsigned long i = 0; i < rounds; i++) {
        struct tutti__process_spec spec = spec_of(ARGV("/bin/true"));
        const struct tutti__process_result *r = NULL;
        tutti_task *task = start(&spec);
        tutti_task_wait(task, tap_random(&state) % (3 * TUTTI_NS_PER_MS));
        tutti_task_cancel(task);
        int status = finish(task, &r);
        cancelled += status == TUTTI_ECANCELED ? 1 : 0;
        done += status == TUTTI_OK ? 1 : 0;
        tutti_task_unref(task);
    }
    EQ_UINT(cancelled + done, rounds, "every process ends in one of the two ways");
    NOTE("%lu cancelled, %lu done", cancelled, done);
}

static void test_engine_free(size_t fds)
{
    enum { MANY = 20 };
    tutti_task *tasks[MANY];
    tasks[0] = start_ready("sleep 61 & echo > $0; wait", 60 * TUTTI_NS_PER_S);
    struct tutti__process_spec spec = spec_of(ARGV("sleep", "61"));
    spec.grace_ns = 60 * TUTTI_NS_PER_S;
    for (int i = 1; i < MANY; i++) {
        tasks[i] = start(&spec);
    }
    uint64_t begin_ns = tutti__bridge_now_ns(engine);
    for (int i = 1; i < MANY; i++) {
        tutti_task_unref(tasks[i]); /* the engine's own reference keeps it */
    }
    tutti_task_unref(tasks[0]);
    engine_end(fds);
    uint64_t took_ns = tutti__clock_now_ns() - begin_ns;
    OK(took_ns < 60 * TUTTI_NS_PER_S, "freeing the engine ends its processes, before the grace is over");
}

int main(void)
{
    char folder[] = "/tmp/tutti-test-XXXXXX";
    TAP_BEGIN();
    engine_begin(TUTTI_LOOP_OWN_THREAD, NULL);
    tutti_engine_free(engine);
    REQUIRE(mkdtemp(folder) != NULL, "a folder");
    snprintf(flag_path, sizeof flag_path, "%s/flag", folder);
    REQUIRE(mkfifo(flag_path, 0600) == 0, "a FIFO");
    size_t fds = fd_count();
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        engine_begin(loop, NULL);
        test_cancel_group();
        test_kill_after_grace();
        test_stubborn_member();
        test_tidy_member();
        test_stopped_process();
        test_cancel_in_the_leak();
        test_timeout();
        test_cancel_races();
        test_engine_free(fds);
    }
    unlink(flag_path);
    rmdir(folder);
    return TAP_END();
}
