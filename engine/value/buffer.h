/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - a sealed message: bytes, and the shared objects that the bytes refer to.
 *
 * A buffer is filled by one writer on one thread, then sealed; from there on nobody changes it, so
 * any number of threads may decode it at once. It owns one reference on each of its objects and
 * drops them with its last own reference.
 *
 *   [struct tutti__buffer][bytes, size][padding][objects, object_count]   one block of memory
 *
 * Layer: value. Locks: none; one atomic counter.
 * Invariant: `size` and the objects never change after tutti__writer_seal.
 */
#ifndef TUTTI_VALUE_BUFFER_H
#define TUTTI_VALUE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

struct tutti__value_ops; /* codec.h */
struct tutti__proto;     /* proto.h */

/* What stands beside the bytes. `kind` is the layer above's, or TUTTI__OBJECT_PROTO. */
struct tutti__object {
    void *pointer;
    uint32_t kind;
};
enum { TUTTI__OBJECT_PROTO = 0x100 };

struct tutti__buffer {
    TUTTI_ATOMIC(uint32_t) refs;       /* [any] see tutti__buffer_unref */
    uint32_t object_count;             /* [const once sealed], as all below */
    bool has_globals;                  /* something in it is, or has, the globals */
    bool is_plain;                     /* nothing but values without parts, see plain.h */
    bool is_call;                      /* a function and its plain arguments, see call.h */
    size_t size;
    const struct tutti__value_ops *ops; /* drops handles; NULL when there are none */
    struct tutti__object *objects;      /* in this block, behind the bytes */
    uint8_t bytes[];
};

/**
 * Take a reference.
 * Thread:  any; the caller holds one.
 * Returns: `b`.
 */
struct tutti__buffer *tutti__buffer_ref(struct tutti__buffer *b);

/**
 * Drop a reference; the last one frees the buffer and drops its objects.
 * Thread:  any.
 * Args:    b - NULL does nothing.
 * Calls:   ops->handle_drop for each handle, on this thread, under no lock.
 */
void tutti__buffer_unref(struct tutti__buffer *b);

/** Size of the bytes (what a budget counts; prototypes are shared and not in it). Thread: any. */
size_t tutti__buffer_size(const struct tutti__buffer *b);

/**
 * Make a plain buffer with room for `size` bytes, which the caller writes, and sets `size` to fewer.
 * Memory:  returns owned; NULL - out of memory.
 */
struct tutti__buffer *tutti__buffer_plain(size_t size);

/** The same with one object, which the caller sets; not marked as plain. */
struct tutti__buffer *tutti__buffer_with_object(size_t size, const struct tutti__value_ops *ops);

/* ---- writing ------------------------------------------------------------------------------ */

/* Small messages are built here and copied once, to a block of the right size. */
#ifdef TUTTI_HARD
enum { TUTTI__WRITER_SCRATCH_BYTES = 8, TUTTI__WRITER_OBJECTS = 1 };
#else
enum { TUTTI__WRITER_SCRATCH_BYTES = 1024, TUTTI__WRITER_OBJECTS = 8 };
#endif

struct tutti__writer {
    uint8_t *start;               /* scratch, or block->bytes */
    uint8_t *next;                /* the first free byte */
    uint8_t *end;                 /* behind the last byte there is room for */
    struct tutti__buffer *block;  /* NULL while scratch is enough */
    size_t bytes_max;             /* refuse to grow beyond this */
    bool has_globals;             /* a GLOBALS was written */
    bool too_large;               /* that is why the last reserve failed */
    struct tutti__object *objects; /* first_objects, or malloc'ed */
    uint32_t object_count;
    uint32_t object_capacity;
    const struct tutti__value_ops *ops;
    struct tutti__object first_objects[TUTTI__WRITER_OBJECTS];
    uint8_t scratch[TUTTI__WRITER_SCRATCH_BYTES];
};

/* Prepare an empty writer. Memory: pair with exactly one of _seal (that succeeds) and _deinit. */
void tutti__writer_init(struct tutti__writer *w, const struct tutti__value_ops *ops,
                        size_t bytes_max);

/* Free what was written and drop its objects. Calls: as tutti__buffer_unref. */
void tutti__writer_deinit(struct tutti__writer *w);

/* Make room for `bytes` more. Returns: false - out of memory, or `too_large`; nothing has changed. */
bool tutti__writer_grow(struct tutti__writer *w, size_t bytes);

/**
 * Add an object.
 * Memory:  takes the caller's reference on `pointer` on success.
 * Returns: its number through `*index`; false - out of memory.
 */
bool tutti__writer_object(struct tutti__writer *w, uint32_t kind, void *pointer, uint32_t *index);

/**
 * Turn what was written into a buffer with one reference.
 * Memory:  returns owned; `w` is empty afterwards.
 * Returns: NULL - out of memory; `w` is as it was.
 */
struct tutti__buffer *tutti__writer_seal(struct tutti__writer *w);

/* Is there, or can there be made, room for `bytes` more? */
static inline bool tutti__writer_reserve(struct tutti__writer *w, size_t bytes)
{
    return (size_t)(w->end - w->next) >= bytes || tutti__writer_grow(w, bytes);
}

/* Where the next byte goes, counted from the start. */
static inline uint32_t tutti__writer_offset(const struct tutti__writer *w)
{
    return (uint32_t)(w->next - w->start);
}

#endif
