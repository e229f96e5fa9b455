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

void tutti__watchdog_on_post(tutti__home *) {} /* nobody watches here */

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

    virtual void send(tutti__post *post) { tutti__home_post(&inbox, post); }

    bool all_arrived() const { return arrived[0] + arrived[1] == POSTERS * POSTS; }

    void thread(unsigned index) override
    {
        if (index < POSTERS) {
            for (unsigned i = 0; i < POSTS; i++) {
                message *of = &messages[index][i];
                *of = { { NULL, run }, this, 0, index, i };
                TUTTI_SET(of->payload, 1);
                send(&of->post);
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

/* The same by urgent posts, which wake the loop by an ordinary one of the home's own. */
struct urgent : home {
    void send(tutti__post *post) override { tutti__home_post_urgent(&inbox, post); }

    void after() override
    {
        MUST(all_arrived());
        tutti__home_drain(&inbox); /* the ordinary one may come after what it came for */
        MUST(!tutti__home_drain(&inbox));
    }
};

static const model_plant urgent_plants[] = {
    { "push_post", "cas", "stack", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__home_post_urgent", "exchange", "is_door_posted", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__home_post_urgent", "exchange", "is_door_posted", MODEL_ORDER, rl::mo_relaxed },
    { "run_door", "exchange", "is_door_posted", MODEL_ORDER, rl::mo_relaxed },
    { "run_door", "exchange", "is_door_posted", MODEL_DROP, rl::mo_relaxed },
};

static const model_plant plants[] = {
    { "tutti__home_post", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__home_sleep_begin", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__home_sleep_begin", "store", "asleep", MODEL_DROP, rl::mo_relaxed },
    { "push_post", "cas", "stack", MODEL_ORDER, rl::mo_relaxed },
    { "push_post", "cas", "stack", MODEL_TEAR, rl::mo_relaxed },
    { "take_posts", "exchange", "stack", MODEL_ORDER, rl::mo_relaxed },
    { "take_posts", "exchange", "stack", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__parker_wait", "cas", "word", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    MODEL_CHECK(MODEL_TEST(home, 3, 50000), plants);
    MODEL_CHECK(MODEL_TEST(urgent, 3, 50000), urgent_plants);
    return model_end();
}
