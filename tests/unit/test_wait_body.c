/* SPDX-License-Identifier: MIT */
/*
 * test_wait_body.c - bodies that wait: for their own children first, for anything else with a spare in
 * their place, until they are cancelled, too late, or would wait for ever.
 *
 * Layer: tests only. Locks: none.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/thread.h"
#include "sched/core.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;
static uint32_t workers;

static uint32_t spares_now(void)
{
    tutti_stats stats = { .struct_size = sizeof stats };
    tutti__sched_stats(sched, &stats);
    return stats.spares;
}

/* Spares rest soon; there is no event to wait for from outside. */
static bool spares_gone(void)
{
    uint64_t end_ns = tutti__clock_now_ns() + 20 * TUTTI_NS_PER_S;
    while (spares_now() != 0) {
        if (tutti__clock_now_ns() > end_ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

/* ---- fork and join -------------------------------------------------------------------------- */

struct fib {
    uint32_t n;
    uint64_t value;
};

static int body_fib(tutti_task *self, void *arg, tutti_value *result);

static void fib(struct fib *f)
{
    if (f->n < 2) {
        f->value = f->n;
        return;
    }
    struct fib left = { .n = f->n - 1 };
    struct fib right = { .n = f->n - 2 };
    tutti_task *task = spawn(sched, body_fib, &left);
    if (task == NULL) {
        fib(&left);
    }
    fib(&right);
    if (task != NULL) {
        if (await(task) != TUTTI_OK) {
            left.value = UINT64_C(1) << 40;
        }
        tutti__task_unref(task);
    }
    f->value = left.value + right.value;
}

static int body_fib(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    fib(arg);
    return TUTTI_OK;
}

static void forks(void)
{
    struct fib f = { .n = 18 };
    tutti_task *task = spawn(sched, body_fib, &f);
    EQ_INT(await(task), TUTTI_OK, "fork and join");
    EQ_INT((int)f.value, 2584, "fib(18)");
    tutti__task_unref(task);
    OK(spares_gone(), "spares have gone back");
}

/* ---- a chain of waits ----------------------------------------------------------------------- */

static int body_deep(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        return TUTTI_OK;
    }
    tutti_task *child = spawn(sched, body_deep, (void *)(depth - 1));
    int rc = child == NULL ? TUTTI_ENOMEM : await(child);
    tutti__task_unref(child);
    return rc;
}

static void deep(void)
{
    tutti_task *task = spawn(sched, body_deep, (void *)(intptr_t)5000);
    EQ_INT(await(task), TUTTI_OK, "5000 waits inside each other");
    EQ_INT((int)tutti__task_state(task), TUTTI_TASK_DONE, "all were done");
    tutti__task_unref(task);
    OK(spares_gone(), "spares have gone back");
}

/* ---- strangers ------------------------------------------------------------------------------ */

struct stranger {
    tutti_task *target;
    uint64_t timeout_ns;
    int rc;
    sem_t begun;
};

static int body_wait(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct stranger *s = arg;
    sem_post(&s->begun);
    s->rc = tutti__task_wait(s->target, s->timeout_ns);
    return TUTTI_OK;
}

static int body_settle(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return tutti__promise_settle(arg, TUTTI_OK, NULL);
}

static tutti_task *wait_spawn(struct stranger *s, tutti_task *target, uint64_t timeout_ns, uint32_t flags)
{
    *s = (struct stranger){ .target = target, .timeout_ns = timeout_ns, .rc = 99 };
    sem_init(&s->begun, 0, 0);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_wait, .arg = s, .flags = flags };
    tutti_task *task = NULL;
    return tutti__sched_submit(sched, &desc, NULL, 0, &task) == TUTTI_OK ? task : NULL;
}

static void strangers(uint32_t flags, const char *what)
{
    struct stranger s;
    tutti_task *promise = promise_make(sched);
    tutti_task *task = wait_spawn(&s, promise, TUTTI_FOREVER, flags);
    if (workers != 0) {
        sem_take(&s.begun);
    }
    tutti_task *settler = spawn(sched, body_settle, promise);
    EQ_INT(await(task), TUTTI_OK, what);
    EQ_INT(s.rc, TUTTI_OK, "and goes on");
    tutti__task_unref(settler);
    tutti__task_unref(task);
    tutti__task_unref(promise);
    OK(spares_gone(), "spares have gone back");
}

enum { CROWD = 64 };

static void crowd(void)
{
    static struct stranger s[CROWD];
    tutti_task *tasks[CROWD + 1];
    tutti_task *promise = promise_make(sched);
    for (int i = 0; i < CROWD; i++) {
        tasks[i] = wait_spawn(&s[i], promise, TUTTI_FOREVER, 0);
    }
    tasks[CROWD] = spawn(sched, body_settle, promise);
    int good = 0;
    for (int i = 0; i < CROWD; i++) {
        good += await(tasks[i]) == TUTTI_OK && s[i].rc == TUTTI_OK;
        tutti__task_unref(tasks[i]);
    }
    EQ_INT(good, CROWD, "64 tasks wait for one promise that a task behind them settles");
    tutti__task_unref(tasks[CROWD]);
    tutti__task_unref(promise);
    OK(spares_gone(), "spares have gone back");
}

/* ---- whose body runs on whose stack ---------------------------------------------------------- */

static _Thread_local int depth_here;
static atomic_int strangers_on_top;

static int body_stranger(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    if (depth_here != 0) {
        atomic_fetch_add(&strangers_on_top, 1);
    }
    return TUTTI_OK;
}

/* Makes a grandchild that nobody waits for. */
static int body_family(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti__task_unref(spawn(sched, body_empty, NULL));
    return TUTTI_OK;
}

static int body_mixed(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    tutti_task *child = spawn(sched, body_family, NULL);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_stranger, .flags = TUTTI_DETACH };
    tutti_task *follower = NULL;
    tutti__sched_submit(sched, &desc, &child, 1, &follower); /* would be run next after the child */
    for (int i = 0; i < 20; i++) {
        tutti__sched_submit(sched, &desc, NULL, 0, NULL);
    }
    depth_here++;
    int rc = await(child);
    int rc2 = await(follower);
    depth_here--;
    tutti__task_unref(child);
    tutti__task_unref(follower);
    return rc == TUTTI_OK ? rc2 : rc;
}

static void no_stranger_on_top(void)
{
    strangers_on_top = 0;
    int good = 0;
    for (int i = 0; i < 200; i++) {
        tutti_task *task = spawn(sched, body_mixed, NULL);
        await(task);
        good += tutti__task_state(task) == TUTTI_TASK_DONE;
        tutti__task_unref(task);
    }
    EQ_INT(good, 200, "children and strangers are waited for");
    EQ_INT(strangers_on_top, 0, "no stranger has run on top of a body that waits");
    tutti__sched_wait_idle(sched);
}

/* ---- ends of waits -------------------------------------------------------------------------- */

struct refuse {
    tutti_task *parent;
    int rc_self;
    int rc_parent;
};

static int body_refuse_child(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    struct refuse *r = arg;
    r->rc_self = tutti__task_wait(self, 0);
    r->rc_parent = tutti__task_wait(r->parent, TUTTI_FOREVER);
    return TUTTI_OK;
}

static int body_refuse(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    struct refuse *r = arg;
    r->parent = self;
    tutti_task *child = spawn(sched, body_refuse_child, r);
    int rc = await(child);
    tutti__task_unref(child);
    return rc;
}

static void refused(void)
{
    struct refuse r = { .rc_self = 99 };
    tutti_task *task = spawn(sched, body_refuse, &r);
    EQ_INT(await(task), TUTTI_OK, "a wait that cannot end");
    EQ_INT(r.rc_self, TUTTI_EDEADLK, "for itself");
    EQ_INT(r.rc_parent, TUTTI_EDEADLK, "for its parent");
    tutti__task_unref(task);
}

static void late(uint32_t flags)
{
    struct stranger s;
    tutti_task *promise = promise_make(sched);
    tutti_task *task = wait_spawn(&s, promise, 10 * TUTTI_NS_PER_MS, flags);
    uint64_t before_ns = tutti__clock_now_ns();
    EQ_INT(await(task), TUTTI_OK, "a deadline in a body");
    EQ_INT(s.rc, TUTTI_ETIMEDOUT, "passes");
    OK(tutti__clock_now_ns() - before_ns < 20 * TUTTI_NS_PER_S, "and not much later");
    tutti__task_unref(task);
    task = wait_spawn(&s, promise, 0, flags);
    await(task);
    EQ_INT(s.rc, TUTTI_ETIMEDOUT, "a poll in a body");
    tutti__task_unref(task);
    tutti__promise_settle(promise, TUTTI_OK, NULL);
    tutti__task_unref(promise);
}

/* The body may see the flag, end and settle before the canceller has looked again. */
static bool is_told(int rc)
{
    return rc == TUTTI_EPENDING || rc == TUTTI_ESETTLED;
}

static void cancelled(uint32_t flags)
{
    struct stranger s;
    tutti_task *promise = promise_make(sched);
    tutti_task *task = wait_spawn(&s, promise, TUTTI_FOREVER, flags);
    sem_take(&s.begun);
    OK(is_told(tutti__task_cancel(task)), "cancel a body that waits");
    EQ_INT(await(task), TUTTI_OK, "it ends");
    EQ_INT(s.rc, TUTTI_ECANCELED, "its wait tells it");
    EQ_INT(tutti__task_is_done(promise), 0, "what it waited for goes on");
    tutti__promise_settle(promise, TUTTI_OK, NULL);
    tutti__task_unref(task);
    tutti__task_unref(promise);
}

/* A parent that only waits for its child, which waits for a promise. */
static int body_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct stranger *s = arg;
    tutti_task *child = spawn(sched, body_wait, s);
    int rc = await(child);
    tutti__task_unref(child);
    return rc;
}

static void cancelled_above(void)
{
    struct stranger s = { .timeout_ns = TUTTI_FOREVER, .rc = 99 };
    sem_init(&s.begun, 0, 0);
    s.target = promise_make(sched);
    tutti_task *task = spawn(sched, body_parent, &s);
    sem_take(&s.begun);
    OK(is_told(tutti__task_cancel(task)), "cancel the parent of a body that waits");
    EQ_INT(await(task), TUTTI_OK, "both end");
    EQ_INT(s.rc, TUTTI_ECANCELED, "the child's wait tells it");
    tutti__promise_settle(s.target, TUTTI_OK, NULL);
    tutti__task_unref(s.target);
    tutti__task_unref(task);
}

/* ---- threads that cannot be had -------------------------------------------------------------- */

static void no_thread(void)
{
    if (!tutti__thread_fail_from(1)) {
        NOTE("needs a debug build");
        return;
    }
    struct stranger s;
    tutti_task *promise = promise_make(sched);
    tutti_task *task = wait_spawn(&s, promise, TUTTI_FOREVER, 0);
    sem_take(&s.begun); /* on the worker: this thread does not help yet */
    EQ_INT(await(task), TUTTI_OK, "without a thread to stand in");
    EQ_INT(s.rc, TUTTI_EAGAIN, "the last worker does not sleep");
    tutti__thread_fail_from(0);
    tutti__task_unref(task);
    task = wait_spawn(&s, promise, TUTTI_FOREVER, 0);
    sem_take(&s.begun);
    tutti_task *settler = spawn(sched, body_settle, promise);
    EQ_INT(await(task), TUTTI_OK, "and later");
    EQ_INT(s.rc, TUTTI_OK, "it does");
    tutti__task_unref(settler);
    tutti__task_unref(task);
    tutti__task_unref(promise);
}

/* More bodies that block than there may be extra threads, each waiting for the last. */
static void blocking_crowd(void)
{
    enum { COUNT = (int)TUTTI_BLOCKING_THREADS_MAX + 4 };
    static struct stranger s[COUNT];
    tutti_task *tasks[COUNT];
    tutti_task *promise = promise_make(sched);
    for (int i = 0; i < COUNT; i++) {
        tasks[i] = wait_spawn(&s[i], promise, TUTTI_FOREVER, TUTTI_BLOCKING);
    }
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_settle, .arg = promise,
                             .flags = TUTTI_BLOCKING };
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 0, NULL), TUTTI_OK, "one that ends it");
    int good = 0;
    for (int i = 0; i < COUNT; i++) {
        good += await(tasks[i]) == TUTTI_OK && s[i].rc == TUTTI_OK;
        tutti__task_unref(tasks[i]);
    }
    EQ_INT(good, COUNT, "more blocking bodies wait than there may be threads");
    tutti__task_unref(promise);
}

static void all(uint32_t count)
{
    workers = count;
    sched = sched_make(count);
    if (count == 1) {
        no_thread(); /* first: afterwards there are spares */
    }
    forks();
    deep();
    strangers(0, "a body waits for what a later task settles");
    strangers(TUTTI_BLOCKING, "and so does a blocking body");
    crowd();
    no_stranger_on_top();
    refused();
    late(0);
    late(TUTTI_BLOCKING);
    if (count != 0) {
        cancelled(0);
        cancelled_above();
    }
    cancelled(TUTTI_BLOCKING);
    if (count == 1) {
        blocking_crowd();
    }
    tutti__sched_free(sched);
}

int main(void)
{
    TAP_BEGIN();
    all(1);
    all(2);
    all(0);
    return TAP_END();
}
