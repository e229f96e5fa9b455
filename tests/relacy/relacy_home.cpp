/* SPDX-License-Identifier: MIT */
/*
 * relacy_home.cpp - the inbox of a home and the sleep of its loop: two posters, a loop, and in place of
 * the kernel's descriptor a parker behind home.wake.
 *
 * Must hold: all posts arrive, each poster's in its order, and the loop does not sleep for ever.
 */
#include "harness.h"

#include "sched/home.h"

#include "base/parker.c"
#include "sched/home.c"

enum { POSTERS = 2, POSTS = 2 };

struct home : model_test {
    struct message {
        tutti__post post;
        home *test;
        TUTTI_SHARED(uint32_t) payload;
        unsigned poster;
        unsigned number;
    };

    tutti__home inbox;
    tutti__parker door;
    message messages[POSTERS][POSTS];
    unsigned arrived[POSTERS];

    void before() override
    {
        inbox.wake = wake;
    }

    static void wake(tutti__home *of)
    {
        tutti__parker_wake(&((home *)((char *)of - offsetof(home, inbox)))->door);
    }

    static void run(tutti__post *post)
    {
        message *of = (message *)post;
        MUST(of->number == of->test->arrived[of->poster]++);
        MUST(TUTTI_GET(of->payload) == 1);
        TUTTI_SET(of->payload, 2);
    }

    bool all_arrived() const { return arrived[0] + arrived[1] == POSTERS * POSTS; }

    void thread(unsigned index) override
    {
        if (index < POSTERS) {
            for (unsigned i = 0; i < POSTS; i++) {
                message *of = &messages[index][i];
                *of = { { NULL, run }, this, 0, index, i };
                TUTTI_SET(of->payload, 1);
                tutti__home_post(&inbox, &of->post);
            }
            return;
        }
        while (!all_arrived()) { /* as io/loop.c: sleep_a_while, then drain */
            if (tutti__home_sleep_begin(&inbox)) {
                tutti__parker_wait(&door, UINT64_MAX);
            }
            tutti__home_sleep_end(&inbox);
            tutti__home_drain(&inbox);
        }
    }

    void after() override
    {
        MUST(all_arrived());
        MUST(!tutti__home_drain(&inbox));
    }
};

static const model_plant plants[] = {
    { "tutti__home_post", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__home_sleep_begin", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__home_sleep_begin", "store", "asleep", MODEL_DROP, rl::mo_relaxed },
    { "tutti__home_post", "cas", "inbox", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__home_post", "cas", "inbox", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__home_take", "exchange", "inbox", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__home_take", "exchange", "inbox", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__parker_wait", "cas", "word", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    MODEL_CHECK(MODEL_TEST(home, 3, 50000), plants);
    return model_end();
}
