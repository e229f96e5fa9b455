/* SPDX-License-Identifier: MIT */
/*
 * timer.c - see timer.h. Children of place i are at 4i + 1 .. 4i + 4: half as deep as a binary
 * heap, and the four keys of a family lie in one cache line.
 *
 * Layer: io. Locks: none (the loop thread's alone).
 * Invariant: heap[i] is not after any of its children, by (key_ns, order).
 */
#include "io/timer.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "tutti.h"

static const uint32_t arity = 4;
static const uint32_t capacity_first = 64;

static bool is_before(const struct tutti__timer_entry *a, const struct tutti__timer_entry *b)
{
    if (a->key_ns != b->key_ns) {
        return a->key_ns < b->key_ns;
    }
    return a->timer->order < b->timer->order;
}

static void put(struct tutti__timers *timers, uint32_t at, struct tutti__timer_entry entry)
{
    timers->heap[at] = entry;
    entry.timer->slot = at + 1;
}

/* Move `entry` from the hole at `at` towards the root until its parent is not after it. */
static void sift_up(struct tutti__timers *timers, uint32_t at, struct tutti__timer_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / arity;
        if (!is_before(&entry, &timers->heap[parent])) {
            break;
        }
        put(timers, at, timers->heap[parent]);
        at = parent;
    }
    put(timers, at, entry);
}

static uint32_t first_child(const struct tutti__timers *timers, uint32_t at)
{
    uint32_t from = at * arity + 1;
    uint32_t best = from;
    for (uint32_t i = from + 1; i < from + arity && i < timers->count; i++) {
        if (is_before(&timers->heap[i], &timers->heap[best])) {
            best = i;
        }
    }
    return best;
}

/* Move `entry` from the hole at `at` away from the root until no child is before it. */
static void sift_down(struct tutti__timers *timers, uint32_t at, struct tutti__timer_entry entry)
{
    while (at * arity + 1 < timers->count) {
        uint32_t child = first_child(timers, at);
        if (!is_before(&timers->heap[child], &entry)) {
            break;
        }
        put(timers, at, timers->heap[child]);
        at = child;
    }
    put(timers, at, entry);
}

/* Fill the hole at `at` with `entry`, whichever way it has to go. */
static void settle(struct tutti__timers *timers, uint32_t at, struct tutti__timer_entry entry)
{
    if (at > 0 && is_before(&entry, &timers->heap[(at - 1) / arity])) {
        sift_up(timers, at, entry);
    } else {
        sift_down(timers, at, entry);
    }
}

static void free_heap(struct tutti__timers *timers)
{
    tutti__memory_free(timers->memory, timers->heap, (size_t)timers->capacity * sizeof *timers->heap);
}

/* Returns: TUTTI_OK · TUTTI_ENOMEM. Args: capacity - at least count. */
static int resize(struct tutti__timers *timers, uint32_t capacity)
{
    struct tutti__timer_entry *heap =
        tutti__memory_alloc(timers->memory, TUTTI__ALIGN_ANY, (size_t)capacity * sizeof *heap);
    if (heap == NULL) {
        return TUTTI_ENOMEM;
    }
    if (timers->count > 0) {
        memcpy(heap, timers->heap, (size_t)timers->count * sizeof *heap);
    }
    free_heap(timers);
    timers->heap = heap;
    timers->capacity = capacity;
    return TUTTI_OK;
}

void tutti__timers_trim(struct tutti__timers *timers)
{
    uint32_t capacity = capacity_first;
    while (capacity < timers->count) {
        capacity *= 2;
    }
    if (capacity < timers->capacity) {
        (void)resize(timers, capacity); /* without memory it stays as it is */
    }
}

static int grow(struct tutti__timers *timers)
{
    if (timers->count < timers->capacity) {
        return TUTTI_OK;
    }
    /* Places are 32 bits wide; the last doubling that fits leaves room for 2^30 timers. */
    if (timers->capacity > UINT32_MAX / (2 * arity)) {
        return TUTTI_ENOMEM;
    }
    uint32_t capacity = timers->capacity == 0 ? capacity_first : timers->capacity * 2;
    return resize(timers, capacity);
}

void tutti__timers_deinit(struct tutti__timers *timers)
{
    for (uint32_t i = 0; i < timers->count; i++) {
        timers->heap[i].timer->slot = 0;
    }
    free_heap(timers);
    *timers = (struct tutti__timers){ .memory = timers->memory };
}

int tutti__timers_start(struct tutti__timers *timers, struct tutti__timer *timer,
                        uint64_t deadline_ns)
{
    uint64_t key_ns = deadline_ns > timers->floor_ns ? deadline_ns : timers->floor_ns;
    struct tutti__timer_entry entry = { key_ns, timer };
    if (timer->slot == 0) {
        int rc = grow(timers);
        if (rc != TUTTI_OK) {
            return rc;
        }
    }
    timer->deadline_ns = deadline_ns;
    timer->order = timers->armed_count++;
    if (timer->slot == 0) {
        sift_up(timers, timers->count++, entry);
    } else {
        settle(timers, timer->slot - 1, entry);
    }
    return TUTTI_OK;
}

void tutti__timers_stop(struct tutti__timers *timers, struct tutti__timer *timer)
{
    if (timer->slot == 0) {
        return;
    }
    uint32_t at = timer->slot - 1;
    TUTTI_ASSERT(at < timers->count && timers->heap[at].timer == timer);
    timer->slot = 0;
    timers->count--;
    if (at != timers->count) {
        settle(timers, at, timers->heap[timers->count]);
    }
}

uint64_t tutti__timers_next_ns(const struct tutti__timers *timers)
{
    return timers->count == 0 ? TUTTI_FOREVER : timers->heap[0].key_ns;
}

bool tutti__timers_fire_next(struct tutti__timers *timers, uint64_t now_ns)
{
    if (timers->count == 0 || timers->heap[0].key_ns > now_ns) {
        return false;
    }
    struct tutti__timer *timer = timers->heap[0].timer;
    tutti__timers_stop(timers, timer);
    /* What it arms sorts after everything that is due now, so who fires all of that ends. */
    timers->floor_ns = now_ns + 1;
    timer->fn(timer); /* may free `timer` */
    timers->floor_ns = 0;
    return true;
}

bool tutti__timers_fire(struct tutti__timers *timers, uint64_t now_ns)
{
    bool any = false;
    while (tutti__timers_fire_next(timers, now_ns)) {
        any = true;
    }
    return any;
}
