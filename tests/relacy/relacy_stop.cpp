/* SPDX-License-Identifier: MIT */
/*
 * relacy_stop.cpp - the end of a scheduler while a thread of the host submits to it, and the end of that
 * thread while the scheduler is freed.
 *
 * Must hold: what a submit has accepted is settled, and its argument dropped, once, before the stop is
 * over; nothing is accepted afterwards; what the thread had in the scheduler is freed once.
 */
#include "engine.h"

struct stop : model_engine {
    enum { SUBMITS = 2 };
    TUTTI_SHARED(uint32_t) dropped[SUBMITS];
    TUTTI_SHARED(uint32_t) accepted[SUBMITS];
    TUTTI_SHARED(uint32_t) stopped;

    stop() : model_engine(1, 1) {}

    static int body(tutti_task *, void *, tutti_value *) { return TUTTI_OK; }

    static void drop(void *arg)
    {
        TUTTI_SET(*(uint32_t *)arg, TUTTI_GET(*(uint32_t *)arg) + 1);
    }

    void create() override
    {
        (void)tutti__sched_stop(sched, UINT64_MAX);
        TUTTI_SET(stopped, 1); /* what is dropped later is a race with this thread's look */
        tutti_task_desc desc = {};
        desc.struct_size = sizeof desc;
        desc.fn = body;
        MUST(tutti__sched_submit(sched, &desc, NULL, 0, NULL) == TUTTI_ESTOPPED);
        for (uint32_t &count : dropped) {
            MUST(TUTTI_GET(count) <= 1);
        }
    }

    void other() override
    {
        for (int i = 0; i < SUBMITS; i++) {
            tutti_task_desc desc = {};
            desc.struct_size = sizeof desc;
            desc.fn = body;
            desc.arg = &dropped[i];
            desc.arg_drop = drop;
            int rc = tutti__sched_submit(sched, &desc, NULL, 0, NULL);
            MUST(rc == TUTTI_OK || rc == TUTTI_ESTOPPED);
            TUTTI_SET(accepted[i], rc == TUTTI_OK);
        }
    }

    void look() override
    {
        for (int i = 0; i < SUBMITS; i++) {
            MUST(TUTTI_GET(dropped[i]) == TUTTI_GET(accepted[i]));
        }
    }
};

/* A promise and what comes after it, when a thread of the host settles it at that moment. */
struct pending : model_engine {
    tutti_task *promise;
    TUTTI_SHARED(uint32_t) dropped;

    pending() : model_engine(1, 1) {}

    static int body(tutti_task *, void *, tutti_value *) { return TUTTI_OK; }

    void prepare() override
    {
        MUST(tutti__sched_promise_new(sched, &promise) == TUTTI_OK);
        tutti_task_desc desc = {};
        desc.struct_size = sizeof desc;
        desc.fn = body;
        desc.arg = &dropped;
        desc.arg_drop = stop::drop;
        MUST(tutti__sched_submit(sched, &desc, &promise, 1, NULL) == TUTTI_OK);
    }

    void create() override {}

    void other() override
    {
        int rc = tutti__promise_settle(promise, TUTTI_OK, NULL);
        MUST(rc == TUTTI_OK || rc == TUTTI_ESETTLED);
        MUST(tutti__task_is_done(promise) || rc == TUTTI_ESETTLED);
        tutti__task_unref(promise);
    }

    void look() override { MUST(TUTTI_GET(dropped) == 1); }
};

static const model_plant pending_plants[] = {
    { "tutti__task_claim", "cas", "pending", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant plants[] = {
    { "intake_enter", "exchange", "busy", MODEL_DROP, rl::mo_relaxed },
    { "intake_enter", "load", "closed", MODEL_ORDER, rl::mo_relaxed },
    { "intake_leave", "exchange", "busy", MODEL_TEAR, rl::mo_relaxed },
    { "wait_until_out", "cas", "busy", MODEL_TEAR, rl::mo_relaxed },
    { "on_thread_exit", "cas", "state", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__thread_free", "exchange", "state", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    model_engine_begin();
    MODEL_CHECK(MODEL_TEST(stop, 3, 20000), plants);
    MODEL_CHECK(MODEL_TEST(pending, 3, 10000), pending_plants);
    return model_end();
}
