/* SPDX-License-Identifier: MIT */
/*
 * slab.h - memory of task records: aligned slabs of one size class, owned by one thread's heap each.
 *
 *   slab (64 KiB, aligned)   | header 128 bytes | .. | object | object | ... |
 *
 * An object lies at a multiple of its size, so any address inside leads to it (edge.h).
 *
 * The owner allocates from and frees to its slabs without any atomic. Other threads push what they
 * free on the slab's `remote` list; the one that makes it non-empty also pushes the slab on the owner's
 * `remote_slabs`, so the owner finds slabs with something to collect without looking for them. A slab
 * whose objects are all free goes back to the engine's store. Records too large for a class have a
 * block of their own behind the same header, so that any record finds its scheduler by its address.
 *
 * Nearly every task that one thread submits is freed by another: the remote path is the normal one,
 * and a thread hands over what it frees in batches (struct tutti__batch).
 *
 * Layer: sched. Locks: `store.mu` (leaf): taken once for a slab, not for an object.
 * Invariant: used = objects handed out - objects that the owner has got back; an object on the remote
 * list still counts as used. So a slab with an object that any thread still has is never given away.
 */
#ifndef TUTTI_SCHED_SLAB_H
#define TUTTI_SCHED_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/limits.h"
#include "base/thread.h"
#include "tutti.h"

#define TUTTI__SLAB_BYTES 65536u
#define TUTTI__SLAB_HEADER 128u
#define TUTTI__SLAB_UNIT 64u /* offsets are counted in these: ten bits */
#define TUTTI__SLAB_CLASSES 7u
#define TUTTI__SLAB_LARGE TUTTI__SLAB_CLASSES /* the class of blocks of their own */
#define TUTTI__SLAB_AHEAD 8u /* a power of two; see struct tutti__free_object */

struct tutti__sched;
struct tutti__heap;

struct tutti__slab {
    struct tutti__sched *sched; /* [const] */
    /* [const while an object is out] the owner; NULL: large, or in the store. Atomic, as bump_unit,
     * only for a walk, to which an old or a new value means the same: nothing lives there. */
    TUTTI_ATOMIC(struct tutti__heap *) heap;
    uint32_t size_class;        /* [const while an object is out] */
    uint32_t object_units;      /* [as size_class] size of an object */
    uint32_t free_unit;         /* [owner] first free object, 0 = none */
    TUTTI_ATOMIC(uint32_t) bump_unit; /* [owner writes] first that was never handed out */
    uint32_t end_unit;          /* [owner] no whole object behind this */
    uint32_t used;              /* [owner] see the invariant */
    bool listed;                /* [owner] in heap->partial */
    bool taken;                 /* [store.mu] not in store->free_slabs */
    struct tutti__slab *next;   /* [owner: heap->partial] [store.mu: free slabs, large blocks] */
    struct tutti__slab *prev;
    /* [any] freed by others: count << 16 | first unit, 0 = none. */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint32_t) remote;
    TUTTI_SHARED(struct tutti__slab *) remote_next; /* [who made remote non-empty, then the owner] */
    size_t large_bytes;              /* [const] of a block of its own */
};
_Static_assert(sizeof(struct tutti__slab) <= TUTTI__SLAB_HEADER, "the header has outgrown its place");

/* What one thread allocates from. */
struct tutti__heap {
    struct tutti__store *store;                       /* [const] */
    struct tutti__slab *current[TUTTI__SLAB_CLASSES]; /* [owner] NULL or where it allocates */
    struct tutti__slab *partial[TUTTI__SLAB_CLASSES]; /* [owner] others with a free object */
    /* [any pushes, owner takes all] slabs whose remote list has become non-empty. */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(struct tutti__slab *) remote_slabs;
};

/* The engine's slabs. */
struct tutti__store {
    struct tutti__mutex mu;
    struct tutti__sched *sched;     /* [const] */
    const tutti_allocator *memory;  /* [const] NULL: pages of the system, blocks of the C library */
    struct tutti__region *regions;  /* [mu] what the system gave */
    struct tutti__slab *free_slabs; /* [mu] owned by no heap */
    struct tutti__slab *large;      /* [mu] blocks of their own */
    uint64_t bytes;                 /* [mu] of regions and blocks */
    bool walked;                    /* [mu] a walk has begun: regions stay from then on */
};

/* Objects of one slab that one thread has freed and not handed over yet. All zero is empty. */
struct tutti__batch {
    struct tutti__slab *slab;
    uint32_t first_unit;
    uint32_t last_unit;
    uint32_t count;
    uint32_t freed; /* objects in all */
    uint32_t recent_units[TUTTI__SLAB_AHEAD]; /* those freed last, a ring */
};

/* `memory` is set afterwards, if it is to be another than NULL. */
void tutti__store_init(struct tutti__store *store, struct tutti__sched *sched);

/* Free all memory, whatever is still in use. Thread: no other uses it. */
void tutti__store_deinit(struct tutti__store *store);

/* Give regions of free slabs, and the pages of other free slabs, back. Thread: any. Blocks: lock. */
void tutti__store_trim(struct tutti__store *store);

uint64_t tutti__store_bytes(struct tutti__store *store);

/* What a walk does with each place that may hold an object: live, free (as it was left), or zero. */
struct tutti__visitor {
    void *user;
    bool (*pin)(void *object);   /* keep it from being freed; false: there is none; under store.mu */
    void (*visit)(void *user, void *object); /* if pinned, under no lock */
    void (*unpin)(void *object);
};

/* Visit all objects. Thread: no other allocates meanwhile; others may free. */
void tutti__store_walk(struct tutti__store *store, const struct tutti__visitor *visitor);

void tutti__heap_init(struct tutti__heap *heap, struct tutti__store *store);

/* Take in what others have freed. Thread: owner. */
void tutti__heap_collect(struct tutti__heap *heap);

/* Give slabs without an object in use to the store. Thread: owner. */
void tutti__heap_release(struct tutti__heap *heap);

/* The slow path of tutti__heap_alloc: another slab. */
void *tutti__heap_alloc_slow(struct tutti__heap *heap, uint32_t size_class);

/* A block of its own. Returns: NULL when out of memory. Thread: any. Blocks: lock. */
void *tutti__store_alloc_large(struct tutti__store *store, size_t bytes);

/* Free to a slab of the calling thread's own heap. */
void tutti__heap_free_slow(struct tutti__heap *heap, struct tutti__slab *slab);

/* Free a block of its own. Thread: any. Blocks: lock. */
void tutti__store_free_large(struct tutti__store *store, void *object);

/* Hand objects first..last of `slab`, linked, over to the owner. Thread: any. */
void tutti__slab_free_remote(struct tutti__slab *slab, uint32_t first, uint32_t last, uint32_t count);

static inline struct tutti__slab *tutti__slab_of(const void *object)
{
    return (struct tutti__slab *)((uintptr_t)object & ~(uintptr_t)(TUTTI__SLAB_BYTES - 1));
}

static inline void *tutti__slab_at(struct tutti__slab *slab, uint32_t unit)
{
    return (char *)slab + (size_t)unit * TUTTI__SLAB_UNIT;
}

static inline uint32_t tutti__slab_unit(const struct tutti__slab *slab, const void *object)
{
    return (uint32_t)((uintptr_t)object - (uintptr_t)slab) / TUTTI__SLAB_UNIT;
}

/* The class that holds `bytes`: 0 = 128 bytes, then doubling to 8 KiB; TUTTI__SLAB_LARGE above. */
static inline uint32_t tutti__slab_class(size_t bytes)
{
    if (TUTTI_LIKELY(bytes <= 128)) {
        return 0;
    }
    if (bytes > (128u << (TUTTI__SLAB_CLASSES - 1))) {
        return TUTTI__SLAB_LARGE;
    }
    return 64u - 7u - (uint32_t)__builtin_clzll((unsigned long long)bytes - 1);
}

/* What the first bytes of a free object are. Objects that others have freed lie in their caches; to follow
 * the list from one to the next would wait for each in turn. So each says as well which one comes some
 * places later, and that one is fetched while those between are used. */
struct tutti__free_object {
    uint32_t next_unit;  /* 0 = none */
    uint32_t ahead_unit; /* a guess: out of date, or whatever the object's last user left */
};

static inline uint32_t *tutti__slab_link(void *object)
{
    return &((struct tutti__free_object *)object)->next_unit;
}

/**
 * Allocate an object of a class below TUTTI__SLAB_LARGE; what is in it is what its last user left.
 * Thread: owner. Returns: NULL when out of memory.
 */
static inline void *tutti__heap_alloc(struct tutti__heap *heap, uint32_t size_class)
{
    struct tutti__slab *slab = heap->current[size_class];
    if (TUTTI_LIKELY(slab != NULL)) {
        uint32_t unit = slab->free_unit;
        if (unit != 0) {
            struct tutti__free_object *object =
                (struct tutti__free_object *)tutti__slab_at(slab, unit);
            uint32_t ahead = object->ahead_unit % (TUTTI__SLAB_BYTES / TUTTI__SLAB_UNIT);
            slab->free_unit = object->next_unit;
            slab->used++;
            __builtin_prefetch(tutti__slab_at(slab, object->next_unit), 1);
            __builtin_prefetch(tutti__slab_at(slab, ahead), 1);
            return object;
        }
        unit = TUTTI_LOAD(&slab->bump_unit, relaxed);
        if (unit != slab->end_unit) {
            TUTTI_STORE(&slab->bump_unit, unit + slab->object_units, relaxed);
            slab->used++;
            return tutti__slab_at(slab, unit);
        }
    }
    return tutti__heap_alloc_slow(heap, size_class);
}

/* Free an object of the calling thread's own heap. */
static inline void tutti__heap_free(struct tutti__heap *heap, struct tutti__slab *slab, void *object)
{
    *tutti__slab_link(object) = slab->free_unit;
    slab->free_unit = tutti__slab_unit(slab, object);
    slab->used--;
    if (TUTTI_UNLIKELY((!slab->listed || slab->used == 0) &&
                       slab != heap->current[slab->size_class])) {
        tutti__heap_free_slow(heap, slab);
    }
}

/* Hand over what is in the batch. */
static inline void tutti__batch_flush(struct tutti__batch *batch)
{
    if (batch->count != 0) {
        tutti__slab_free_remote(batch->slab, batch->first_unit, batch->last_unit, batch->count);
        batch->count = 0;
    }
}

/* Free an object of another thread's heap, some time before the next flush. */
static inline void tutti__batch_free(struct tutti__batch *batch, struct tutti__slab *slab, void *object)
{
    uint32_t unit = tutti__slab_unit(slab, object);
    uint32_t *recent = &batch->recent_units[batch->freed++ % TUTTI__SLAB_AHEAD];
    /* What is freed later comes earlier in the list, also across batches. */
    ((struct tutti__free_object *)object)->ahead_unit = *recent;
    *recent = unit;
    if (batch->count != 0 && batch->slab == slab) {
        *tutti__slab_link(object) = batch->first_unit;
        batch->first_unit = unit;
        if (++batch->count >= TUTTI_REMOTE_BATCH) {
            tutti__batch_flush(batch);
        }
        return;
    }
    tutti__batch_flush(batch);
    batch->slab = slab;
    batch->first_unit = unit;
    batch->last_unit = unit;
    batch->count = 1;
}

#endif
