/* SPDX-License-Identifier: MIT */
/*
 * relacy_wake.cpp - parking and waking: who makes work must not leave everybody asleep, and work for two
 * must not be done by one while the other sleeps.
 *
 * Each test runs with full fences on both sides and as with membarrier (base/fence.h).
 */
#include "engine.h"

/* The creator and a thread of the host submit while the one worker falls asleep; nobody helps. */
struct wake : model_engine {
    enum { EACH = 2 };
    TUTTI_ATOMIC(uint32_t) left;

    wake() : model_engine(1, 1), left(2 * EACH) {}

    static int body(tutti_task *, void *arg, tutti_value *)
    {
        signal_one_less(&((wake *)arg)->left);
        return TUTTI_OK;
    }

    void submit_some()
    {
        for (int i = 0; i < EACH; i++) {
            MUST(submit(body, this, NULL, 0, NULL) == TUTTI_OK);
        }
    }

    void create() override
    {
        submit_some();
        wait_until(&left, 0);
    }

    void other() override { submit_some(); }
};

/* Two tasks that wait for each other: two workers must come. */
struct meet : model_engine {
    TUTTI_ATOMIC(uint32_t) missing;
    TUTTI_ATOMIC(uint32_t) left;

    meet() : model_engine(2, 0), missing(2), left(2) {}

    static int body(tutti_task *, void *arg, tutti_value *)
    {
        meet *test = (meet *)arg;
        signal_one_less(&test->missing);
        wait_until(&test->missing, 0);
        signal_one_less(&test->left);
        return TUTTI_OK;
    }

    void create() override
    {
        MUST(submit(body, this, NULL, 0, NULL) == TUTTI_OK);
        MUST(submit(body, this, NULL, 0, NULL) == TUTTI_OK);
        wait_until(&left, 0);
    }
};

static const model_plant wake_plants[] = {
    { "tutti__idle_notify", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__idle_sleep_begin", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__idle_sleep_begin", "sub", "word", MODEL_DROP, rl::mo_relaxed },
    { "tutti__injector_push", "cas", "head", MODEL_ORDER, rl::mo_relaxed },
};

static const model_plant meet_plants[] = {
    { "tutti__search", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__idle_search_end", "sub", "word", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant heavy_plants[] = {
    { "tutti__idle_sleep_begin", "fence", "", MODEL_DROP, rl::mo_relaxed },
};

int main()
{
    model_engine_begin();
    MODEL_CHECK(MODEL_TEST(wake, 3, 10000), wake_plants);
    MODEL_CHECK(MODEL_TEST(meet, 3, 10000), meet_plants);
    model_asymmetric = true;
    MODEL_CHECK(MODEL_TEST(wake, 3, 10000), heavy_plants);
    model_check(MODEL_TEST(meet, 3, 10000), NULL, 0);
    return model_end();
}
