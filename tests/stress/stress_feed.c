/* SPDX-License-Identifier: MIT */
/* stress_feed.c - one owner pushes, three threads take several at once: each item comes out once. */
#include "sched/feed.h"
#include "stress/stress.h"

enum { TAKERS = 3, ITEMS = 1 << 16 };

static struct tutti__feed feed;
static atomic_int counts[ITEMS];
static atomic_int total;
static atomic_bool over;
static atomic_int disorder;

static bool take_some(uint64_t *rng)
{
    void *items[32];
    uint32_t count = tutti__feed_take(&feed, items, 1 + (uint32_t)(tap_random(rng) % 32),
                                      1 + (uint32_t)(tap_random(rng) % 4));
    for (uint32_t i = 0; i < count; i++) {
        atomic_fetch_add_explicit((atomic_int *)items[i], 1, memory_order_relaxed);
        if (i > 0 && items[i] != (void *)((atomic_int *)items[i - 1] + 1) &&
            items[i - 1] != (void *)&counts[ITEMS - 1]) {
            atomic_fetch_add(&disorder, 1);
        }
    }
    atomic_fetch_add(&total, (int)count);
    return count != 0;
}

static void *taker(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    while (!atomic_load(&over)) {
        if (!take_some(&rng)) {
            random_pause(&rng);
        }
    }
    return NULL;
}

int main(void)
{
    TAP_BEGIN();
    REQUIRE(tutti__feed_init(&feed), "init");
    pthread_t threads[TAKERS];
    for (uintptr_t i = 0; i < TAKERS; i++) {
        pthread_create(&threads[i], NULL, taker, (void *)(i + 1));
    }
    uint64_t end_ns = stress_end_ns();
    uint64_t rng = tap_seed();
    int rounds = 0;
    while (!stress_is_over(end_ns)) {
        for (int i = 0; i < ITEMS; i++) {
            if (!tutti__feed_push(&feed, &counts[i])) {
                FAIL("push");
            }
            if (i % 1000 == 0) {
                random_pause(&rng);
            }
        }
        rounds++;
        while (take_some(&rng)) { /* the owner may take, too */
        }
    }
    while (atomic_load(&total) < rounds * ITEMS) {
        sched_yield();
    }
    atomic_store(&over, true);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    int wrong = 0;
    for (int i = 0; i < ITEMS; i++) {
        wrong += atomic_load(&counts[i]) != rounds;
    }
    EQ_INT(wrong, 0, "each item came out once a round");
    EQ_INT(disorder, 0, "what is taken together lies together");
    EQ_INT(atomic_load(&total), rounds * ITEMS, "all of them");
    tutti__feed_deinit(&feed);
    return TAP_END();
}
