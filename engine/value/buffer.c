/* SPDX-License-Identifier: MIT */
/*
 * buffer.c - see buffer.h.
 *
 * Layer: value. Locks: none.
 * Invariant: a writer's bytes lie either in its scratch or in `block`, never in both.
 */
#include "value/buffer.h"

#include <string.h>

#include "base/alloc.h"
#include "value/codec.h"
#include "value/proto.h"

/* Room behind the bytes of a block so that sealing seldom asks for more: alignment and an object. */
enum { SEAL_SLACK = sizeof(struct tutti__object) + _Alignof(struct tutti__object) };

static void drop_objects(const struct tutti__object *objects, uint32_t count,
                         const struct tutti__value_ops *ops)
{
    for (uint32_t i = 0; i < count; i++) {
        if (objects[i].kind == TUTTI__OBJECT_PROTO) {
            tutti__proto_unref(objects[i].pointer);
        } else {
            ops->handle_drop((uint8_t)objects[i].kind, objects[i].pointer);
        }
    }
}

struct tutti__buffer *tutti__buffer_ref(struct tutti__buffer *b)
{
    /* Relaxed: whoever calls holds a reference, so the count cannot reach zero meanwhile. */
    TUTTI_FETCH_ADD(&b->refs, 1, relaxed);
    return b;
}

void tutti__buffer_unref(struct tutti__buffer *b)
{
    /* acq_rel: the release half pairs with the acquire half of the thread that drops the last
     * reference, so that its free comes after every other thread's last read. */
    if (b == NULL || TUTTI_FETCH_SUB(&b->refs, 1, acq_rel) != 1) {
        return;
    }
    drop_objects(b->objects, b->object_count, b->ops);
    tutti__free(b);
}

size_t tutti__buffer_size(const struct tutti__buffer *b)
{
    return b->size;
}

/* Bytes of a block up to its objects. */
static size_t head_bytes(size_t size)
{
    size_t align = _Alignof(struct tutti__object);
    return (sizeof(struct tutti__buffer) + size + align - 1) / align * align;
}

static void set_up(struct tutti__buffer *b, size_t size, uint32_t object_count)
{
    atomic_init(&b->refs, 1); /* nobody else knows the buffer yet */
    b->has_globals = false;
    b->is_plain = false;
    b->is_call = false;
    b->size = size;
    b->ops = NULL;
    b->object_count = object_count;
    b->objects = NULL;
}

struct tutti__buffer *tutti__buffer_plain(size_t size)
{
    struct tutti__buffer *b = tutti__alloc(sizeof *b + size);
    if (b == NULL) {
        return NULL;
    }
    set_up(b, size, 0);
    b->is_plain = true;
    return b;
}

struct tutti__buffer *tutti__buffer_with_object(size_t size, const struct tutti__value_ops *ops)
{
    size_t head = head_bytes(size);
    struct tutti__buffer *b = tutti__alloc(head + sizeof(struct tutti__object));
    if (b == NULL) {
        return NULL;
    }
    set_up(b, size, 1);
    b->ops = ops;
    b->objects = (struct tutti__object *)(void *)((uint8_t *)b + head);
    return b;
}

void tutti__writer_init(struct tutti__writer *w, const struct tutti__value_ops *ops,
                        size_t bytes_max)
{
    w->start = w->scratch;
    w->next = w->scratch;
    w->end = w->scratch + (bytes_max < sizeof w->scratch ? bytes_max : sizeof w->scratch);
    w->block = NULL;
    w->bytes_max = bytes_max;
    w->has_globals = false;
    w->too_large = false;
    w->objects = w->first_objects;
    w->object_count = 0;
    w->object_capacity = TUTTI__WRITER_OBJECTS;
    w->ops = ops;
}

void tutti__writer_deinit(struct tutti__writer *w)
{
    drop_objects(w->objects, w->object_count, w->ops);
    if (w->objects != w->first_objects) {
        tutti__free(w->objects);
    }
    tutti__free(w->block);
    w->block = NULL;
    w->object_count = 0;
}

bool tutti__writer_grow(struct tutti__writer *w, size_t bytes)
{
    size_t used = (size_t)(w->next - w->start);
    size_t capacity = (size_t)(w->end - w->start);
    w->too_large = bytes > w->bytes_max || used > w->bytes_max - bytes;
    if (w->too_large) {
        return false;
    }
    capacity = capacity + capacity / 2;
    if (capacity < used + bytes) {
        capacity = used + bytes; /* one large string gets what it needs and no more */
    } else if (capacity > w->bytes_max) {
        capacity = w->bytes_max;
    }
    struct tutti__buffer *block = tutti__realloc(w->block, sizeof *block + capacity + SEAL_SLACK);
    if (block == NULL) {
        return false;
    }
    if (w->block == NULL) {
        memcpy(block->bytes, w->scratch, used);
    }
    w->block = block;
    w->start = block->bytes;
    w->next = block->bytes + used;
    w->end = block->bytes + capacity;
    return true;
}

bool tutti__writer_object(struct tutti__writer *w, uint32_t kind, void *pointer, uint32_t *index)
{
    if (w->object_count == w->object_capacity) {
        bool first = w->objects == w->first_objects;
        uint32_t capacity = w->object_capacity * 2;
        struct tutti__object *more =
            tutti__realloc(first ? NULL : w->objects, (size_t)capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        if (first) {
            memcpy(more, w->first_objects, sizeof w->first_objects);
        }
        w->objects = more;
        w->object_capacity = capacity;
    }
    *index = w->object_count++;
    w->objects[*index] = (struct tutti__object){.pointer = pointer, .kind = kind};
    return true;
}

/* The block of what was written, with `bytes` in all. One that fits well stays as it is: a large one
 * might otherwise be copied once more. */
static struct tutti__buffer *fit_block(struct tutti__writer *w, size_t bytes)
{
    enum { WASTE_DIVISOR = 4 };
    if (w->block != NULL) {
        size_t has = sizeof *w->block + (size_t)(w->end - w->start) + SEAL_SLACK;
        if (bytes <= has && has - bytes <= bytes / WASTE_DIVISOR) {
            return w->block;
        }
    }
    struct tutti__buffer *b = tutti__realloc(w->block, bytes);
    if (b != NULL && w->block == NULL) {
        memcpy(b->bytes, w->scratch, (size_t)(w->next - w->start));
    }
    return b;
}

struct tutti__buffer *tutti__writer_seal(struct tutti__writer *w)
{
    size_t size = (size_t)(w->next - w->start);
    size_t head = head_bytes(size);
    size_t objects_bytes = w->object_count * sizeof(struct tutti__object);
    struct tutti__buffer *b = fit_block(w, head + objects_bytes);
    if (b == NULL) {
        return NULL;
    }
    set_up(b, size, w->object_count);
    b->has_globals = w->has_globals;
    b->ops = w->ops;
    b->objects = (struct tutti__object *)(void *)((uint8_t *)b + head);
    if (objects_bytes != 0) {
        memcpy(b->objects, w->objects, objects_bytes);
    }
    if (w->objects != w->first_objects) {
        tutti__free(w->objects);
    }
    w->block = NULL;
    w->objects = w->first_objects;
    w->object_count = 0;
    return b;
}
