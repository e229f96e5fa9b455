/* SPDX-License-Identifier: MIT */
/* test_feed.c - the feed by one thread: order, shares, growth, memory that runs out. */
#include "base/alloc.h"
#include "sched/feed.h"
#include "support/tap.h"

static int items[5000];
static void *taken[64];

static void shares(void)
{
    struct tutti__feed f;
    REQUIRE(tutti__feed_init(&f), "init");
    OK(tutti__feed_is_empty(&f), "a new feed is empty");
    EQ_UINT(tutti__feed_take(&f, taken, 8, 1), 0, "nothing to take");
    for (int i = 0; i < 10; i++) {
        tutti__feed_push(&f, &items[i]);
    }
    OK(!tutti__feed_is_empty(&f), "not empty");
    EQ_UINT(tutti__feed_take(&f, taken, 8, 3), 4, "a third of ten, rounded up");
    OK(taken[0] == &items[0] && taken[3] == &items[3], "the oldest first");
    EQ_UINT(tutti__feed_take(&f, taken, 2, 1), 2, "no more than the limit");
    EQ_UINT(tutti__feed_take(&f, taken, 8, 100), 1, "at least one");
    EQ_PTR(taken[0], &items[6], "the next");
    EQ_UINT(tutti__feed_take(&f, taken, 8, 1), 3, "the rest");
    EQ_UINT(tutti__feed_take(&f, taken, 8, 1), 0, "and no more");
    tutti__feed_deinit(&f);
}

static void growth(void)
{
    struct tutti__feed f;
    REQUIRE(tutti__feed_init(&f), "init");
    int next = 0;
    bool right = true;
    for (int pushed = 0; pushed < 5000;) {
        for (int i = 0; i < 50; i++) {
            tutti__feed_push(&f, &items[pushed++]);
        }
        uint32_t count = tutti__feed_take(&f, taken, 20, 1); /* top moves while the ring grows */
        for (uint32_t i = 0; i < count; i++) {
            right &= taken[i] == &items[next++];
        }
    }
    uint32_t count;
    while ((count = tutti__feed_take(&f, taken, 64, 2)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            right &= taken[i] == &items[next++];
        }
    }
    OK(right, "in order through all growth");
    EQ_INT(next, 5000, "all of them");
    tutti__feed_deinit(&f);
}

static void no_memory(void)
{
    struct tutti__feed f;
    if (!tutti__alloc_fail_nth(1)) {
        return;
    }
    OK(!tutti__feed_init(&f), "init without memory");
    REQUIRE(tutti__feed_init(&f), "init");
    for (uint32_t i = 0; i < TUTTI_DEQUE_FIRST; i++) {
        tutti__feed_push(&f, &items[i]);
    }
    tutti__alloc_fail_nth(1);
    OK(!tutti__feed_push(&f, &items[0]), "a full ring that cannot grow refuses");
    tutti__feed_take(&f, taken, 1, 1);
    OK(tutti__feed_push(&f, &items[0]), "and takes one more when one has been taken");
    tutti__feed_deinit(&f);
}

int main(void)
{
    TAP_BEGIN();
    shares();
    growth();
    no_memory();
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
