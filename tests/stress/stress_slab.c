/* SPDX-License-Identifier: MIT */
/* stress_slab.c - one thread allocates, others free, in batches and one by one: nothing is handed out
 * twice, nothing is lost. */
#include <string.h>

#include "sched/slab.h"
#include "stress/stress.h"

enum { FREERS = 2, RING = 1024 };

static struct tutti__store store;
static struct tutti__heap heap;
/* Single producer, single consumer each. */
static struct {
    _Atomic(uint32_t *) slots[RING];
} rings[FREERS];
static atomic_bool over;
static atomic_int wrong;

static void *freer(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    struct tutti__batch batch = { 0 };
    uint64_t rng = tap_seed() + me;
    for (uint32_t i = 0;; i++) {
        uint32_t *object;
        while ((object = atomic_exchange_explicit(&rings[me].slots[i % RING], NULL,
                                                  memory_order_acquire)) == NULL) {
            tutti__batch_flush(&batch);
            if (atomic_load(&over)) {
                return NULL;
            }
            random_pause(&rng);
        }
        if (object[1] != (uint32_t)me || object[2] != ~(uint32_t)me) {
            atomic_fetch_add(&wrong, 1); /* somebody else was given it, too */
        }
        memset(object, 0xee, 128);
        struct tutti__slab *slab = tutti__slab_of(object);
        if (tap_random(&rng) % 4 == 0) {
            uint32_t unit = tutti__slab_unit(slab, object);
            tutti__slab_free_remote(slab, unit, unit, 1);
        } else {
            tutti__batch_free(&batch, slab, object);
        }
    }
}

int main(void)
{
    TAP_BEGIN();
    tutti__store_init(&store, NULL);
    tutti__heap_init(&heap, &store);
    pthread_t threads[FREERS];
    for (uintptr_t i = 0; i < FREERS; i++) {
        pthread_create(&threads[i], NULL, freer, (void *)i);
    }
    uint64_t end_ns = stress_end_ns() + 700000000u;
    uint64_t rng = tap_seed();
    uint32_t at[FREERS] = { 0, 0 };
    uint64_t count = 0;
    while (count % 256 != 0 || !stress_is_over(end_ns)) {
        uint32_t *object = tutti__heap_alloc(&heap, 0);
        uint32_t to = (uint32_t)(tap_random(&rng) % FREERS);
        object[1] = to;
        object[2] = ~to;
        count++;
        if (tap_random(&rng) % 8 == 0) {
            tutti__heap_free(&heap, tutti__slab_of(object), object); /* and some by the owner */
            continue;
        }
        uint32_t *none = NULL;
        while (!atomic_compare_exchange_weak_explicit(&rings[to].slots[at[to] % RING], &none, object,
                                                      memory_order_release, memory_order_relaxed)) {
            none = NULL;
            sched_yield();
        }
        at[to]++;
    }
    for (bool empty = false; !empty; sched_yield()) {
        empty = true;
        for (int f = 0; f < FREERS; f++) {
            for (int i = 0; i < RING; i++) {
                empty &= atomic_load(&rings[f].slots[i]) == NULL;
            }
        }
    }
    atomic_store(&over, true);
    for (int i = 0; i < FREERS; i++) {
        pthread_join(threads[i], NULL);
    }
    tutti__heap_collect(&heap);
    EQ_INT(wrong, 0, "no object was handed out twice");
    uint32_t used = heap.current[0]->used;
    for (struct tutti__slab *s = heap.partial[0]; s != NULL; s = s->next) {
        used += s->used;
    }
    EQ_UINT(used, 0, "each object has come home");
    OK(tutti__store_bytes(&store) <= 4u << 20, "and was used again: %u objects in %u bytes",
       (unsigned)count, (unsigned)tutti__store_bytes(&store));
    tutti__store_deinit(&store);
    return TAP_END();
}
