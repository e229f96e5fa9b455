/* SPDX-License-Identifier: MIT */
/* test_process_pipe.c - processes that feed one another: short of descriptors, stopped at any moment. */
#include "test_process.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/env.h"
#include "io/spawn.h"

/* A spec that feeds another. */
static struct tutti__process_spec feeder_of(const char *const *argv)
{
    struct tutti__process_spec spec = spec_of(argv);
    spec.out[0].kind = TUTTI__STDOUT_PROCESS;
    return spec;
}

/* A spec that reads from `feeder`. */
static struct tutti__process_spec reader_of(const char *const *argv,
                                            const struct tutti__process_spec *feeder)
{
    struct tutti__process_spec spec = spec_of(argv);
    spec.stdin_kind = TUTTI__STDIN_PROCESS;
    spec.feeder = feeder;
    return spec;
}

/* ---- what goes through ----------------------------------------------------------------------- */

static void test_plain(void)
{
    struct tutti__process_spec source = feeder_of(ARGV("sh", "-c", "echo text; echo note >&2; exit 3"));
    struct tutti__process_spec middle = reader_of(ARGV("tr", "a-z", "A-Z"), &source);
    middle.out[0].kind = TUTTI__STDOUT_PROCESS;
    struct tutti__process_spec spec = reader_of(ARGV("cat"), &middle);
    tutti_task *task = NULL;
    int status = 0;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(status == TUTTI_OK && r->code == 0 && output_is(r, 0, "TEXT\n"), "it goes through all three");
    REQUIRE(r->feeder != NULL && r->feeder->feeder != NULL, "each has a result");
    OK(r->feeder->code == 0 && r->feeder->feeder->code == 3, "with its status");
    OK(output_is(r->feeder->feeder, 1, "note\n"), "and its stderr");
    OK(r->feeder->feeder->feeder == NULL, "the first has no feeder");
    tutti_task_unref(task);
}

static void test_misuse(void)
{
    struct tutti__process_spec source = feeder_of(ARGV("echo"));
    struct tutti__process_spec spec = reader_of(ARGV("cat"), NULL);
    tutti_task *task = NULL;
    EQ_INT(tutti__bridge_process(engine, &spec, &task), TUTTI_EINVAL, "a pipe from nowhere");
    EQ_INT(tutti__bridge_process(engine, &source, &task), TUTTI_EINVAL, "a pipe to nowhere");
    struct tutti__process_spec elsewhere = spec_of(ARGV("echo"));
    spec = reader_of(ARGV("cat"), &elsewhere);
    EQ_INT(tutti__bridge_process(engine, &spec, &task), TUTTI_EINVAL, "a feeder that writes elsewhere");
    spec = spec_of(ARGV("cat"));
    spec.feeder = &source;
    EQ_INT(tutti__bridge_process(engine, &spec, &task), TUTTI_EINVAL, "a feeder that is not read");
    spec = reader_of(ARGV("cat"), &source);
    spec.out[1].kind = TUTTI__STDOUT_PROCESS;
    EQ_INT(tutti__bridge_process(engine, &spec, &task), TUTTI_EINVAL, "stderr feeds nobody");
    static struct tutti__process_spec chain[TUTTI__PIPELINE_MAX + 1];
    static const char *const cat[] = { "cat", NULL };
    chain[0] = source;
    for (size_t i = 1; i <= TUTTI__PIPELINE_MAX; i++) {
        chain[i] = reader_of(cat, &chain[i - 1]);
        chain[i].out[0].kind = TUTTI__STDOUT_PROCESS;
    }
    chain[TUTTI__PIPELINE_MAX].out[0].kind = TUTTI__STDOUT_CAPTURE;
    EQ_INT(tutti__bridge_process(engine, &chain[TUTTI__PIPELINE_MAX], &task), TUTTI_EINVAL,
           "more than there may be");
}

/* ---- short of descriptors -------------------------------------------------------------------- */

static void limit_fds(rlim_t count, struct rlimit *old)
{
    getrlimit(RLIMIT_NOFILE, old);
    struct rlimit tight = { .rlim_cur = count, .rlim_max = old->rlim_max };
    setrlimit(RLIMIT_NOFILE, &tight);
}

/* Each writes more than a pipe holds: one whose reader could not start would never end. */
static void test_many(void)
{
    enum { MANY = 60 };
    static tutti_task *tasks[MANY];
    struct rlimit old;
    limit_fds(40, &old);
    struct tutti__process_spec source = feeder_of(ARGV("head", "-c", "300000", "/dev/zero"));
    struct tutti__process_spec middle = reader_of(ARGV("cat"), &source);
    middle.out[0].kind = TUTTI__STDOUT_PROCESS;
    struct tutti__process_spec spec = reader_of(ARGV("wc", "-c"), &middle);
    for (int i = 0; i < MANY; i++) {
        tasks[i] = start(&spec);
    }
    int good = 0;
    for (int i = 0; i < MANY; i++) {
        const struct tutti__process_result *r = NULL;
        int status = finish(tasks[i], &r);
        good += status == TUTTI_OK && r->code == 0 && output_is(r, 0, "300000\n") ? 1 : 0;
        tutti_task_unref(tasks[i]);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    EQ_INT(good, MANY, "60 pipelines with 40 descriptors all run");
}

/* Whatever number of descriptors is left, it runs or says why not. */
static void test_few(void)
{
    int lowest_free = dup(0);
    close(lowest_free);
    int ran = 0;
    int refused = 0;
    enum { MOST = 14 };
    for (int left = 0; left < MOST; left++) {
        struct rlimit old;
        struct tutti__process_spec source = feeder_of(ARGV("head", "-c", "300000", "/dev/zero"));
        struct tutti__process_spec spec = reader_of(ARGV("wc", "-c"), &source);
        tutti_task *task = NULL;
        const struct tutti__process_result *r = NULL;
        limit_fds((rlim_t)(lowest_free + left), &old);
        task = start(&spec);
        int status = finish(task, &r);
        ran += status == TUTTI_OK && r->code == 0 && output_is(r, 0, "300000\n") ? 1 : 0;
        refused += status == TUTTI_EIO && r->start_errno == EMFILE ? 1 : 0;
        tutti_task_unref(task);
        setrlimit(RLIMIT_NOFILE, &old);
    }
    EQ_INT(ran + refused, MOST, "with any number of descriptors a pipeline runs or is refused");
    OK(ran > 0 && refused > 0, "%d ran, %d were refused", ran, refused);
}

/* ---- stopped --------------------------------------------------------------------------------- */

static void test_cancel_races(void)
{
    uint64_t state = tap_seed();
    unsigned long good = 0;
    unsigned long rounds = tap_rounds(100);
    for (unsigned long i = 0; i < rounds; i++) {
        bool is_endless = tap_random(&state) % 2 == 0;
        struct tutti__process_spec source = feeder_of(is_endless ? ARGV("yes") : ARGV("/bin/true"));
        struct tutti__process_spec middle = reader_of(ARGV("cat"), &source);
        middle.out[0].kind = TUTTI__STDOUT_PROCESS;
        struct tutti__process_spec spec = reader_of(ARGV("cat"), &middle);
        const struct tutti__process_result *r = NULL;
        tutti_task *task = start(&spec);
        tutti_task_wait(task, tap_random(&state) % (6 * TUTTI_NS_PER_MS));
        if (tap_random(&state) % 4 == 0) {
            (void)tutti__bridge_process_kill(engine, task);
        }
        tutti_task_cancel(task);
        int status = finish(task, &r);
        good += status == TUTTI_ECANCELED || (status == TUTTI_OK && !is_endless) ? 1 : 0;
        tutti_task_unref(task);
    }
    EQ_UINT(good, rounds, "a pipeline that is cancelled ends, whenever that is");
}

/* The reader has ended, the source goes on: a cancel ends that too. */
static void test_cancel_of_the_source(void)
{
    struct tutti__process_spec source = feeder_of(ARGV("sleep", "61"));
    struct tutti__process_spec spec = reader_of(ARGV("/bin/true"), &source);
    const struct tutti__process_result *r = NULL;
    uint64_t pause_ns = 50 * TUTTI_NS_PER_MS;
    for (bool has_ended = false; !has_ended;) { /* nothing tells that the reader has: else a longer pause */
        tutti_task *task = start(&spec);
        tutti_task_wait(task, pause_ns);
        OK(!tutti_task_is_done(task), "a pipeline lasts as long as its source");
        tutti_task_cancel(task);
        EQ_INT(finish(task, &r), TUTTI_ECANCELED, "a cancel ends it");
        pause_ns *= 2;
        has_ended = r->code == 0 || pause_ns > 20 * TUTTI_NS_PER_S;
        if (has_ended) {
            OK(r->code == 0 && r->feeder != NULL && r->feeder->signal == SIGTERM,
               "and the results are there");
        }
        tutti_task_unref(task);
    }
}

static void test_timeout(void)
{
    struct tutti__process_spec source = feeder_of(ARGV("sleep", "61"));
    struct tutti__process_spec spec = reader_of(ARGV("cat"), &source);
    tutti_task *task = NULL;
    int status = 0;
    spec.timeout_ns = 50 * TUTTI_NS_PER_MS;
    const struct tutti__process_result *r = run(&spec, &task, &status);
    OK(status == TUTTI_ETIMEDOUT && r->timed_out, "a reader's time limit is the pipeline's end");
    OK(r->feeder->signal == SIGTERM && r->feeder->was_stopped && !r->feeder->timed_out, "its feeder's too");
    tutti_task_unref(task);
}

static void test_engine_free(size_t fds)
{
    struct tutti__process_spec source = feeder_of(ARGV("yes"));
    struct tutti__process_spec spec = reader_of(ARGV("sh", "-c", "cat > /dev/null"), &source);
    for (int i = 0; i < 20; i++) {
        tutti_task_unref(start(&spec));
    }
    engine_end(fds);
}

/* ---- failing starts -------------------------------------------------------------------------- */

static _Atomic int fail_at; /* relaxed: this start from now on fails with EAGAIN, once; 0 = none */

static int our_start(void *user, void *start_arg)
{
    struct tutti__spawn *s = start_arg;
    (void)user;
    if (fail_at > 0 && --fail_at == 0) {
        s->error = EAGAIN;
        s->what = "program";
        return TUTTI_EIO;
    }
    return tutti__spawn_start(s);
}

static void test_failing_starts(void)
{
    for (int nth = 1; nth <= 3; nth++) {
        struct tutti__process_spec source = feeder_of(ARGV("yes"));
        struct tutti__process_spec middle = reader_of(ARGV("cat"), &source);
        middle.out[0].kind = TUTTI__STDOUT_PROCESS;
        struct tutti__process_spec spec = reader_of(ARGV("head", "-1"), &middle);
        tutti_task *task = NULL;
        int status = 0;
        fail_at = nth;
        const struct tutti__process_result *r = run(&spec, &task, &status);
        OK(status == TUTTI_EIO && r->start_errno == EAGAIN, "start %d fails: so does all of it", nth);
        OK(nth == 3 || (r->pid == -1 && strcmp(r->start_what, "feeder") == 0), "what it feeds never starts");
        tutti_task_unref(task);
    }
    fail_at = 0;
}

static void test_out_of_memory(void)
{
    struct tutti__process_spec source = feeder_of(ARGV("echo", "x"));
    struct tutti__process_spec spec = reader_of(ARGV("cat"), &source);
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
               "allocation %d fails: the pipeline runs or says why not", (int)nth);
            tutti_task_unref(task);
        } else {
            EQ_INT(rc, TUTTI_ENOMEM, "a call that lacks memory says so");
        }
    }
    tutti__alloc_fail_nth(0);
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
        test_plain();
        test_misuse();
        test_many();
        test_few();
        test_cancel_races();
        test_cancel_of_the_source();
        test_timeout();
        test_engine_free(fds);
        engine_begin(loop, &env);
        test_failing_starts();
        test_out_of_memory();
        engine_end(fds);
    }
    return TAP_END();
}
