/* SPDX-License-Identifier: MIT */
/* test_api_parallel.c - tutti_parallel_for and _reduce: each index once, in any place, and when to stop. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "api/engine.h"
#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;

static void begin(uint32_t workers, uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = workers, .loop = loop };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with %d workers", (int)workers);
}

static void end(void)
{
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

/* ---- each index once ------------------------------------------------------------------------- */

enum { LENGTH = 10007 };

struct marks {
    atomic_int times[LENGTH];
    size_t offset;
    size_t longest;
};

static int mark(void *user, size_t begin_at, size_t end_at)
{
    struct marks *marks = user;
    if (end_at - begin_at > marks->longest) {
        marks->longest = end_at - begin_at; /* a race, but each writer is right */
    }
    for (size_t i = begin_at; i < end_at; i++) {
        atomic_fetch_add_explicit(&marks->times[i - marks->offset], 1, memory_order_relaxed);
    }
    return TUTTI_OK;
}

static int mark_quietly(void *user, size_t begin_at, size_t end_at)
{
    struct marks *marks = user;
    for (size_t i = begin_at; i < end_at; i++) {
        atomic_fetch_add_explicit(&marks->times[i - marks->offset], 1, memory_order_relaxed);
    }
    return TUTTI_OK;
}

static bool is_each_once(const struct marks *marks, size_t length)
{
    for (size_t i = 0; i < LENGTH; i++) {
        if (atomic_load(&marks->times[i]) != (i < length ? 1 : 0)) {
            return false;
        }
    }
    return true;
}

static bool covers(size_t length, size_t grain, size_t offset)
{
    static struct marks marks;
    tutti_range range = { offset, offset + length, grain };
    memset(&marks, 0, sizeof marks);
    marks.offset = offset;
    return tutti_parallel_for(engine, &range, mark_quietly, &marks) == TUTTI_OK &&
           is_each_once(&marks, length);
}

static void test_covers(void)
{
    static const size_t lengths[] = { 0, 1, 2, 3, 63, 64, 65, 1000, LENGTH };
    static const size_t grains[] = { 0, 1, 2, 7, 64, 999, 5000, LENGTH, SIZE_MAX };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        bool all = true;
        for (size_t j = 0; j < sizeof grains / sizeof *grains; j++) {
            all = all && covers(lengths[i], grains[j], 0) && covers(lengths[i], grains[j], 12345) &&
                  covers(lengths[i], grains[j], SIZE_MAX - lengths[i]);
        }
        OK(all, "each of %zu indexes once, whatever the grain, up to the last there is", lengths[i]);
    }
}

static void test_grain(void)
{
    static struct marks marks;
    tutti_config config = { .struct_size = sizeof config, .workers = TUTTI_NO_WORKERS };
    tutti_engine *alone = NULL;
    tutti_range range = { 0, 1000, 10 };
    REQUIRE(tutti_engine_new(&alone, &config) == TUTTI_OK, "an engine without workers");
    EQ_INT(tutti_parallel_for(alone, &range, mark, &marks), TUTTI_OK, "the caller does it alone");
    EQ_UINT(marks.longest, 10, "in chunks of the grain");
    marks.longest = 0;
    range.grain = 0;
    EQ_INT(tutti_parallel_for(alone, &range, mark, &marks), TUTTI_OK, "without a grain");
    EQ_UINT(marks.longest, 125, "eight chunks a thread");
    EQ_INT(tutti_engine_free(alone), TUTTI_OK, "freed");
}

static int not_called(void *user, size_t begin_at, size_t end_at)
{
    (void)user, (void)begin_at, (void)end_at;
    FAIL("must not be called");
    return TUTTI_OK;
}

static void test_refused(void)
{
    tutti_range range = { 2, 1, 0 };
    EQ_INT(tutti_parallel_for(engine, &range, not_called, NULL), TUTTI_EINVAL, "a range backwards");
    EQ_INT(tutti_parallel_for(engine, NULL, not_called, NULL), TUTTI_EINVAL, "no range");
    EQ_INT(tutti_parallel_for(NULL, &range, not_called, NULL), TUTTI_EINVAL, "no engine");
    range.begin = 0;
    EQ_INT(tutti_parallel_for(engine, &range, NULL, NULL), TUTTI_EINVAL, "no function");
    range.begin = 1;
    EQ_INT(tutti_parallel_for(engine, &range, not_called, NULL), TUTTI_OK, "an empty range");
}

/* ---- together -------------------------------------------------------------------------------- */

static atomic_int here_count;

/* Two chunks that can only end together. */
static int meet(void *user, size_t begin_at, size_t end_at)
{
    (void)user, (void)begin_at, (void)end_at;
    atomic_fetch_add(&here_count, 1);
    for (int i = 0; i < 20000 && atomic_load(&here_count) < 2; i++) {
        usleep(1000);
    }
    return atomic_load(&here_count) >= 2 ? TUTTI_OK : TUTTI_ETIMEDOUT;
}

static void test_together(void)
{
    tutti_range range = { 0, 2, 1 };
    atomic_store(&here_count, 0);
    EQ_INT(tutti_parallel_for(engine, &range, meet, NULL), TUTTI_OK, "a worker helps the caller");
}

/* The caller goes on although helpers have never come: the only worker is busy with something else. */
static sem_t may_end;

static int hold(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    sem_post(arg);
    while (sem_wait(&may_end) != 0) {
    }
    return TUTTI_OK;
}

static void test_helpers_are_withdrawn(void)
{
    sem_t begun;
    tutti_stats stats = { .struct_size = sizeof stats };
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = hold, .arg = &begun };
    begin(1, TUTTI_LOOP_OWN_THREAD);
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    tutti_submit(engine, &desc, NULL, 0, NULL);
    while (sem_wait(&begun) != 0) {
    }
    for (int i = 0; i < 100; i++) {
        if (!covers(1000, 1, 0)) {
            FAIL("range %d", i);
        }
    }
    tutti_get_stats(engine, &stats);
    EQ_UINT(stats.submitted, 101, "a helper is offered for each range");
    EQ_UINT(stats.settled, 100, "and taken back when nobody has begun it");
    sem_post(&may_end);
    end();
    sem_destroy(&may_end);
    sem_destroy(&begun);
}

/* ---- failure and cancellation ---------------------------------------------------------------- */

struct trouble {
    atomic_int calls;
    size_t at;
    int status;
    tutti_task *victim;
};

static int fail_at(void *user, size_t begin_at, size_t end_at)
{
    struct trouble *trouble = user;
    atomic_fetch_add(&trouble->calls, 1);
    if (trouble->at < begin_at || trouble->at >= end_at) {
        usleep(10);
        return TUTTI_OK;
    }
    if (trouble->victim != NULL) {
        (void)tutti_task_cancel(trouble->victim);
    }
    return trouble->status;
}

static void test_failure(void)
{
    struct trouble trouble = { .at = 100, .status = TUTTI_EIO };
    tutti_range range = { 0, 100000, 1 };
    EQ_INT(tutti_parallel_for(engine, &range, fail_at, &trouble), TUTTI_EIO, "a failure is returned");
    OK(atomic_load(&trouble.calls) < 50000, "and ends it: %d chunks", atomic_load(&trouble.calls));
    trouble.status = 5;
    EQ_INT(tutti_parallel_for(engine, &range, fail_at, &trouble), TUTTI_EFAILED, "what is no status");
    trouble.at = 99999;
    trouble.status = TUTTI_ECANCELED;
    range.grain = 1000;
    EQ_INT(tutti_parallel_for(engine, &range, fail_at, &trouble), TUTTI_ECANCELED, "in the last chunk");
}

static int body_is_cancelled(tutti_task *self, void *arg, tutti_value *result)
{
    struct trouble trouble = { .at = 100, .victim = self };
    tutti_range range = { 0, 100000, 1 };
    (void)result;
    *(int *)arg = tutti_parallel_for(engine, &range, fail_at, &trouble);
    OK(atomic_load(&trouble.calls) < 50000, "it stops: %d chunks", atomic_load(&trouble.calls));
    return TUTTI_OK;
}

static int body_is_cancelled_late(tutti_task *self, void *arg, tutti_value *result)
{
    struct trouble trouble = { .at = 0, .victim = self };
    tutti_range range = { 0, 1, 1 };
    (void)result;
    *(int *)arg = tutti_parallel_for(engine, &range, fail_at, &trouble);
    return TUTTI_OK;
}

static int run_body(tutti_task_fn fn, void *arg)
{
    tutti_task *task = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg };
    if (tutti_submit(engine, &desc, NULL, 0, &task) != TUTTI_OK) {
        return TUTTI_ENOMEM;
    }
    int rc = tutti_task_wait(task, TUTTI_FOREVER);
    tutti_task_unref(task);
    return rc;
}

static void test_cancelled(void)
{
    int status = 1;
    EQ_INT(run_body(body_is_cancelled, &status), TUTTI_OK, "a task that is cancelled while it does a range");
    EQ_INT(status, TUTTI_ECANCELED, "is told so");
    EQ_INT(run_body(body_is_cancelled_late, &status), TUTTI_OK, "cancelled in the last chunk");
    EQ_INT(status, TUTTI_OK, "nothing was left out");
}

/* ---- from anywhere --------------------------------------------------------------------------- */

static int inner(void *user, size_t begin_at, size_t end_at)
{
    atomic_fetch_add((atomic_int *)user, (int)(end_at - begin_at));
    return TUTTI_OK;
}

static int outer(void *user, size_t begin_at, size_t end_at)
{
    tutti_range range = { 0, 100, 3 };
    for (size_t i = begin_at; i < end_at; i++) {
        int rc = tutti_parallel_for(engine, &range, inner, user);
        if (rc != TUTTI_OK) {
            return rc;
        }
    }
    return TUTTI_OK;
}

static bool nested_is_right(void)
{
    atomic_int sum = 0;
    tutti_range range = { 0, 50, 1 };
    return tutti_parallel_for(engine, &range, outer, &sum) == TUTTI_OK && atomic_load(&sum) == 5000;
}

static int body_nested(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    *(bool *)arg = nested_is_right();
    return TUTTI_OK;
}

static void *thread_nested(void *arg)
{
    *(bool *)arg = nested_is_right();
    return NULL;
}

struct posted {
    bool right;
    sem_t done;
};

static void post_nested(void *user)
{
    struct posted *posted = user;
    posted->right = nested_is_right();
    sem_post(&posted->done);
}

static void test_places(bool own_loop)
{
    pthread_t thread;
    bool right = false;
    struct posted posted = { .right = false };
    OK(nested_is_right(), "from the creator, a range in a range");
    EQ_INT(run_body(body_nested, &right), TUTTI_OK, "from a task");
    OK(right, "in a task");
    right = false;
    pthread_create(&thread, NULL, thread_nested, &right);
    pthread_join(thread, NULL);
    OK(right, "from a foreign thread");
    sem_init(&posted.done, 0, 0);
    tutti_post(engine, post_nested, &posted);
    if (!own_loop) {
        tutti_run(engine);
    }
    while (sem_wait(&posted.done) != 0) {
    }
    OK(posted.right, "in a callback of the loop");
    sem_destroy(&posted.done);
}

/* Tasks that all do ranges at once, on every worker. */
static void test_many_tasks(void)
{
    enum { TASKS = 200 };
    static bool right[TASKS];
    static tutti_task *tasks[TASKS];
    bool all = true;
    for (int i = 0; i < TASKS; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_nested, .arg = &right[i] };
        REQUIRE(tutti_submit(engine, &desc, NULL, 0, &tasks[i]) == TUTTI_OK, "task %d", i);
    }
    for (int i = 0; i < TASKS; i++) {
        tutti_task_wait(tasks[i], TUTTI_FOREVER);
        tutti_task_unref(tasks[i]);
        all = all && right[i];
    }
    OK(all, "many tasks with nested ranges end, and each is right");
}

/* ---- reduce ---------------------------------------------------------------------------------- */

struct sum {
    double value;
    size_t first; /* of the indexes, in order; SIZE_MAX: none */
    size_t next;
    bool in_order;
};

static const struct sum none = { 0, SIZE_MAX, 0, true };

static int fold_sum(void *user, void *value, size_t begin_at, size_t end_at)
{
    struct sum *sum = value;
    size_t fail = *(const size_t *)user;
    if (sum->first == SIZE_MAX) {
        sum->first = begin_at;
    } else {
        sum->in_order = sum->in_order && sum->next == begin_at;
    }
    sum->next = end_at;
    for (size_t i = begin_at; i < end_at; i++) {
        sum->value += 1.0 / (double)(i + 1);
        if (i == fail) {
            return TUTTI_EIO;
        }
    }
    return TUTTI_OK;
}

static void join_sum(void *user, void *left, const void *right)
{
    struct sum *l = left;
    const struct sum *r = right;
    (void)user;
    l->in_order = l->in_order && r->in_order && l->next == r->first;
    l->next = r->next;
    l->value += r->value;
}

static int sum_of(size_t length, size_t grain, size_t fail, struct sum *out)
{
    tutti_reduce_desc desc = {
        .struct_size = sizeof desc,
        .range = { 0, length, grain },
        .value_bytes = sizeof(struct sum),
        .identity = &none,
        .fold = fold_sum,
        .join = join_sum,
        .user = &fail,
    };
    return tutti_parallel_reduce(engine, &desc, out);
}

static void test_reduce(void)
{
    static const size_t grains[] = { 0, 1, 7, 100, 100000, SIZE_MAX };
    tutti_engine *first = engine;
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
        struct sum a = none;
        struct sum b = none;
        EQ_INT(sum_of(100000, grains[i], SIZE_MAX, &a), TUTTI_OK, "a sum");
        OK(a.in_order && a.first == 0 && a.next == 100000, "every index, joined in order");
        OK(a.value > 12.09 && a.value < 12.091, "is right: %.17g", a.value);
        begin(7, TUTTI_LOOP_OWN_THREAD);
        sum_of(100000, grains[i], SIZE_MAX, &b);
        end();
        engine = first;
        OK(memcmp(&a.value, &b.value, sizeof a.value) == 0, "to the last bit the same with more threads");
    }
}

static void test_reduce_ends(void)
{
    struct sum sum = { .value = 99 };
    EQ_INT(sum_of(100000, 10, 5000, &sum), TUTTI_EIO, "a failure is returned");
    OK(sum.value == 99, "and nothing is written");
    EQ_INT(sum_of(0, 0, SIZE_MAX, &sum), TUTTI_OK, "an empty range");
    OK(sum.first == SIZE_MAX && sum.value == 0, "is the identity");
    EQ_INT(sum_of(1, 0, SIZE_MAX, &sum), TUTTI_OK, "one index");
    OK(sum.value == 1 && sum.next == 1, "is one");
}

static int fold_big(void *user, void *value, size_t begin_at, size_t end_at)
{
    (void)user;
    ((uint64_t *)value)[0] += end_at - begin_at;
    ((uint64_t *)value)[(1 << 20) / 8 - 1] += 1;
    return (uintptr_t)value % 64 == 0 ? TUTTI_OK : TUTTI_EFAILED;
}

static void join_big(void *user, void *left, const void *right)
{
    (void)user;
    ((uint64_t *)left)[0] += ((const uint64_t *)right)[0];
    ((uint64_t *)left)[(1 << 20) / 8 - 1] += ((const uint64_t *)right)[(1 << 20) / 8 - 1];
}

static void test_reduce_big_values(void)
{
    static uint64_t value[(1 << 20) / 8];
    static const uint64_t zero[(1 << 20) / 8];
    tutti_reduce_desc desc = {
        .struct_size = sizeof desc,
        .range = { 0, 10000, 1 },
        .value_bytes = sizeof value,
        .identity = zero,
        .fold = fold_big,
        .join = join_big,
    };
    EQ_INT(tutti_parallel_reduce(engine, &desc, value), TUTTI_OK, "values of 1 MiB");
    EQ_UINT(value[0], 10000, "each index once");
    EQ_UINT(value[(1 << 20) / 8 - 1], 10000, "in as many chunks as was said");
    desc.value_bytes++;
    EQ_INT(tutti_parallel_reduce(engine, &desc, value), TUTTI_EINVAL, "no larger ones");
    desc.value_bytes = 0;
    EQ_INT(tutti_parallel_reduce(engine, &desc, value), TUTTI_EINVAL, "nor of nothing");
    desc.value_bytes = 8;
    desc.struct_size = 8;
    EQ_INT(tutti_parallel_reduce(engine, &desc, value), TUTTI_EINVAL, "a desc of unknown size");
    desc.struct_size = sizeof desc;
    desc.join = NULL;
    EQ_INT(tutti_parallel_reduce(engine, &desc, value), TUTTI_EINVAL, "without join");
    EQ_INT(tutti_parallel_reduce(engine, NULL, value), TUTTI_EINVAL, "without desc");
}

int main(void)
{
    TAP_BEGIN();
    test_helpers_are_withdrawn();
    begin(2, TUTTI_LOOP_OWN_THREAD);
    test_covers();
    test_grain();
    test_refused();
    test_together();
    test_failure();
    test_cancelled();
    test_places(true);
    test_many_tasks();
    test_reduce();
    test_reduce_ends();
    test_reduce_big_values();
    end();
    begin(1, TUTTI_LOOP_CALLER);
    test_places(false);
    test_many_tasks();
    end();
    begin(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD);
    test_covers();
    test_reduce();
    end();
    return TAP_END();
}
