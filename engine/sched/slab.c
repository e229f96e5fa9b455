/* SPDX-License-Identifier: MIT */
/*
 * slab.c - where slabs come from, how remote frees come home, and large records. See slab.h.
 *
 * Layer: sched. Locks: store.mu, a leaf.
 */
#include "sched/slab.h"

#include <string.h>

#include "base/alloc.h"

struct tutti__region {
    struct tutti__region *next;
    char *slabs;    /* [const] */
    uint32_t count; /* [const] of slabs */
};

static size_t region_bytes(const struct tutti__region *region)
{
    return (size_t)region->count * TUTTI__SLAB_BYTES;
}

/* ---- store -------------------------------------------------------------------------------- */

void tutti__store_init(struct tutti__store *store, struct tutti__sched *sched)
{
    memset(store, 0, sizeof *store);
    tutti__mutex_init(&store->mu);
    store->sched = sched;
}

/* A small engine stays small: its first region is not of huge pages, each of which is filled at the
 * first touch. */
static bool map_region(struct tutti__region *region, bool is_first)
{
    region->count = is_first ? TUTTI_REGION_SLABS_FIRST : TUTTI_REGION_SLABS;
    size_t bytes = region_bytes(region);
    bool is_huge = !is_first && bytes % TUTTI__HUGE_PAGE_BYTES == 0;
    region->slabs = (char *)tutti__pages_new(is_huge ? TUTTI__HUGE_PAGE_BYTES : TUTTI__SLAB_BYTES,
                                             bytes);
    if (region->slabs != NULL && is_huge) {
        tutti__pages_prefer_huge(region->slabs, bytes);
    }
    return region->slabs != NULL;
}

/* The same from a host's allocator, whose pages are its own business. */
static bool ask_region(const tutti_allocator *memory, struct tutti__region *region)
{
    region->count = TUTTI_REGION_SLABS_FIRST;
    region->slabs =
        (char *)tutti__memory_zero(memory, TUTTI__SLAB_BYTES, region_bytes(region));
    return region->slabs != NULL;
}

static struct tutti__region *region_new(const tutti_allocator *memory, bool is_first)
{
    struct tutti__region *region =
        (struct tutti__region *)tutti__memory_alloc(memory, TUTTI__ALIGN_ANY, sizeof *region);
    if (region == NULL) {
        return NULL;
    }
    if (!(memory != NULL ? ask_region(memory, region) : map_region(region, is_first))) {
        tutti__memory_free(memory, region, sizeof *region);
        return NULL;
    }
    return region;
}

static void region_free(const tutti_allocator *memory, struct tutti__region *region)
{
    if (memory != NULL) {
        tutti__memory_free(memory, region->slabs, region_bytes(region));
    } else {
        tutti__pages_free(region->slabs, region_bytes(region));
    }
    tutti__memory_free(memory, region, sizeof *region);
}

void tutti__store_deinit(struct tutti__store *store)
{
    while (store->regions != NULL) {
        struct tutti__region *region = store->regions;
        store->regions = region->next;
        region_free(store->memory, region);
    }
    while (store->large != NULL) {
        struct tutti__slab *slab = store->large;
        store->large = slab->next;
        tutti__memory_free(store->memory, slab, slab->large_bytes);
    }
    tutti__mutex_deinit(&store->mu);
}

static bool add_region_locked(struct tutti__store *store) TUTTI_REQUIRES(store->mu)
{
    struct tutti__region *region = region_new(store->memory, store->regions == NULL);
    if (region == NULL) {
        return false;
    }
    region->next = store->regions;
    store->regions = region;
    store->bytes += region_bytes(region);
    for (uint32_t i = region->count; i-- > 0;) {
        struct tutti__slab *slab = (void *)(region->slabs + (size_t)i * TUTTI__SLAB_BYTES);
        slab->next = store->free_slabs;
        store->free_slabs = slab;
    }
    return true;
}

/* Take a slab out of the store for `heap`. Returns: NULL when out of memory. */
static struct tutti__slab *store_take(struct tutti__store *store, struct tutti__heap *heap,
                                      uint32_t size_class)
{
    struct tutti__slab *slab = NULL;
    tutti__mutex_lock(&store->mu);
    if (store->free_slabs != NULL || add_region_locked(store)) {
        slab = store->free_slabs;
        store->free_slabs = slab->next;
        slab->taken = true;
    }
    tutti__mutex_unlock(&store->mu);
    if (slab == NULL) {
        return NULL;
    }
    uint32_t units = (128u << size_class) / TUTTI__SLAB_UNIT;
    if (slab->object_units != units && slab->object_units != 0) { /* 0: pages as the system gave them */
        /* Objects of another size lay here: what a walk takes for a record must not be their middle. */
        memset((char *)slab + TUTTI__SLAB_HEADER, 0, TUTTI__SLAB_BYTES - TUTTI__SLAB_HEADER);
    }
    slab->sched = store->sched;
    TUTTI_STORE(&slab->heap, heap, relaxed); /* others learn of it by the objects */
    slab->size_class = size_class;
    slab->object_units = units;
    slab->free_unit = 0;
    TUTTI_STORE(&slab->bump_unit, units, relaxed); /* the header lies where the first one would */
    slab->end_unit = TUTTI__SLAB_BYTES / TUTTI__SLAB_UNIT;
    slab->used = 0;
    slab->listed = false;
    return slab;
}

static void store_give(struct tutti__store *store, struct tutti__slab *slab)
{
    TUTTI_STORE(&slab->heap, NULL, relaxed);
    tutti__mutex_lock(&store->mu);
    slab->taken = false;
    slab->next = store->free_slabs;
    store->free_slabs = slab;
    tutti__mutex_unlock(&store->mu);
}

static struct tutti__slab *region_slab(const struct tutti__region *region, uint32_t i)
{
    return (struct tutti__slab *)(void *)(region->slabs + (size_t)i * TUTTI__SLAB_BYTES);
}

static bool is_region_free(const struct tutti__region *region)
{
    for (uint32_t i = 0; i < region->count; i++) {
        if (region_slab(region, i)->taken) {
            return false;
        }
    }
    return true;
}

/* Put the free slabs of `region` into the store's list, their pages given back. */
static void trim_region_locked(struct tutti__store *store, const struct tutti__region *region)
    TUTTI_REQUIRES(store->mu)
{
    for (uint32_t i = 0; i < region->count; i++) {
        struct tutti__slab *slab = region_slab(region, i);
        if (slab->taken) {
            continue;
        }
        if (store->memory == NULL && slab->object_units != 0) { /* 0: nothing was ever in it */
            tutti__pages_discard(slab, TUTTI__SLAB_BYTES); /* takes the header with it: all zero */
        }
        slab->next = store->free_slabs;
        store->free_slabs = slab;
    }
}

void tutti__store_trim(struct tutti__store *store)
{
    struct tutti__region *gone = NULL;
    tutti__mutex_lock(&store->mu);
    store->free_slabs = NULL;
    for (struct tutti__region **at = &store->regions; *at != NULL;) {
        struct tutti__region *region = *at;
        if (!store->walked && is_region_free(region)) {
            *at = region->next;
            region->next = gone;
            gone = region;
            store->bytes -= region_bytes(region);
        } else {
            trim_region_locked(store, region);
            at = &region->next;
        }
    }
    tutti__mutex_unlock(&store->mu);
    while (gone != NULL) {
        struct tutti__region *region = gone;
        gone = region->next;
        region_free(store->memory, region);
    }
}

uint64_t tutti__store_bytes(struct tutti__store *store)
{
    tutti__mutex_lock(&store->mu);
    uint64_t bytes = store->bytes;
    tutti__mutex_unlock(&store->mu);
    return bytes;
}

static void walk_slab(struct tutti__slab *slab, const struct tutti__visitor *visitor)
{
    if (TUTTI_LOAD(&slab->heap, relaxed) == NULL) {
        return;
    }
    uint32_t end = TUTTI_LOAD(&slab->bump_unit, relaxed);
    for (uint32_t unit = slab->object_units; unit < end; unit += slab->object_units) {
        void *object = tutti__slab_at(slab, unit);
        if (visitor->pin(object)) {
            visitor->visit(visitor->user, object);
            visitor->unpin(object);
        }
    }
}

/* The first block from `slab` on that could be pinned. A block in the list is not freed meanwhile. */
static struct tutti__slab *pin_from_locked(struct tutti__slab *slab,
                                           const struct tutti__visitor *visitor)
{
    while (slab != NULL && !visitor->pin((char *)slab + TUTTI__SLAB_HEADER)) {
        slab = slab->next;
    }
    return slab;
}

static void walk_large(struct tutti__store *store, const struct tutti__visitor *visitor)
{
    tutti__mutex_lock(&store->mu);
    struct tutti__slab *slab = pin_from_locked(store->large, visitor);
    tutti__mutex_unlock(&store->mu);
    while (slab != NULL) {
        visitor->visit(visitor->user, (char *)slab + TUTTI__SLAB_HEADER);
        tutti__mutex_lock(&store->mu);
        struct tutti__slab *next = pin_from_locked(slab->next, visitor); /* before slab may go */
        tutti__mutex_unlock(&store->mu);
        visitor->unpin((char *)slab + TUTTI__SLAB_HEADER);
        slab = next;
    }
}

void tutti__store_walk(struct tutti__store *store, const struct tutti__visitor *visitor)
{
    tutti__mutex_lock(&store->mu);
    struct tutti__region *region = store->regions; /* from now on it only grows, at the front */
    store->walked = true;
    tutti__mutex_unlock(&store->mu);
    for (; region != NULL; region = region->next) {
        for (uint32_t i = 0; i < region->count; i++) {
            walk_slab((void *)(region->slabs + (size_t)i * TUTTI__SLAB_BYTES), visitor);
        }
    }
    walk_large(store, visitor);
}

/* ---- large records ------------------------------------------------------------------------ */

void *tutti__store_alloc_large(struct tutti__store *store, size_t bytes)
{
    size_t total = TUTTI__SLAB_HEADER + bytes;
    if (total < bytes) {
        return NULL;
    }
    struct tutti__slab *slab = tutti__memory_zero(store->memory, TUTTI__SLAB_BYTES, total);
    if (slab == NULL) {
        return NULL;
    }
    slab->sched = store->sched;
    slab->size_class = TUTTI__SLAB_LARGE;
    slab->large_bytes = total;
    tutti__mutex_lock(&store->mu);
    store->bytes += total;
    slab->next = store->large;
    if (slab->next != NULL) {
        slab->next->prev = slab;
    }
    store->large = slab;
    tutti__mutex_unlock(&store->mu);
    return (char *)slab + TUTTI__SLAB_HEADER;
}

void tutti__store_free_large(struct tutti__store *store, void *object)
{
    struct tutti__slab *slab = tutti__slab_of(object);
    tutti__mutex_lock(&store->mu);
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        store->large = slab->next;
    }
    if (slab->next != NULL) {
        slab->next->prev = slab->prev;
    }
    store->bytes -= slab->large_bytes;
    tutti__mutex_unlock(&store->mu);
    tutti__memory_free(store->memory, slab, slab->large_bytes);
}

/* ---- heap --------------------------------------------------------------------------------- */

void tutti__heap_init(struct tutti__heap *heap, struct tutti__store *store)
{
    memset(heap, 0, sizeof *heap);
    heap->store = store;
}

static void partial_add(struct tutti__heap *heap, struct tutti__slab *slab)
{
    slab->listed = true;
    slab->prev = NULL;
    slab->next = heap->partial[slab->size_class];
    if (slab->next != NULL) {
        slab->next->prev = slab;
    }
    heap->partial[slab->size_class] = slab;
}

static void partial_remove(struct tutti__heap *heap, struct tutti__slab *slab)
{
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        heap->partial[slab->size_class] = slab->next;
    }
    if (slab->next != NULL) {
        slab->next->prev = slab->prev;
    }
    slab->listed = false;
}

/* `slab` has just got objects back: keep it where it can be found, or give it away. */
static void slab_refile(struct tutti__heap *heap, struct tutti__slab *slab)
{
    if (slab == heap->current[slab->size_class]) {
        if (slab->used == 0) {
            slab->free_unit = 0; /* in order again, as if new: the next objects lie side by side */
            TUTTI_STORE(&slab->bump_unit, slab->object_units, relaxed);
        }
    } else if (slab->used == 0) {
        if (slab->listed) {
            partial_remove(heap, slab);
        }
        store_give(heap->store, slab);
    } else if (!slab->listed) {
        partial_add(heap, slab);
    }
}

void tutti__heap_free_slow(struct tutti__heap *heap, struct tutti__slab *slab)
{
    slab_refile(heap, slab);
}

/* Put the remote list that starts at `first` into the slab's own. */
static void slab_take_in(struct tutti__slab *slab, uint32_t first, uint32_t count)
{
    TUTTI_ASSERT(slab->used >= count);
    slab->used -= count;
    if (slab->free_unit != 0 && slab->used != 0) {
        uint32_t *last = tutti__slab_link(tutti__slab_at(slab, first));
        while (*last != 0) {
            last = tutti__slab_link(tutti__slab_at(slab, *last));
        }
        *last = slab->free_unit;
    }
    slab->free_unit = first;
}

void tutti__heap_collect(struct tutti__heap *heap)
{
    if (TUTTI_LOAD(&heap->remote_slabs, relaxed) == NULL) {
        return;
    }
    /* acquire pairs with the release of the push: remote_next is there. */
    struct tutti__slab *slab = TUTTI_EXCHANGE(&heap->remote_slabs, NULL, acquire);
    while (slab != NULL) {
        /* Before remote is emptied: from then on another thread may push the slab again. */
        struct tutti__slab *next = TUTTI_GET(slab->remote_next);
        /* acquire pairs with the release in tutti__slab_free_remote: the links are there, and what the
         * freeing threads did with the objects is over. release: remote_next has been read before the
         * next thread that finds the list empty writes it. */
        uint32_t remote = TUTTI_EXCHANGE(&slab->remote, 0, acq_rel);
        slab_take_in(slab, remote & 0xffffu, remote >> 16);
        slab_refile(heap, slab);
        slab = next;
    }
}

void tutti__heap_release(struct tutti__heap *heap)
{
    for (uint32_t i = 0; i < TUTTI__SLAB_CLASSES; i++) {
        struct tutti__slab *slab = heap->current[i];
        if (slab != NULL && slab->used == 0) {
            heap->current[i] = NULL;
            store_give(heap->store, slab);
        }
    }
}

void *tutti__heap_alloc_slow(struct tutti__heap *heap, uint32_t size_class)
{
    tutti__heap_collect(heap);
    struct tutti__slab *slab = heap->current[size_class];
    if (slab == NULL || (slab->free_unit == 0 &&
                         TUTTI_LOAD(&slab->bump_unit, relaxed) == slab->end_unit)) {
        slab = heap->partial[size_class];
        if (slab != NULL) {
            partial_remove(heap, slab);
        } else {
            slab = store_take(heap->store, heap, size_class);
            if (slab == NULL) {
                return NULL;
            }
        }
        heap->current[size_class] = slab; /* the old one has nothing free: it is found when it has */
    }
    return tutti__heap_alloc(heap, size_class);
}

void tutti__slab_free_remote(struct tutti__slab *slab, uint32_t first, uint32_t last, uint32_t count)
{
    uint32_t *link = tutti__slab_link(tutti__slab_at(slab, last));
    uint32_t old = TUTTI_LOAD(&slab->remote, relaxed); /* only a guess: the exchange decides */
    do {
        *link = old & 0xffffu;
        /* release pairs with the acquire in tutti__heap_collect; acquire with its release. */
    } while (!TUTTI_CAS_WEAK(&slab->remote, &old, ((old >> 16) + count) << 16 | first, acq_rel,
                             relaxed));
    if (old != 0) {
        return; /* whoever made it non-empty tells the owner */
    }
    /* The objects of this call are not collected before the slab is in the list, so it stays. */
    struct tutti__heap *heap = TUTTI_LOAD(&slab->heap, relaxed); /* const while objects are out */
    struct tutti__slab *head = TUTTI_LOAD(&heap->remote_slabs, relaxed);
    do {
        TUTTI_SET(slab->remote_next, head);
        /* release pairs with the exchange in tutti__heap_collect. */
    } while (!TUTTI_CAS_WEAK(&heap->remote_slabs, &head, slab, release, relaxed));
}
