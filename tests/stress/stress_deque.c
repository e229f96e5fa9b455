/* SPDX-License-Identifier: MIT */
/* stress_deque.c - one owner, three thieves: each item comes out exactly once. */
#include "sched/deque.h"
#include "stress/stress.h"

enum { THIEVES = 3, ITEMS = 1 << 16 };

static struct tutti__deque deque;
static atomic_int taken[ITEMS];
static atomic_bool over;

static void count(void *item)
{
    atomic_fetch_add_explicit((atomic_int *)item, 1, memory_order_relaxed);
}

static void *thief(void *arg)
{
    bool lost = false;
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    while (!atomic_load(&over)) {
        void *item = tutti__deque_steal(&deque, &lost);
        if (item != NULL) {
            count(item);
        } else {
            random_pause(&rng);
        }
    }
    return NULL;
}

/* One round: push all items in bursts, take some in between, take the rest. */
static void owner(uint64_t *rng)
{
    int pushed = 0;
    while (pushed < ITEMS) {
        for (uint64_t burst = 1 + tap_random(rng) % 20; burst > 0 && pushed < ITEMS; burst--) {
            if (!tutti__deque_push(&deque, &taken[pushed++])) {
                FAIL("push");
            }
        }
        for (uint64_t takes = tap_random(rng) % 20; takes > 0; takes--) {
            void *item = tutti__deque_take(&deque); /* mostly the last one: the race that matters */
            if (item == NULL) {
                break;
            }
            count(item);
        }
    }
    void *item;
    while ((item = tutti__deque_take(&deque)) != NULL) {
        count(item);
    }
}

int main(void)
{
    TAP_BEGIN();
    REQUIRE(tutti__deque_init(&deque), "init");
    pthread_t threads[THIEVES];
    for (uintptr_t i = 0; i < THIEVES; i++) {
        pthread_create(&threads[i], NULL, thief, (void *)(i + 1));
    }
    uint64_t end_ns = stress_end_ns();
    uint64_t rng = tap_seed();
    int rounds = 0;
    while (rounds == 0 || !stress_is_over(end_ns)) {
        owner(&rng);
        rounds++;
    }
    atomic_store(&over, true);
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(threads[i], NULL);
    }
    int wrong = 0;
    for (int i = 0; i < ITEMS; i++) {
        wrong += atomic_load(&taken[i]) != rounds;
    }
    EQ_INT(wrong, 0, "each item came out once a round");
    OK(rounds > 0, "%d rounds", rounds);
    tutti__deque_deinit(&deque);
    return TAP_END();
}
