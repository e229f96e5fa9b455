/* SPDX-License-Identifier: MIT */
/*
 * virtual.c - see virtual.h.
 *
 * Layer: base. Locks: none.
 */
#include "base/virtual.h"

#include "base/clock.h"

static uint64_t virtual_now_ns(void *user)
{
    return ((const struct tutti__virtual *)user)->now_ns;
}

static uint64_t virtual_random(void *user)
{
    return tutti__rng_next(&((struct tutti__virtual *)user)->random);
}

static uint32_t virtual_choose(void *user, uint32_t count)
{
    return (uint32_t)(tutti__rng_next(&((struct tutti__virtual *)user)->choices) >> 32) % count;
}

static uint64_t jump(struct tutti__virtual *world, uint64_t span_ns)
{
    world->now_ns = tutti__clock_after(world->now_ns, span_ns);
    world->waiting_from_ns = 0;
    return 0;
}

/* What is left of limit_ns in real time, counted from when the wait began. */
static uint64_t wait_outside(struct tutti__virtual *world, uint64_t limit_ns)
{
    if (limit_ns == UINT64_MAX) {
        return limit_ns;
    }
    uint64_t real_ns = tutti__clock_now_ns();
    if (world->waiting_from_ns == 0) {
        world->waiting_from_ns = real_ns;
    }
    uint64_t waited_ns = real_ns - world->waiting_from_ns;
    return waited_ns < limit_ns ? limit_ns - waited_ns : jump(world, limit_ns);
}

static uint64_t virtual_rest(void *user, uint64_t limit_ns, bool is_awaited)
{
    struct tutti__virtual *world = user;
    if (is_awaited) {
        return wait_outside(world, limit_ns);
    }
    world->waiting_from_ns = 0;
    if (limit_ns == UINT64_MAX) {
        world->is_stuck = true;
        return 0;
    }
    return jump(world, limit_ns);
}

void tutti__virtual_init(struct tutti__virtual *world, uint64_t seed)
{
    uint64_t state = seed;
    *world = (struct tutti__virtual){
        .env = { .user = world,
                 .now_ns = virtual_now_ns,
                 .random = virtual_random,
                 .choose = virtual_choose,
                 .rest = virtual_rest,
                 .one_thread = true },
    };
    world->random = tutti__rng_next(&state);
    world->choices = tutti__rng_next(&state);
}
