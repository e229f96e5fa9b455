/* SPDX-License-Identifier: MIT */
/*
 * relacy_wait.cpp - threads that sleep until a task, or the whole scheduler, has come to rest.
 *
 * Must hold: they wake, and see what the tasks did.
 */
#include "engine.h"

/* The creator submits and waits for nothing; a thread of the host waits until all is done. */
struct idle : model_engine {
    enum { TASKS = 2 };
    TUTTI_SHARED(uint32_t) ran[TASKS];
    TUTTI_ATOMIC(uint32_t) left;

    idle() : model_engine(1, 1), left(1) {}

    static int body(tutti_task *, void *arg, tutti_value *)
    {
        TUTTI_SET(*(uint32_t *)arg, 1);
        return TUTTI_OK;
    }

    void prepare() override
    {
        for (uint32_t &flag : ran) {
            MUST(submit(body, &flag, NULL, 0, NULL) == TUTTI_OK);
        }
    }

    void create() override { wait_until(&left, 0); }

    void other() override
    {
        MUST(tutti__sched_wait_idle(sched) == TUTTI_OK);
        for (uint32_t &flag : ran) {
            MUST(TUTTI_GET(flag) == 1);
        }
        signal_one_less(&left);
    }
};

/* The same for one task that the worker runs, and one that the creator settles. */
struct one : model_engine {
    tutti_task *tasks[2];
    TUTTI_SHARED(uint32_t) ran[2];
    TUTTI_ATOMIC(uint32_t) left;

    one() : model_engine(1, 1), left(1) {}

    void prepare() override
    {
        MUST(submit(idle::body, &ran[0], NULL, 0, &tasks[0]) == TUTTI_OK);
        MUST(tutti__sched_promise_new(sched, &tasks[1]) == TUTTI_OK);
    }

    void create() override
    {
        TUTTI_SET(ran[1], 1);
        MUST(tutti__promise_settle(tasks[1], TUTTI_OK, NULL) == TUTTI_OK);
        wait_until(&left, 0);
    }

    void other() override
    {
        for (int i = 0; i < 2; i++) {
            MUST(tutti__task_wait(tasks[i], UINT64_MAX) == TUTTI_OK);
            MUST(TUTTI_GET(ran[i]) == 1);
            tutti__task_unref(tasks[i]);
        }
        signal_one_less(&left);
    }
};

static const model_plant idle_plants[] = {
    { "announce", "add", "idle_waiters", MODEL_DROP, rl::mo_relaxed },
    { "announce", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__idle_check", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__sched_is_idle", "load", "settled", MODEL_ORDER, rl::mo_relaxed },
};

static const model_plant one_plants[] = {
    { "announce", "or", "pending", MODEL_DROP, rl::mo_relaxed },
    { "close_edges", "load", "pending", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__edge_is_closed", "load", "head", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__edge_close", "exchange", "head", MODEL_ORDER, rl::mo_relaxed },
};

int main()
{
    model_engine_begin();
    MODEL_CHECK(MODEL_TEST(idle, 3, 5000), idle_plants);
    MODEL_CHECK(MODEL_TEST(one, 3, 5000), one_plants);
    return model_end();
}
