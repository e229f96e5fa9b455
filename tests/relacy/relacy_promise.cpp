/* SPDX-License-Identifier: MIT */
/*
 * relacy_promise.cpp - who settles a task that something else than its body settles, and once.
 */
#include "engine.h"

/* A promise: the creator and a thread of the host settle it, both also cancel it; a task comes after. */
struct settle : model_engine {
    tutti_task *promise;
    TUTTI_SHARED(uint32_t) winner; /* written by who settles, before */
    TUTTI_SHARED(uint32_t) ran;
    TUTTI_SHARED(uint32_t) won[2];
    TUTTI_ATOMIC(uint32_t) told;
    TUTTI_SHARED(uint32_t) prepared[2];

    settle() : model_engine(1, 1) {}

    static int body(tutti_task *, void *arg, tutti_value *)
    {
        settle *test = (settle *)arg;
        const tutti_value *value;
        int status = tutti__task_result(test->promise, &value);
        MUST(status == TUTTI_OK || status == TUTTI_ECANCELED);
        if (status == TUTTI_OK) {
            MUST(TUTTI_GET(test->prepared[value->as.integer]) == 1);
        }
        TUTTI_SET(test->ran, TUTTI_GET(test->ran) + 1);
        return TUTTI_OK;
    }

    void prepare() override
    {
        MUST(tutti__sched_promise_new(sched, &promise) == TUTTI_OK);
        tutti_task_desc desc = {};
        desc.struct_size = sizeof desc;
        desc.fn = body;
        desc.arg = this;
        desc.flags = TUTTI_RUN_ON_SKIP;
        MUST(tutti__sched_submit(sched, &desc, &promise, 1, NULL) == TUTTI_OK);
        tutti__task_ref(promise);
    }

    void race(unsigned number)
    {
        tutti_value value = {};
        int rc;
        if (rl::rand(3) == 0) {
            rc = tutti__task_cancel(promise);
        } else {
            value.kind = TUTTI_INT;
            value.as.integer = number;
            TUTTI_SET(prepared[number], 1);
            rc = tutti__promise_settle(promise, TUTTI_OK, &value);
        }
        MUST(rc == TUTTI_OK || rc == TUTTI_ESETTLED);
        TUTTI_SET(won[number], rc == TUTTI_OK);
    }

    void create() override
    {
        race(0);
        MUST(tutti__sched_wait_idle(sched) == TUTTI_OK);
        tutti__task_unref(promise);
        wait_until(&told, 1);
    }

    void other() override
    {
        race(1);
        TUTTI_STORE(&told, 1, release);
        tutti__futex_wake(&told, 1);
        tutti__task_unref(promise);
    }

    void look() override
    {
        MUST(TUTTI_GET(won[0]) + TUTTI_GET(won[1]) == 1);
        MUST(TUTTI_GET(ran) == 1);
    }
};

/* A body that suspends; a thread of the host settles it, perhaps before it has returned. */
struct suspend : model_engine {
    tutti_task *task;
    TUTTI_ATOMIC(uint32_t) begun;
    TUTTI_SHARED(uint32_t) body_wrote;
    TUTTI_SHARED(uint32_t) settler_wrote;
    TUTTI_SHARED(uint32_t) ran;

    suspend() : model_engine(1, 1) {}

    static int body(tutti_task *, void *arg, tutti_value *)
    {
        suspend *test = (suspend *)arg;
        TUTTI_STORE(&test->begun, 1, release); /* says that it has started; what follows is not in it */
        tutti__futex_wake(&test->begun, 1);
        TUTTI_SET(test->body_wrote, 1);
        return TUTTI_TASK_SUSPEND;
    }

    static int next(tutti_task *, void *arg, tutti_value *)
    {
        suspend *test = (suspend *)arg;
        MUST(tutti__task_result(test->task, NULL) == TUTTI_OK);
        MUST(TUTTI_GET(test->body_wrote) == 1 && TUTTI_GET(test->settler_wrote) == 1);
        TUTTI_SET(test->ran, TUTTI_GET(test->ran) + 1);
        return TUTTI_OK;
    }

    void prepare() override
    {
        MUST(submit(body, this, NULL, 0, &task) == TUTTI_OK);
        MUST(submit(next, this, &task, 1, NULL) == TUTTI_OK);
    }

    void create() override
    {
        MUST(tutti__sched_wait_idle(sched) == TUTTI_OK);
        tutti__task_unref(task);
    }

    void other() override
    {
        while (TUTTI_LOAD(&begun, acquire) == 0) {
            tutti__futex_wait(&begun, 0, UINT64_MAX);
        }
        TUTTI_SET(settler_wrote, 1);
        MUST(tutti__promise_settle(task, TUTTI_OK, NULL) == TUTTI_OK);
    }

    void look() override { MUST(TUTTI_GET(ran) == 1); }
};

/* A started task with a cancel hook: its owner takes the hook back, or the canceller's post comes. */
struct hook : model_engine {
    tutti_task *task;
    tutti__home home;
    tutti__cancel_hook cancel;
    TUTTI_SHARED(uint32_t) posted;

    hook() : model_engine(1, 1) {}

    static void on_cancel(tutti__post *post)
    {
        hook *test = (hook *)((char *)post - offsetof(hook, cancel.post));
        TUTTI_SET(test->posted, 1);
    }

    void prepare() override
    {
        MUST(tutti__sched_suspended_new(sched, &task) == TUTTI_OK);
        tutti__task_ref(task);
        cancel.home = &home;
        cancel.post.fn = on_cancel;
    }

    void create() override
    {
        int rc = tutti__task_cancel(task);
        MUST(rc == TUTTI_EPENDING || rc == TUTTI_ESETTLED);
        tutti__task_unref(task);
        MUST(tutti__sched_wait_idle(sched) == TUTTI_OK);
    }

    void other() override
    {
        if (tutti__task_set_cancel_hook(task, &cancel) &&
            !tutti__task_take_cancel_hook(task, &cancel)) {
            while (TUTTI_GET(posted) == 0) { /* it is on its way */
                rl::ctx().yield(1, RL_INFO);
                tutti__home_drain(&home);
            }
            MUST(tutti__task_was_cancelled(task));
        }
        MUST(tutti__promise_settle(task, TUTTI_OK, NULL) == TUTTI_OK);
        tutti__task_unref(task);
    }

    void look() override { MUST(TUTTI_LOAD(&home.inbox, relaxed) == NULL); }
};

static const model_plant settle_plants[] = {
    { "tutti__task_claim", "cas", "pending", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant suspend_plants[] = {
    { "settle_started", "or", "pending", MODEL_TEAR, rl::mo_relaxed },
    { "settle_started", "or", "pending", MODEL_ORDER, rl::mo_acquire },
    { "suspended", "or", "pending", MODEL_TEAR, rl::mo_relaxed },
    { "suspended", "or", "pending", MODEL_ORDER, rl::mo_acquire },
};

static const model_plant hook_plants[] = {
    { "take_hook", "cas", "link", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__task_take_cancel_hook", "cas", "link", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    model_engine_begin();
    MODEL_CHECK(MODEL_TEST(settle, 3, 5000), settle_plants);
    MODEL_CHECK(MODEL_TEST(suspend, 3, 5000), suspend_plants);
    MODEL_CHECK(MODEL_TEST(hook, 3, 5000), hook_plants);
    return model_end();
}
