/* SPDX-License-Identifier: MIT */
/*
 * relacy_feed.cpp - the creator's feed: one thread that offers, two that take several at once.
 *
 * Must hold: each item is handed out once, and who gets it sees what its pusher wrote.
 */
#include "harness.h"

#include "sched/feed.h"

#include "sched/deque.c"
#include "sched/feed.c"

enum { ITEMS = 5, TAKES = 2, AT_ONCE = 2 };

struct item {
    TUTTI_SHARED(uint32_t) payload;
    TUTTI_SHARED(uint32_t) got;
};

struct feed : model_test {
    struct tutti__feed queue;
    item items[ITEMS];
    uint32_t got[3];

    void before() override
    {
        MUST(tutti__feed_init(&queue));
    }

    uint32_t take(unsigned thread)
    {
        void *taken[AT_ONCE];
        uint32_t count = tutti__feed_take(&queue, taken, AT_ONCE, 1 + thread % 2);
        for (uint32_t i = 0; i < count; i++) {
            item *of = (item *)taken[i];
            MUST(i == 0 || of == (item *)taken[i - 1] + 1); /* first in, first out */
            MUST(TUTTI_GET(of->payload) == (uint32_t)(of - items) + 1);
            MUST(TUTTI_GET(of->got) == 0);
            TUTTI_SET(of->got, 1);
            got[thread]++;
        }
        return count;
    }

    void thread(unsigned index) override
    {
        if (index == 0) {
            for (uint32_t i = 0; i < ITEMS; i++) {
                TUTTI_SET(items[i].payload, i + 1);
                MUST(tutti__feed_push(&queue, &items[i]));
            }
            return;
        }
        for (int i = 0; i < TAKES; i++) {
            take(index);
        }
    }

    void after() override
    {
        while (take(0) != 0) {
        }
        MUST(got[0] + got[1] + got[2] == ITEMS);
        MUST(tutti__feed_is_empty(&queue));
        tutti__feed_deinit(&queue);
        MUST(model_blocks_live() == 0);
    }
};

static const model_plant plants[] = {
    { "tutti__feed_try_push", "store", "bottom", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__feed_take", "load", "bottom", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__feed_take", "load", "ring", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__feed_take", "cas", "top", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__feed_grow", "store", "ring", MODEL_ORDER, rl::mo_relaxed },
};

int main()
{
    MODEL_CHECK(MODEL_TEST(feed, 3, 50000), plants);
    return model_end();
}
