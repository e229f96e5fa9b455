/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_end.c - bugs at the end of an engine that other runtimes have had: work that is left,
 * ends from the wrong place, engines side by side, threads that came and went, posts that come too late.
 */
#include "unit/test_catalogue.h"

/* ---- an end with everything still there ------------------------------------------------------- */

struct left {
    tutti_engine *e;
    sem_t begun;
    atomic_int posted;
};

/* Ends when the engine does. */
static int body_until_stop(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    sem_post(&((struct left *)arg)->begun);
    while (!tutti_task_is_cancelled(self)) {
        nap_us(100);
    }
    return TUTTI_ECANCELED;
}

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    return TUTTI_TASK_SUSPEND;
}

static void on_post(void *user)
{
    atomic_fetch_add(&((struct left *)user)->posted, 1);
}

static void submit_dropped(struct left *left, tutti_task_fn fn, uint32_t flags, tutti_task *after)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = left, .flags = flags,
                             .arg_drop = drop_count };
    if (tutti_submit(left->e, &desc, &after, 1, NULL) != TUTTI_OK) {
        FAIL("submit");
    }
}

/* TBB #71, taskflow #96, #158: an end with pending, blocked, running and suspended tasks. */
static void with_everything(uint32_t workers, uint32_t loop)
{
    struct left left = { .e = engine_make(workers, loop) };
    sem_init(&left.begun, 0, 0);
    atomic_store(&dropped, 0);
    tutti_task *promise = new_promise(left.e);
    tutti_task *sleep = NULL;
    EQ_INT(tutti_sleep(left.e, 3600 * TUTTI_NS_PER_S, &sleep), TUTTI_OK, "a sleep of an hour");
    submit_dropped(&left, body_until_stop, 0, NULL);
    submit_dropped(&left, body_until_stop, TUTTI_BLOCKING, NULL);
    sem_take(&left.begun); /* with no worker only the blocking one begins */
    if (workers != TUTTI_NO_WORKERS) {
        sem_take(&left.begun);
    }
    int count = 2;
    for (int i = 0; i < 100; i++, count += 6) {
        submit_dropped(&left, body_suspend, 0, NULL);
        submit_dropped(&left, body_empty, 0, promise);
        submit_dropped(&left, body_empty, TUTTI_RUN_ON_SKIP, promise);
        submit_dropped(&left, body_empty, TUTTI_BLOCKING, sleep);
        submit_dropped(&left, body_empty, workers != TUTTI_NO_WORKERS ? TUTTI_NO_HELP : 0, NULL);
        submit_dropped(&left, body_empty, TUTTI_RUN_ON_SKIP, sleep);
        tutti_post(left.e, on_post, &left);
    }
    tutti_task_unref(promise);
    tutti_task_unref(sleep);
    EQ_INT(tutti_engine_free(left.e), TUTTI_OK, "an engine ends with all of this left");
    EQ_INT(dropped, count, "each argument was dropped once");
    EQ_INT(left.posted, 100, "what was posted has run");
    sem_destroy(&left.begun);
}

/* ---- an end from the wrong place -------------------------------------------------------------- */

struct refused {
    tutti_engine *e;
    int rc;
    sem_t done;
};

static int body_frees(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct refused *r = arg;
    r->rc = tutti_engine_free(r->e);
    sem_post(&r->done);
    return TUTTI_OK;
}

static void drop_frees(void *arg)
{
    (void)body_frees(NULL, arg, NULL);
}

static void post_frees(void *arg)
{
    (void)body_frees(NULL, arg, NULL);
}

static void *thread_frees(void *arg)
{
    (void)body_frees(NULL, arg, NULL);
    return NULL;
}

static bool is_refusal(int rc)
{
    return rc == TUTTI_EINVAL || rc == TUTTI_EDEADLK;
}

/* rayon #592, tokio #2119: freed by one of its own threads. */
static void from_the_wrong_place(void)
{
    static const uint32_t flags[] = { 0, TUTTI_NO_HELP, TUTTI_BLOCKING };
    struct refused r = { .e = engine_make(1, TUTTI_LOOP_OWN_THREAD) };
    sem_init(&r.done, 0, 0);
    for (int i = 0; i < 3; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_frees, .arg = &r,
                                 .flags = flags[i] };
        tutti_submit(r.e, &desc, NULL, 0, NULL);
        OK(sem_take_in_time(&r.done) && is_refusal(r.rc), "refused in a task, flags %u", flags[i]);
    }
    /* In a task on the creator's own thread, while it helps. */
    tutti_engine *own = engine_make(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD);
    struct refused in_own = { .e = own };
    sem_init(&in_own.done, 0, 0);
    EQ_INT(finish(submit(own, body_frees, &in_own)), TUTTI_OK, "a task of the creator's");
    OK(is_refusal(in_own.rc), "refused in it");
    EQ_INT(tutti_engine_free(own), TUTTI_OK, "later it is not");

    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg = &r,
                             .arg_drop = drop_frees };
    tutti_submit(r.e, &desc, NULL, 0, NULL);
    OK(sem_take_in_time(&r.done) && is_refusal(r.rc), "refused in a drop function");
    tutti_post(r.e, post_frees, &r);
    OK(sem_take_in_time(&r.done) && is_refusal(r.rc), "refused on the loop");
    pthread_t thread;
    pthread_create(&thread, NULL, thread_frees, &r);
    pthread_join(thread, NULL);
    OK(is_refusal(r.rc), "refused on another thread");
    EQ_INT(finish(submit(r.e, body_empty, NULL)), TUTTI_OK, "the engine works as before");
    EQ_INT(tutti_engine_free(r.e), TUTTI_OK, "and its creator may end it");
    EQ_INT(tutti_engine_free(NULL), TUTTI_EINVAL, "no engine");
}

/* ---- engines side by side --------------------------------------------------------------------- */

struct pair {
    tutti_engine *other;
    tutti_task *promise; /* of the other */
    atomic_int *ran;
};

/* A task of one engine that uses another: submits, settles, cancels there. */
static int body_crosses(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct pair *pair = arg;
    for (int i = 0; i < 10; i++) {
        tutti_task *task = submit(pair->other, body_count, pair->ran);
        if (task == NULL) {
            return TUTTI_EFAILED;
        }
        tutti_task_unref(task);
    }
    return tutti_promise_settle(pair->promise, TUTTI_OK, NULL);
}

static void two_engines(void)
{
    tutti_engine *e[2] = { engine_make(2, TUTTI_LOOP_OWN_THREAD), engine_make(1, TUTTI_LOOP_CALLER) };
    atomic_int ran = 0;
    for (int round = 0; round < 100; round++) {
        tutti_task *promise[2] = { new_promise(e[0]), new_promise(e[1]) };
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
        tutti_task *none = NULL;
        if (round == 0) {
            EQ_INT(tutti_submit(e[0], &desc, promise, 2, &none), TUTTI_EINVAL, "after one of another");
            EQ_INT(tutti_submit(e[1], &desc, promise, 2, &none), TUTTI_EINVAL, "in either");
            EQ_PTR(none, NULL, "no handle was made");
        }
        struct pair pairs[2] = { { e[1], promise[1], &ran }, { e[0], promise[0], &ran } };
        tutti_task *task[2] = { submit(e[0], body_crosses, &pairs[0]),
                                submit(e[1], body_crosses, &pairs[1]) };
        for (int i = 0; i < 2; i++) {
            bool ended = has_ended(promise[i]) && has_ended(task[i]);
            if (!ended || tutti_task_result(task[i], NULL) != TUTTI_OK) {
                FAIL("round %d: engine %d is not done", round, i);
            }
            tutti_task_unref(task[i]);
            tutti_task_unref(promise[i]);
        }
    }
    EQ_INT(tutti_wait_idle(e[0]), TUTTI_OK, "the first is idle");
    EQ_INT(tutti_wait_idle(e[1]), TUTTI_OK, "the second as well");
    EQ_INT(ran, 2000, "all that crossed has run");
    EQ_INT(tutti_engine_free(e[0]), TUTTI_OK, "the first ends");
    EQ_INT(finish(submit(e[1], body_empty, NULL)), TUTTI_OK, "the second works on");
    EQ_INT(tutti_engine_free(e[1]), TUTTI_OK, "and ends");
}

/* ---- threads that come and go ----------------------------------------------------------------- */

struct visit {
    tutti_engine *e[2];
    atomic_int *ran;
    tutti_task *kept;
};

static void *visitor(void *arg)
{
    struct visit *visit = arg;
    for (int i = 0; i < 3; i++) {
        tutti_task *task = submit(visit->e[i % 2], body_count, visit->ran);
        if (task == NULL) {
            FAIL("submit on a foreign thread");
            return NULL;
        }
        if (i == 2) {
            visit->kept = task; /* its record lives in the slabs of a thread that has gone */
        } else {
            tutti_task_unref(task);
        }
    }
    return NULL;
}

/* taskflow #727: what a thread had in an engine, and the thread has ended. tokio #2061: or the engine. */
static void threads_come_and_go(int count)
{
    tutti_engine *e[2] = { engine_make(1, TUTTI_LOOP_OWN_THREAD), engine_make(2, TUTTI_LOOP_CALLER) };
    atomic_int ran = 0;
    uint64_t live = 0;
    for (int i = 0; i < count; i++) {
        struct visit visit = { { e[0], e[1] }, &ran, NULL };
        pthread_t thread;
        pthread_create(&thread, NULL, visitor, &visit);
        pthread_join(thread, NULL);
        if (visit.kept != NULL) {
            tutti_task_wait(visit.kept, HANG_NS);
            tutti_task_unref(visit.kept);
        }
        if (i == count / 2) {
            live = tutti__alloc_live();
        }
    }
    EQ_INT(tutti_wait_idle(e[0]), TUTTI_OK, "idle");
    EQ_INT(tutti_wait_idle(e[1]), TUTTI_OK, "idle");
    EQ_INT(ran, 3 * count, "threads that submit and end");
    OK(tutti__alloc_live() <= live + 8, "what they had is used again by the next ones");
    EQ_INT(tutti_engine_free(e[0]), TUTTI_OK, "an engine ends");
    EQ_INT(tutti_engine_free(e[1]), TUTTI_OK, "and the other");
}

struct outlive {
    tutti_engine *e;
    sem_t used;
    sem_t freed;
};

static void *outlives(void *arg)
{
    struct outlive *o = arg;
    tutti_task_unref(submit(o->e, body_empty, NULL));
    sem_post(&o->used);
    sem_take(&o->freed);
    return NULL; /* ends with a claim on an engine that is gone */
}

static void threads_outlive_the_engine(void)
{
    for (int round = 0; round < 20; round++) {
        uint32_t loop = round % 2 == 0 ? TUTTI_LOOP_OWN_THREAD : TUTTI_LOOP_CALLER;
        struct outlive o = { .e = engine_make(1, loop) };
        pthread_t threads[3];
        sem_init(&o.used, 0, 0);
        sem_init(&o.freed, 0, 0);
        for (int i = 0; i < 3; i++) {
            pthread_create(&threads[i], NULL, outlives, &o);
        }
        for (int i = 0; i < 3; i++) {
            sem_take(&o.used);
        }
        tutti_engine_free(o.e);
        tutti_engine *next = round % 3 == 0 ? engine_make(1, 0) : NULL;
        for (int i = 0; i < 3; i++) {
            sem_post(&o.freed);
        }
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        if (next != NULL) {
            tutti_engine_free(next);
        }
    }
    OK(true, "threads that used an engine end after it");
}

/* ---- made and freed over and over ------------------------------------------------------------- */

/* enkiTS #50, parlaylib #100: ends before all of its threads have really begun. */
static void right_away(void)
{
    uint64_t live = tutti__alloc_live();
    for (int i = 0; i < 200; i++) {
        tutti_config config = { .struct_size = sizeof config, .workers = 1 + (uint32_t)i % 8,
                                .loop = (uint32_t)i % 2 };
        tutti_engine *e = NULL;
        if (tutti_engine_new(&e, &config) != TUTTI_OK) {
            FAIL("engine %d", i);
            break;
        }
        if (i % 3 == 0) {
            tutti_task_unref(submit(e, body_empty, NULL));
        }
        tutti_engine_free(e);
    }
    EQ_UINT(tutti__alloc_live(), live, "engines that end at once leave nothing");
}

int main(void)
{
    TAP_BEGIN();
    with_everything(2, TUTTI_LOOP_OWN_THREAD);
    with_everything(1, TUTTI_LOOP_CALLER);
    with_everything(TUTTI_NO_WORKERS, TUTTI_LOOP_OWN_THREAD);
    from_the_wrong_place();
    two_engines();
    threads_come_and_go(SCALED(3000));
    threads_outlive_the_engine();
    right_away();
    return TAP_END();
}
