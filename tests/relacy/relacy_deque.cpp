/* SPDX-License-Identifier: MIT */
/*
 * relacy_deque.cpp - the deque: an owner that pushes and takes, two thieves, rings of two slots at first.
 *
 * Must hold: each item is handed out once, and who gets it sees what its pusher wrote.
 */
#include "harness.h"

#include "sched/deque.h"

#include "sched/deque.c"

enum { ITEMS = 5, STEALS = 3 };

struct item {
    TUTTI_SHARED(uint32_t) payload;
    TUTTI_SHARED(uint32_t) got;
};

struct deque : model_test {
    struct tutti__deque queue;
    item items[ITEMS];
    uint32_t got[3];

    void before() override
    {
        MUST(tutti__deque_init(&queue));
    }

    void take_over(void *object, unsigned thread)
    {
        item *of = (item *)object;
        MUST(TUTTI_GET(of->payload) == (uint32_t)(of - items) + 1);
        MUST(TUTTI_GET(of->got) == 0);
        TUTTI_SET(of->got, 1);
        got[thread]++;
    }

    void own()
    {
        uint32_t next = 0;
        while (next < ITEMS) {
            if (rl::rand(3) != 0) {
                TUTTI_SET(items[next].payload, next + 1);
                MUST(tutti__deque_push(&queue, &items[next]));
                next++;
                continue;
            }
            void *object = tutti__deque_take(&queue);
            if (object != NULL) {
                take_over(object, 0);
            }
        }
        for (void *object; (object = tutti__deque_take(&queue)) != NULL;) {
            take_over(object, 0);
        }
    }

    void thread(unsigned index) override
    {
        if (index == 0) {
            own();
            return;
        }
        for (int i = 0; i < STEALS; i++) {
            bool lost = false;
            void *object = tutti__deque_steal(&queue, &lost);
            if (object != NULL) {
                take_over(object, index);
            }
        }
    }

    void after() override
    {
        MUST(got[0] + got[1] + got[2] == ITEMS);
        MUST(tutti__deque_is_empty(&queue));
        tutti__deque_deinit(&queue);
        MUST(model_blocks_live() == 0);
    }
};

static const model_plant plants[] = {
    { "tutti__deque_take", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__deque_steal", "fence", "", MODEL_DROP, rl::mo_relaxed },
    { "tutti__deque_try_push", "store", "bottom", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__deque_steal", "load", "bottom", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__deque_steal", "load", "ring", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__deque_grow", "store", "ring", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__deque_take", "cas", "top", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__deque_steal", "cas", "top", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    MODEL_CHECK(MODEL_TEST(deque, 3, 50000), plants);
    return model_end();
}
