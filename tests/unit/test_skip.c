/* SPDX-License-Identifier: MIT */
/* test_skip.c - failures along edges: skipped at once, with the first cause; RUN_ON_SKIP. */
#include "unit/test_sched.h"

static struct tutti__sched *sched;

static tutti_task *spawn_flags(tutti_task_fn fn, void *arg, uint32_t flags, tutti_task *const *after,
                               size_t count)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg, .flags = flags,
                             .arg_drop = drop_count };
    tutti_task *task = NULL;
    return tutti__sched_submit(sched, &desc, after, count, &task) == TUTTI_OK ? task : NULL;
}

static void at_once(void)
{
    atomic_int ran = 0;
    atomic_store(&dropped, 0);
    tutti_task *promise = promise_make(sched); /* never settles while we look */
    tutti_task *bad = promise_make(sched);
    tutti_task *both[2] = { promise, bad };
    tutti_task *skipped = spawn_flags(body_count, &ran, 0, both, 2);
    tutti_task *further = spawn_flags(body_count, &ran, 0, &skipped, 1);
    EQ_INT(tutti__task_state(skipped), TUTTI_TASK_WAITING, "waits");
    tutti__promise_settle(bad, TUTTI_EIO, NULL);
    EQ_INT(tutti__task_state(skipped), TUTTI_TASK_SKIPPED, "skipped without waiting for the other");
    EQ_INT(tutti__task_state(further), TUTTI_TASK_SKIPPED, "and so is what comes after");
    EQ_PTR(tutti__task_cause(skipped), bad, "its cause");
    EQ_PTR(tutti__task_cause(further), bad, "the cause is the root");
    EQ_INT(tutti__task_result(further, NULL), TUTTI_ESKIPPED, "status");
    EQ_INT(atomic_load(&dropped), 2, "the arguments were dropped");
    tutti__promise_settle(promise, TUTTI_OK, NULL); /* counts the last edge down: frees the record */
    tutti_task *late = spawn_flags(body_count, &ran, 0, &further, 1);
    EQ_INT(tutti__task_state(late), TUTTI_TASK_SKIPPED, "skipped at creation");
    EQ_PTR(tutti__task_cause(late), bad, "with the root as cause");
    tutti__task_unref(bad); /* the cause keeps it */
    EQ_INT(tutti__task_result(tutti__task_cause(late), NULL), TUTTI_EIO, "the cause stays valid");
    tutti__sched_wait_idle(sched);
    EQ_INT(ran, 0, "nothing of that ran");
    tutti__task_unref(late);
    tutti__task_unref(further);
    tutti__task_unref(skipped);
    tutti__task_unref(promise);
}

static void first_in_order(void)
{
    tutti_task *preds[4];
    for (int i = 0; i < 4; i++) {
        preds[i] = promise_make(sched);
    }
    /* Settled in another order than named. */
    tutti__promise_settle(preds[3], TUTTI_EFAILED, NULL);
    tutti__promise_settle(preds[1], TUTTI_EFAILED, NULL);
    tutti__promise_settle(preds[2], TUTTI_ECANCELED, NULL);
    tutti_task *task = spawn_after(sched, body_empty, NULL, preds, 4);
    EQ_INT(tutti__task_state(task), TUTTI_TASK_SKIPPED, "skipped at creation, one is still open");
    EQ_PTR(tutti__task_cause(task), preds[1], "of several the first in order");
    tutti__promise_settle(preds[0], TUTTI_EFAILED, NULL);
    EQ_PTR(tutti__task_cause(task), preds[1], "and it stays so");
    tutti_task *last = spawn_after(sched, body_empty, NULL, &preds[2], 1);
    EQ_INT(tutti__task_state(last), TUTTI_TASK_SKIPPED, "after a cancelled one");
    EQ_PTR(tutti__task_cause(last), preds[2], "which is the cause");
    tutti__task_unref(last);
    tutti__task_unref(task);
    for (int i = 0; i < 4; i++) {
        tutti__task_unref(preds[i]);
    }
}

static void run_on_skip(void)
{
    atomic_int ran = 0;
    tutti_task *bad = promise_make(sched);
    tutti_task *good = promise_make(sched);
    tutti_task *skipped = spawn_after(sched, body_count, &ran, &bad, 1);
    tutti_task *all[3] = { bad, good, skipped };
    tutti_task *after = spawn_flags(body_count, &ran, TUTTI_RUN_ON_SKIP, all, 3);
    tutti__promise_settle(bad, TUTTI_EFAILED, NULL);
    EQ_INT(tutti__task_state(after), TUTTI_TASK_WAITING, "RUN_ON_SKIP waits for all");
    tutti__promise_settle(good, TUTTI_OK, NULL);
    await(after);
    EQ_INT(tutti__task_state(after), TUTTI_TASK_DONE, "and runs");
    EQ_INT(ran, 1, "it alone");
    tutti_task *late = spawn_flags(body_count, &ran, TUTTI_RUN_ON_SKIP, all, 3);
    await(late);
    EQ_INT(ran, 2, "also when all have settled before");
    tutti__task_unref(late);
    tutti__task_unref(after);
    tutti__task_unref(skipped);
    tutti__task_unref(good);
    tutti__task_unref(bad);
}

struct seen {
    struct tutti__notice notice;
    tutti_task *task;
    int status;
};

static void note(struct tutti__notice *notice, tutti_task *task)
{
    struct seen *seen = (struct seen *)notice;
    seen->task = task;
    seen->status = tutti__task_result(task, NULL);
}

static void notices(void)
{
    struct seen seen[3] = { { .notice.fn = note }, { .notice.fn = note }, { .notice.fn = note } };
    tutti_task *bad = promise_make(sched);
    tutti_task *skipped = spawn_after(sched, body_empty, NULL, &bad, 1);
    OK(tutti__task_notify(bad, &seen[0].notice), "armed");
    OK(tutti__task_notify(skipped, &seen[1].notice), "armed");
    tutti__promise_settle(bad, TUTTI_EFAILED, NULL);
    OK(seen[0].task == bad && seen[0].status == TUTTI_EFAILED, "told of the failure");
    OK(seen[1].task == skipped && seen[1].status == TUTTI_ESKIPPED, "told of the skip");
    OK(!tutti__task_notify(bad, &seen[2].notice) && seen[2].task == NULL, "too late to be told");
    tutti__task_unref(skipped);
    tutti__task_unref(bad);
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    at_once();
    first_in_order();
    run_on_skip();
    notices();
    tutti__sched_wait_idle(sched);
    tutti__sched_free(sched);
    return TAP_END();
}
