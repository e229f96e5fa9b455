/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_loop.c - bugs at the loop that other runtimes have had: timers that a sleeping loop does
 * not hear of, timers after a long callback, times at the edges, posts in odd places.
 *
 * Reproduces: Julia #63173, #32152; libuv #2226; reliability.md 9, row 51.
 */
#include "unit/test_catalogue.h"

static tutti_engine *e;

/* The creator's wait runs the loop in one mode and only sleeps in the other; each part runs in both. */
static void begin(uint32_t loop)
{
    e = engine_make(2, loop);
}

static void end(void)
{
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

static bool run_loop_until(bool (*is_over)(void))
{
    uint64_t end_ns = tutti__clock_now_ns() + HANG_NS;
    while (!is_over() && tutti__clock_now_ns() < end_ns) {
        tutti_task *nap = NULL;
        tutti_sleep(e, TUTTI_NS_PER_MS, &nap);
        finish(nap);
    }
    return is_over();
}

/* ---- a sleeping loop -------------------------------------------------------------------------- */

static int body_arms_timer(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    nap_us(3000); /* the loop is asleep by now, without a single timer */
    return tutti_sleep(e, 5 * TUTTI_NS_PER_MS, arg);
}

/* Julia #63173: a timer armed by a worker, on a loop that has nothing to do and is parked. */
static void armed_by_a_worker(void)
{
    for (int i = 0; i < 20; i++) {
        tutti_task *sleep = NULL;
        uint64_t before = tutti__clock_now_ns();
        EQ_INT(finish(submit(e, body_arms_timer, &sleep)), TUTTI_OK, "armed");
        EQ_INT(finish(sleep), TUTTI_OK, "and it fires");
        OK(tutti__clock_now_ns() - before >= 5 * TUTTI_NS_PER_MS, "not early");
    }
}

/* A shorter one must cut the loop's sleep for a longer one. */
static void shorter_than_the_sleep(void)
{
    tutti_task *hour = NULL;
    EQ_INT(tutti_sleep(e, 3600 * TUTTI_NS_PER_S, &hour), TUTTI_OK, "an hour");
    tutti_task *sleep = NULL;
    EQ_INT(finish(submit(e, body_arms_timer, &sleep)), TUTTI_OK, "5 ms, by a worker");
    EQ_INT(finish(sleep), TUTTI_OK, "fires first");
    EQ_INT(tutti_task_cancel(hour), TUTTI_OK, "the hour is cancelled");
    EQ_INT(finish(hour), TUTTI_ECANCELED, "and has settled");
}

/* ---- a long callback -------------------------------------------------------------------------- */

static _Atomic uint64_t callback_end_ns;

static void long_post(void *user)
{
    nap_us(60000);
    (void)user;
    atomic_store(&callback_end_ns, tutti__clock_now_ns());
}

static bool callback_is_over(void)
{
    return atomic_load(&callback_end_ns) != 0;
}

/* Timers fall due while C code keeps the loop. They fire afterwards, each once, and a timer that is
 * started then counts from then, not from a time the loop remembers (reliability.md 9, row 51). */
static bool are_due_after_the_callback(void)
{
    tutti_task *due[10];
    atomic_store(&callback_end_ns, 0);
    for (uint64_t i = 0; i < 10; i++) {
        EQ_INT(tutti_sleep(e, (5 + 5 * i) * TUTTI_NS_PER_MS, &due[i]), TUTTI_OK, "a sleep");
    }
    EQ_INT(tutti_post(e, long_post, NULL), TUTTI_OK, "60 ms in a callback");
    for (int i = 0; i < 10; i++) {
        EQ_INT(finish(due[i]), TUTTI_OK, "fires after it");
    }
    bool has_ended = atomic_load(&callback_end_ns) != 0;
    OK(run_loop_until(callback_is_over), "the callback ends");
    return has_ended;
}

static void due_in_a_long_callback(void)
{
    bool has_ended = false;
    for (int i = 0; i < 50 && !has_ended; i++) { /* a busy machine may be late with the post */
        has_ended = are_due_after_the_callback();
    }
    OK(has_ended, "the callback has ended before the last one fired");
    uint64_t before = tutti__clock_now_ns();
    tutti_task *late = NULL;
    tutti_sleep(e, 20 * TUTTI_NS_PER_MS, &late);
    EQ_INT(finish(late), TUTTI_OK, "one that is started afterwards");
    OK(tutti__clock_now_ns() - before >= 20 * TUTTI_NS_PER_MS, "is not early");
}

struct in_callback {
    tutti_task *sleep;
    uint64_t started_ns;
};

static void post_sleeps(void *user)
{
    struct in_callback *in = user;
    nap_us(30000); /* the time of this round is stale now */
    in->started_ns = tutti__clock_now_ns();
    if (tutti_sleep(e, 10 * TUTTI_NS_PER_MS, &in->sleep) != TUTTI_OK) {
        FAIL("a sleep in a callback");
    }
}

static void mark_over(void *user)
{
    (void)user;
    atomic_store(&callback_end_ns, 1);
}

static void started_in_a_stale_round(void)
{
    struct in_callback in = { NULL, 0 };
    atomic_store(&callback_end_ns, 0);
    tutti_post(e, post_sleeps, &in);
    tutti_post(e, mark_over, NULL);
    OK(run_loop_until(callback_is_over), "the callbacks have run");
    EQ_INT(finish(in.sleep), TUTTI_OK, "a timer started in a long callback fires");
    OK(tutti__clock_now_ns() - in.started_ns >= 10 * TUTTI_NS_PER_MS, "not early");
}

/* ---- times at the edges ----------------------------------------------------------------------- */

static void odd_times(void)
{
    static const uint64_t far[] = { TUTTI_FOREVER, TUTTI_FOREVER - 1, TUTTI_FOREVER / 2,
                                    50ull * 86400 * TUTTI_NS_PER_S, 1ull << 63, 300ull << 32 };
    enum { FAR = sizeof far / sizeof far[0] };
    tutti_task *late[FAR];
    for (size_t i = 0; i < FAR; i++) {
        EQ_INT(tutti_sleep(e, far[i], &late[i]), TUTTI_OK, "a time very far away");
    }
    tutti_task *now = NULL;
    EQ_INT(tutti_sleep(e, 0, &now), TUTTI_OK, "no time at all");
    EQ_INT(finish(now), TUTTI_OK, "fires");
    EQ_INT(tutti_sleep(e, 1, &now), TUTTI_OK, "a nanosecond");
    EQ_INT(finish(now), TUTTI_OK, "fires");
    tutti_task *promise = new_promise(e);
    EQ_INT(tutti_task_wait(promise, 1), TUTTI_ETIMEDOUT, "a wait of a nanosecond");
    tutti_task *sleep = NULL;
    tutti_sleep(e, 3 * TUTTI_NS_PER_MS, &sleep);
    EQ_INT(tutti_task_wait(sleep, TUTTI_FOREVER - 1), TUTTI_OK, "a deadline that does not fit");
    tutti_task_unref(sleep);
    tutti_promise_settle(promise, TUTTI_OK, NULL);
    tutti_task_unref(promise);
    for (size_t i = 0; i < FAR; i++) {
        EQ_INT(tutti_task_state(late[i]), TUTTI_TASK_SUSPENDED, "none of the far ones has fired");
        EQ_INT(tutti_task_cancel(late[i]), TUTTI_OK, "cancelled");
        tutti_task_unref(late[i]);
    }
}

static atomic_int fired;

static int body_fired(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    atomic_fetch_add(&fired, 1);
    tutti_task *next = *(tutti_task **)arg;
    if (next != NULL) {
        tutti_task_cancel(next); /* a timer of the same moment */
        tutti_task_unref(next);
    }
    return TUTTI_OK;
}

/* Very many at one moment, of which each second cancels another. */
static void at_one_moment(int count)
{
    tutti_task **sleeps = calloc((size_t)count, sizeof(tutti_task *));
    atomic_store(&fired, 0);
    for (int i = 0; i < count; i++) {
        tutti_sleep(e, 30 * TUTTI_NS_PER_MS, &sleeps[i]);
    }
    for (int i = 0; i < count; i++) {
        tutti_task *victim = i % 2 == 0 ? sleeps[(i + count / 2) % count] : NULL;
        if (victim != NULL) {
            tutti_task_ref(victim);
        }
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_fired, .arg = &victim,
                                 .arg_bytes = sizeof victim, .flags = TUTTI_RUN_ON_SKIP };
        tutti_submit(e, &desc, &sleeps[i], 1, NULL);
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(fired, count, "what came after each timer ran once");
    for (int i = 0; i < count; i++) {
        tutti_task_unref(sleeps[i]);
    }
    free(sleeps);
}

/* ---- posts in odd places ---------------------------------------------------------------------- */

static atomic_int post_count;

static void post_again(void *user)
{
    int left = (int)(intptr_t)user;
    atomic_fetch_add(&post_count, 1);
    if (left > 0) {
        tutti_post(e, post_again, (void *)(intptr_t)(left - 1));
    }
}

static bool posts_are_over(void)
{
    return atomic_load(&post_count) == 1001;
}

static int body_refused(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return tutti_run(e) == TUTTI_OK || tutti_wait_idle(e) == TUTTI_OK ? TUTTI_EFAILED : TUTTI_OK;
}

static void in_odd_places(void)
{
    atomic_store(&post_count, 0);
    tutti_post(e, post_again, (void *)(intptr_t)1000);
    OK(run_loop_until(posts_are_over), "a post that posts itself a thousand times");
    EQ_INT(finish(submit(e, body_refused, NULL)), TUTTI_OK, "no task may run the loop or wait for idle");
}

int main(void)
{
    TAP_BEGIN();
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        begin(loop);
        armed_by_a_worker();
        shorter_than_the_sleep();
        due_in_a_long_callback();
        started_in_a_stale_round();
        odd_times();
        at_one_moment(SCALED(100000));
        in_odd_places();
        end();
    }
    return TAP_END();
}
