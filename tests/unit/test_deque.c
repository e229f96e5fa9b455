/* SPDX-License-Identifier: MIT */
/* test_deque.c - the deque by one thread: order, growth, the last item, memory that runs out. */
#include "base/alloc.h"
#include "sched/deque.h"
#include "support/tap.h"

static int items[5000];

static void order(void)
{
    struct tutti__deque d;
    bool lost = false;
    REQUIRE(tutti__deque_init(&d), "init");
    OK(tutti__deque_is_empty(&d), "a new deque is empty");
    EQ_PTR(tutti__deque_take(&d), NULL, "nothing to take");
    EQ_PTR(tutti__deque_steal(&d, &lost), NULL, "nothing to steal");
    for (int i = 0; i < 3; i++) {
        OK(tutti__deque_push(&d, &items[i]), "push %d", i);
    }
    OK(!tutti__deque_is_empty(&d), "not empty");
    EQ_PTR(tutti__deque_take(&d), &items[2], "the owner takes the newest");
    EQ_PTR(tutti__deque_steal(&d, &lost), &items[0], "a thief steals the oldest");
    EQ_PTR(tutti__deque_take(&d), &items[1], "the last one is taken");
    EQ_PTR(tutti__deque_take(&d), NULL, "and not taken again");
    OK(!lost, "no race was lost by one thread");
    OK(tutti__deque_push(&d, &items[4]), "push after empty");
    EQ_PTR(tutti__deque_steal(&d, &lost), &items[4], "the last one is stolen");
    EQ_PTR(tutti__deque_take(&d), NULL, "and not taken as well");
    tutti__deque_deinit(&d);
}

static void growth(void)
{
    struct tutti__deque d;
    bool lost = false;
    REQUIRE(tutti__deque_init(&d), "init");
    int pushed = 0;
    int stolen = 0;
    for (int round = 0; round < 50; round++) { /* grow while top has moved on */
        for (int i = 0; i < 100; i++) {
            tutti__deque_push(&d, &items[pushed++]);
        }
        for (int i = 0; i < 20; i++) {
            if (tutti__deque_steal(&d, &lost) != &items[stolen++]) {
                FAIL("stolen out of order at %d", stolen);
            }
        }
    }
    bool right = true;
    while (pushed > stolen) {
        right &= tutti__deque_take(&d) == &items[--pushed];
    }
    OK(right, "5000 items survive the growth of the ring, in order");
    OK(tutti__deque_is_empty(&d), "empty at the end");
    tutti__deque_deinit(&d);
}

static void no_memory(void)
{
    struct tutti__deque d;
    if (!tutti__alloc_fail_nth(1)) {
        NOTE("a release build cannot run out of memory on demand");
        return;
    }
    OK(!tutti__deque_init(&d), "init without memory");
    REQUIRE(tutti__deque_init(&d), "init");
    uint32_t n = 0;
    while (n < TUTTI_DEQUE_FIRST) {
        tutti__deque_push(&d, &items[n++]);
    }
    tutti__alloc_fail_nth(1);
    OK(!tutti__deque_push(&d, &items[n]), "a full ring that cannot grow refuses");
    OK(tutti__deque_push(&d, &items[n]), "and grows when there is memory again");
    for (uint32_t i = n + 1; i-- > 0;) {
        if (tutti__deque_take(&d) != &items[i]) {
            FAIL("item %u lost", (unsigned)i);
        }
    }
    tutti__deque_deinit(&d);
}

int main(void)
{
    TAP_BEGIN();
    order();
    growth();
    no_memory();
    return TAP_END();
}
