/* SPDX-License-Identifier: MIT */
/* test_slab.c - size classes, reuse, frees by others, slabs that go back, large blocks, the walk. */
#include <string.h>

#include "base/alloc.h"
#include "sched/slab.h"
#include "support/tap.h"

enum { MANY = 3000 };

static struct tutti__store store;
static struct tutti__heap heap;
static void *objects[MANY];

static void classes(void)
{
    static const size_t bytes[] = { 1, 128, 129, 256, 257, 1024, 1025, 8192, 8193 };
    static const uint32_t want[] = { 0, 0, 1, 1, 2, 3, 4, 6, TUTTI__SLAB_LARGE };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        OK(tutti__slab_class(bytes[i]) == want[i], "%zu bytes are of class %u", bytes[i],
           (unsigned)want[i]);
    }
}

static bool are_distinct(uint32_t size_class, int count)
{
    size_t bytes = (size_t)128 << size_class;
    for (int i = 0; i < count; i++) {
        memset(objects[i], i & 0xff, bytes);
    }
    for (int i = 0; i < count; i++) {
        const unsigned char *o = objects[i];
        if (o[0] != (i & 0xff) || o[bytes - 1] != (i & 0xff) || (uintptr_t)o % 64 != 0) {
            return false;
        }
    }
    return true;
}

static void own(void)
{
    for (uint32_t c = 0; c < TUTTI__SLAB_CLASSES; c++) {
        int count = MANY >> c;
        for (int i = 0; i < count; i++) {
            objects[i] = tutti__heap_alloc(&heap, c);
        }
        OK(are_distinct(c, count), "class %u: objects do not overlap and are aligned", (unsigned)c);
        uint64_t bytes = tutti__store_bytes(&store);
        for (int i = 0; i < count; i++) {
            memset(objects[i], 0, (size_t)128 << c);
            tutti__heap_free(&heap, tutti__slab_of(objects[i]), objects[i]);
        }
        for (int i = 0; i < count; i++) {
            objects[i] = tutti__heap_alloc(&heap, c);
        }
        OK(tutti__store_bytes(&store) == bytes, "class %u: freed memory is used again", (unsigned)c);
        for (int i = 0; i < count; i++) {
            memset(objects[i], 0, (size_t)128 << c);
            tutti__heap_free(&heap, tutti__slab_of(objects[i]), objects[i]);
        }
    }
}

static void remote(void)
{
    struct tutti__batch batch = { 0 };
    for (int i = 0; i < MANY; i++) {
        objects[i] = tutti__heap_alloc(&heap, 0);
    }
    uint64_t bytes = tutti__store_bytes(&store);
    uint64_t rng = tap_seed();
    for (int i = MANY - 1; i > 0; i--) { /* in any order */
        int j = (int)(tap_random(&rng) % (uint64_t)(i + 1));
        void *swap = objects[i];
        objects[i] = objects[j];
        objects[j] = swap;
    }
    for (int i = 0; i < MANY / 2; i++) {
        tutti__batch_free(&batch, tutti__slab_of(objects[i]), objects[i]);
    }
    tutti__batch_flush(&batch);
    for (int i = 0; i < MANY / 2; i++) {
        objects[i] = tutti__heap_alloc(&heap, 0);
    }
    OK(tutti__store_bytes(&store) == bytes, "what another thread freed is used again");
    OK(are_distinct(0, MANY), "and handed out once");
    for (int i = 0; i < MANY; i++) {
        memset(objects[i], 0, 128);
        if (i % 3 == 0) {
            tutti__heap_free(&heap, tutti__slab_of(objects[i]), objects[i]);
        } else {
            tutti__batch_free(&batch, tutti__slab_of(objects[i]), objects[i]);
        }
    }
    tutti__batch_flush(&batch);
    tutti__heap_collect(&heap);
    uint32_t in_store = 0;
    for (struct tutti__slab *s = store.free_slabs; s != NULL; s = s->next) {
        in_store++;
    }
    /* All but the ones that the heap allocates from (one for each class). */
    OK(in_store + TUTTI__SLAB_CLASSES >= bytes / TUTTI__SLAB_BYTES, "empty slabs go back: %u of %u",
       (unsigned)in_store, (unsigned)(bytes / TUTTI__SLAB_BYTES));
}

static bool pin_marked(void *object)
{
    return *(uint32_t *)((char *)object + 64) == 0x6d61726bu;
}

static void visit_count(void *user, void *object)
{
    (void)object;
    ++*(int *)user;
}

static void unpin_nothing(void *object)
{
    (void)object;
}

static void walk(void)
{
    void *large = tutti__store_alloc_large(&store, 100000);
    void *small = tutti__heap_alloc(&heap, 0);
    void *middle = tutti__heap_alloc(&heap, 2);
    REQUIRE(large != NULL && small != NULL && middle != NULL, "allocated");
    EQ_PTR(tutti__slab_of(large)->heap, NULL, "a large block has no heap");
    uint32_t mark = 0x6d61726bu;
    memcpy((char *)large + 64, &mark, 4);
    memcpy((char *)small + 64, &mark, 4);
    memcpy((char *)middle + 64, &mark, 4);
    int count = 0;
    struct tutti__visitor visitor = { &count, pin_marked, visit_count, unpin_nothing };
    tutti__store_walk(&store, &visitor);
    EQ_INT(count, 3, "the walk finds each object once");
    memset((char *)small + 64, 0, 4);
    tutti__heap_free(&heap, tutti__slab_of(small), small);
    tutti__store_free_large(&store, large);
    count = 0;
    tutti__store_walk(&store, &visitor);
    EQ_INT(count, 1, "and only those that are there");
}

static void no_memory(void)
{
    if (!tutti__alloc_fail_nth(0)) {
        return;
    }
    struct tutti__store s;
    struct tutti__heap h;
    tutti__store_init(&s, NULL);
    tutti__heap_init(&h, &s);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        tutti__alloc_fail_nth(nth);
        EQ_PTR(tutti__heap_alloc(&h, 0), NULL, "no memory for a region");
    }
    tutti__alloc_fail_nth(1);
    EQ_PTR(tutti__store_alloc_large(&s, 10000), NULL, "no memory for a large block");
    EQ_PTR(tutti__store_alloc_large(&s, SIZE_MAX - 10), NULL, "a size that overflows");
    OK(tutti__heap_alloc(&h, 0) != NULL, "and then there is");
    tutti__store_deinit(&s);
}

int main(void)
{
    TAP_BEGIN();
    tutti__store_init(&store, NULL);
    tutti__heap_init(&heap, &store);
    classes();
    own();
    remote();
    walk();
    no_memory();
    tutti__store_trim(&store);
    void *again = tutti__heap_alloc(&heap, 1);
    OK(again != NULL, "trimmed slabs are used again");
    tutti__store_deinit(&store);
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
