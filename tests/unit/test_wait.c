/* SPDX-License-Identifier: MIT */
/* test_wait.c - waits: helping, sleeping, deadlines, from where they are refused. */
#include "base/clock.h"
#include "base/limits.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;

struct thread_wait {
    tutti_task *task;
    uint64_t timeout_ns;
    int rc;
    sem_t begun;
};

static void *wait_thread(void *arg)
{
    struct thread_wait *w = arg;
    sem_post(&w->begun);
    w->rc = w->task != NULL ? tutti__task_wait(w->task, w->timeout_ns) : tutti__sched_wait_idle(sched);
    return NULL;
}

static pthread_t wait_start(struct thread_wait *w, tutti_task *task, uint64_t timeout_ns)
{
    pthread_t thread;
    w->task = task;
    w->timeout_ns = timeout_ns;
    w->rc = 99;
    sem_init(&w->begun, 0, 0);
    pthread_create(&thread, NULL, wait_thread, w);
    sem_take(&w->begun);
    return thread;
}

static void deadlines(void)
{
    tutti_task *promise = promise_make(sched);
    uint64_t before = tutti__clock_now_ns();
    EQ_INT(tutti__task_wait(promise, 0), TUTTI_ETIMEDOUT, "a poll");
    EQ_INT(tutti__task_wait(promise, 20 * TUTTI_NS_PER_MS), TUTTI_ETIMEDOUT, "a deadline");
    OK(tutti__clock_now_ns() - before >= 20 * TUTTI_NS_PER_MS, "is not early");
    struct thread_wait w[3];
    pthread_t threads[3];
    threads[0] = wait_start(&w[0], promise, 20 * TUTTI_NS_PER_MS);
    pthread_join(threads[0], NULL);
    EQ_INT(w[0].rc, TUTTI_ETIMEDOUT, "a foreign thread's deadline");
    for (int i = 0; i < 3; i++) {
        threads[i] = wait_start(&w[i], i < 2 ? promise : NULL, TUTTI_FOREVER);
    }
    tutti__promise_settle(promise, TUTTI_OK, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        EQ_INT(w[i].rc, TUTTI_OK, "foreign threads are woken");
    }
    EQ_INT(tutti__task_wait(promise, 0), TUTTI_OK, "settled already");
    tutti__task_unref(promise);
}

static int body_waits(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = tutti__task_wait(self, TUTTI_FOREVER) };
    return tutti__sched_wait_idle(sched) == TUTTI_EDEADLK ? TUTTI_OK : TUTTI_EFAILED;
}

static void refused(void)
{
    tutti_task *task = spawn(sched, body_waits, NULL);
    await(task);
    const tutti_value *value = NULL;
    EQ_INT(tutti__task_result(task, &value), TUTTI_OK, "wait_idle in a body is refused");
    EQ_INT(value->as.integer, TUTTI_EDEADLK, "and so is a wait for itself");
    tutti__task_unref(task);

    static struct tutti__home home = { .wake = NULL }; /* its posters read it after their posts */
    EQ_INT(tutti__sched_adopt_loop(sched, &home), TUTTI_OK, "the creator becomes the loop thread");
    EQ_PTR(tutti__thread_home(tutti__thread_here(sched)), &home, "and is at home there");
    EQ_INT(tutti__sched_adopt_loop(sched, &home), TUTTI_EINVAL, "there is one loop thread");
    EQ_INT(tutti__sched_wait_idle(sched), TUTTI_EDEADLK, "which may not block");
    tutti__sched_leave_loop(sched);
    EQ_INT(tutti__sched_wait_idle(sched), TUTTI_OK, "and later may again");
}

/* With no worker at all only the waiting creator runs tasks. */
static void alone(void)
{
    struct tutti__sched *none = sched_make(0);
    atomic_int ran = 0;
    tutti_task *tasks[100];
    for (int i = 0; i < 100; i++) {
        tasks[i] = spawn_after(none, body_count, &ran, i > 0 ? &tasks[i - 1] : NULL, i > 0);
    }
    EQ_INT(ran, 0, "nothing runs by itself");
    EQ_INT(tutti__task_wait(tasks[50], TUTTI_FOREVER), TUTTI_OK, "a wait runs what it needs");
    OK(ran >= 51, "and perhaps more");
    EQ_INT(tutti__sched_wait_idle(none), TUTTI_OK, "idle");
    EQ_INT(ran, 100, "all have run");
    for (int i = 0; i < 100; i++) {
        tutti__task_unref(tasks[i]);
    }
    tutti__sched_free(none);
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    deadlines();
    refused();
    alone();
    tutti__sched_free(sched);
    return TAP_END();
}
