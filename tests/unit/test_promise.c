/* SPDX-License-Identifier: MIT */
/* test_promise.c - promises, bodies that suspend, settles from within notices. */
#include "base/alloc.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;

static void plain(void)
{
    tutti_task *promise = promise_make(sched);
    atomic_int ran = 0;
    tutti_task *after = spawn_after(sched, body_count, &ran, &promise, 1);
    EQ_INT(tutti__task_state(promise), TUTTI_TASK_SUSPENDED, "a promise is suspended");
    tutti_value value = { .kind = TUTTI_OPAQUE, .as.pointer = &ran, .more.drop = drop_count };
    atomic_store(&dropped, 0);
    EQ_INT(tutti__promise_settle(promise, TUTTI_OK, &value), TUTTI_OK, "settled");
    EQ_INT(value.kind, TUTTI_NIL, "the value is taken");
    tutti_value second = { .kind = TUTTI_OPAQUE, .as.pointer = &ran, .more.drop = drop_count };
    EQ_INT(tutti__promise_settle(promise, TUTTI_OK, &second), TUTTI_ESETTLED, "once");
    EQ_INT(second.kind, TUTTI_NIL, "the second value is taken too");
    EQ_INT(atomic_load(&dropped), 1, "and freed");
    await(after);
    EQ_INT(ran, 1, "what comes after has run");
    tutti__task_unref(after);
    tutti__task_unref(promise);
    EQ_INT(atomic_load(&dropped), 2, "the result goes with the last reference");
}

static void nobody_waits(void)
{
    tutti_task *promise = promise_make(sched);
    tutti__task_ref(promise);
    tutti__task_unref(promise);
    EQ_INT(tutti__promise_settle(promise, TUTTI_ECANCELED, NULL), TUTTI_OK, "settled as cancelled");
    EQ_INT(tutti__task_state(promise), TUTTI_TASK_CANCELLED, "cancelled");
    tutti__task_unref(promise);
}

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    *(tutti_task *_Atomic *)arg = self;
    *result = (tutti_value){ .kind = TUTTI_OPAQUE, .more.drop = drop_count }; /* is ignored */
    return TUTTI_TASK_SUSPEND;
}

static int body_settles_itself(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    tutti_value value = { .kind = TUTTI_INT, .as.integer = 5 };
    tutti__promise_settle(self, TUTTI_OK, &value);
    return TUTTI_TASK_SUSPEND; /* the settle came first */
}

static int body_suspending_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)result;
    struct gate *gate = arg;
    tutti__task_unref(spawn(sched, body_gate, gate));
    tutti__promise_settle(self, TUTTI_OK, NULL);
    return TUTTI_TASK_SUSPEND;
}

static void suspended(void)
{
    tutti_task *_Atomic self = NULL;
    atomic_store(&dropped, 0);
    tutti_task *task = spawn(sched, body_suspend, (void *)&self);
    EQ_INT(tutti__promise_settle(task, 1, NULL), TUTTI_EINVAL, "no positive status");
    while (tutti__task_state(task) != TUTTI_TASK_SUSPENDED) {
    }
    EQ_PTR(self, task, "the body knows its task");
    EQ_INT(tutti__task_wait(task, 1), TUTTI_ETIMEDOUT, "it does not settle by itself");
    tutti_value value = { .kind = TUTTI_INT, .as.integer = 3 };
    EQ_INT(tutti__promise_settle(task, TUTTI_EIO, &value), TUTTI_OK, "somebody settles it");
    EQ_INT(tutti__promise_settle(task, TUTTI_EIO, NULL), TUTTI_ESETTLED, "once");
    const tutti_value *seen = NULL;
    EQ_INT(tutti__task_result(task, &seen), TUTTI_EIO, "with that status");
    EQ_INT(seen->as.integer, 3, "and that value");
    EQ_INT(atomic_load(&dropped), 1, "what the body had left as a result is freed");
    tutti__task_unref(task);

    task = spawn(sched, body_settles_itself, NULL);
    await(task);
    EQ_INT(tutti__task_result(task, &seen), TUTTI_OK, "a settle before the body returns");
    EQ_INT(seen->as.integer, 5, "counts");
    tutti__task_unref(task);

    struct gate gate;
    gate_init(&gate);
    task = spawn(sched, body_suspending_parent, &gate);
    sem_take(&gate.begun);
    EQ_INT(tutti__task_state(task), TUTTI_TASK_SUSPENDED, "settled, but a child still runs");
    OK(!tutti__task_is_done(task), "so it is not done");
    sem_post(&gate.open);
    EQ_INT(await(task), TUTTI_OK, "the child's end ends it");
    tutti__task_unref(task);
    gate_deinit(&gate);

    task = promise_make(sched);
    tutti_task *waiting = spawn_after(sched, body_empty, NULL, &task, 1);
    EQ_INT(tutti__promise_settle(waiting, TUTTI_OK, NULL), TUTTI_EINVAL,
           "a task that has not started is nobody's to settle");
    tutti__promise_settle(task, TUTTI_OK, NULL);
    await(waiting);
    tutti__task_unref(waiting);
    tutti__task_unref(task);
}

/* ---- a chain of settles from within notices ------------------------------------------------- */

enum { LINKS = 100000 };

struct link {
    struct tutti__notice notice;
    tutti_task *next;
};

static void settle_next(struct tutti__notice *notice, tutti_task *task)
{
    (void)task;
    struct link *link = (struct link *)notice;
    tutti__promise_settle(link->next, TUTTI_OK, NULL);
}

static void long_chain(void)
{
    static struct link links[LINKS];
    static tutti_task *promises[LINKS + 1];
    for (int i = 0; i <= LINKS; i++) {
        promises[i] = promise_make(sched);
    }
    for (int i = 0; i < LINKS; i++) {
        links[i].notice.fn = settle_next;
        links[i].next = promises[i + 1];
        tutti__task_notify(promises[i], &links[i].notice);
    }
    tutti__promise_settle(promises[0], TUTTI_OK, NULL); /* must not recurse: the stack is 8 MiB */
    EQ_INT(tutti__task_state(promises[LINKS]), TUTTI_TASK_DONE, "a chain of notices ends");
    for (int i = 0; i <= LINKS; i++) {
        tutti__task_unref(promises[i]);
    }
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    plain();
    nobody_waits();
    suspended();
    long_chain();
    tutti__sched_wait_idle(sched);
    tutti__sched_free(sched);
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
