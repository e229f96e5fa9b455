/* SPDX-License-Identifier: MIT */
/* test_cancel.c - cancelling what waits, is ready, runs, is suspended; hooks; inheritance. */
#include "unit/test_sched.h"

static struct tutti__sched *sched;

static void not_started(void)
{
    struct gate gate;
    gate_init(&gate);
    atomic_int ran = 0;
    tutti_task *running = spawn(sched, body_gate, &gate); /* the only worker is busy */
    sem_take(&gate.begun);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &ran,
                             .arg_drop = drop_count };
    tutti_task *ready = NULL;
    tutti_task *waiting = NULL;
    atomic_store(&dropped, 0);
    tutti__sched_submit(sched, &desc, NULL, 0, &ready);
    tutti__sched_submit(sched, &desc, &running, 1, &waiting);
    tutti_task *after = spawn_after(sched, body_count, &ran, &waiting, 1);
    EQ_INT(tutti__task_state(ready), TUTTI_TASK_READY, "ready");
    EQ_INT(tutti__task_cancel(ready), TUTTI_OK, "a ready task is cancelled");
    EQ_INT(tutti__task_cancel(waiting), TUTTI_OK, "and a waiting one");
    EQ_INT(tutti__task_state(ready), TUTTI_TASK_CANCELLED, "at once");
    EQ_INT(tutti__task_state(waiting), TUTTI_TASK_CANCELLED, "at once");
    EQ_INT(tutti__task_state(after), TUTTI_TASK_SKIPPED, "what comes after is skipped");
    EQ_PTR(tutti__task_cause(after), waiting, "because of it");
    EQ_INT(atomic_load(&dropped), 2, "their arguments are dropped");
    EQ_INT(tutti__task_cancel(ready), TUTTI_ESETTLED, "only once");
    OK(tutti__task_was_cancelled(ready), "was cancelled");
    sem_post(&gate.open);
    tutti__sched_wait_idle(sched);
    EQ_INT(ran, 0, "none of them runs");
    EQ_INT(tutti__task_state(running), TUTTI_TASK_DONE, "the running one was not touched");
    EQ_INT(tutti__task_cancel(running), TUTTI_ESETTLED, "too late");
    tutti__task_unref(after);
    tutti__task_unref(waiting);
    tutti__task_unref(ready);
    tutti__task_unref(running);
    gate_deinit(&gate);
}

static int body_asks(tutti_task *self, void *arg, tutti_value *result)
{
    struct gate *gate = arg;
    bool before = tutti__task_is_cancelled(self);
    sem_post(&gate->begun);
    sem_take(&gate->open);
    *result = (tutti_value){ .kind = TUTTI_BOOL,
                             .as.boolean = !before && tutti__task_is_cancelled(self) };
    return TUTTI_ECANCELED;
}

static void started(void)
{
    struct gate gate;
    gate_init(&gate);
    tutti_task *task = spawn(sched, body_asks, &gate);
    sem_take(&gate.begun);
    EQ_INT(tutti__task_cancel(task), TUTTI_EPENDING, "a running task is only told");
    EQ_INT(tutti__task_cancel(task), TUTTI_EPENDING, "as often as one likes");
    OK(!tutti__task_is_done(task), "it runs on");
    sem_post(&gate.open);
    await(task);
    const tutti_value *value = NULL;
    EQ_INT(tutti__task_result(task, &value), TUTTI_ECANCELED, "it says that it was cancelled");
    OK(value->as.boolean, "and had seen the flag");
    EQ_INT(tutti__task_state(task), TUTTI_TASK_CANCELLED, "cancelled");
    tutti__task_unref(task);
    gate_deinit(&gate);
}

/* A child that asks while its parent is cancelled, and one that has not started then. */
struct family {
    struct gate gate;
    atomic_int late_ran;
    tutti_task *late;
};

static int body_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct family *family = arg;
    tutti__task_unref(spawn(sched, body_asks, &family->gate));
    family->late = spawn(sched, body_count, &family->late_ran);
    return TUTTI_OK;
}

static void inherited(void)
{
    struct family family = { .late_ran = 0 };
    gate_init(&family.gate);
    tutti_task *parent = spawn(sched, body_parent, &family);
    /* LIFO: the one worker takes `late` first unless it is held up; so wait until it is in the child. */
    sem_take(&family.gate.begun);
    EQ_INT(tutti__task_state(parent), TUTTI_TASK_SUSPENDED, "the parent joins its children");
    bool late_was_first = tutti__task_is_done(family.late);
    EQ_INT(tutti__task_cancel(parent), TUTTI_EPENDING, "cancelled while it joins");
    sem_post(&family.gate.open);
    await(parent);
    EQ_INT(tutti__task_state(parent), TUTTI_TASK_CANCELLED, "a cancel while joining wins");
    if (!late_was_first) {
        EQ_INT(tutti__task_state(family.late), TUTTI_TASK_CANCELLED,
               "a child that had not started is cancelled with it");
        EQ_INT(family.late_ran, 0, "and does not run");
    }
    tutti__task_unref(family.late);
    tutti__task_unref(parent);
    gate_deinit(&family.gate);
}

/* ---- hooks -------------------------------------------------------------------------------- */

static int wakes;
static int fired;

static void on_wake(struct tutti__home *home)
{
    (void)home;
    wakes++;
}

static void on_fire(struct tutti__post *post)
{
    (void)post;
    fired++;
}

static void hooks(void)
{
    struct tutti__home home = { .wake = on_wake };
    struct tutti__cancel_hook hook = { .post = { .fn = on_fire }, .home = &home };
    tutti_task *task = promise_make(sched);
    OK(tutti__promise_start(task), "a promise that counts as started");
    OK(tutti__promise_start(task), "twice is once");
    OK(tutti__task_set_cancel_hook(task, &hook), "armed");
    OK(tutti__task_take_cancel_hook(task, &hook), "taken back");
    OK(!tutti__task_take_cancel_hook(task, &hook), "there is none to take");
    OK(tutti__task_set_cancel_hook(task, &hook), "armed again");
    EQ_INT(tutti__task_cancel(task), TUTTI_EPENDING, "cancel fires the hook");
    EQ_INT(tutti__task_cancel(task), TUTTI_EPENDING, "once");
    OK(!tutti__task_take_cancel_hook(task, &hook), "it cannot be taken back");
    OK(tutti__home_drain(&home) && fired == 1, "its post arrives");
    OK(!tutti__task_set_cancel_hook(task, &hook), "a cancelled task takes no hook");
    OK(!tutti__home_drain(&home) && fired == 1, "and posts none");
    OK(tutti__task_was_cancelled(task) && !tutti__task_is_done(task), "cancelled, not settled");
    EQ_INT(tutti__promise_settle(task, TUTTI_OK, NULL), TUTTI_OK, "its owner settles it");
    EQ_INT(tutti__task_state(task), TUTTI_TASK_DONE, "as it likes");
    tutti__task_unref(task);

    task = promise_make(sched);
    EQ_INT(tutti__task_cancel(task), TUTTI_OK, "a plain promise is settled by cancel");
    OK(!tutti__promise_start(task), "and cannot be started any more");
    EQ_INT(tutti__promise_settle(task, TUTTI_OK, NULL), TUTTI_ESETTLED, "nor settled");
    tutti__task_unref(task);
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    not_started();
    started();
    inherited();
    hooks();
    tutti__sched_wait_idle(sched);
    tutti__sched_free(sched);
    return TAP_END();
}
