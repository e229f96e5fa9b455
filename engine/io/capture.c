/* SPDX-License-Identifier: MIT */
/*
 * capture.c - see capture.h.
 *
 * Layer: io. Locks: none.
 * Invariant: `recent` is NULL while the end of the stream is the end of `head`.
 */
#include "io/capture.h"

#include <string.h>

#include "base/alloc.h"

static const size_t recent_bytes = 2 * TUTTI__CAPTURE_TAIL_BYTES;
static const size_t head_bytes_first = 1024;

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Make room for `more` bytes in the head. Returns false when memory is out. */
static bool reserve(struct tutti__capture *c, size_t more)
{
    if (more <= c->capacity - c->length) {
        return true;
    }
    size_t capacity = c->capacity == 0 ? head_bytes_first : c->capacity * 2;
    if (capacity < c->length + more) {
        capacity = c->length + more;
    }
    if (capacity > c->limit) {
        capacity = (size_t)c->limit;
    }
    char *head = tutti__realloc(c->head, capacity);
    if (head == NULL) {
        return false;
    }
    c->head = head;
    c->capacity = capacity;
    return true;
}

/* Keep the last bytes of a linear buffer of two tails: when it is full, its second half moves
 * down. */
static void add_recent(struct tutti__capture *c, const char *data, size_t length)
{
    if (length > TUTTI__CAPTURE_TAIL_BYTES) {
        data += length - TUTTI__CAPTURE_TAIL_BYTES;
        length = TUTTI__CAPTURE_TAIL_BYTES;
    }
    if (c->recent_length + length > recent_bytes) {
        size_t kept = TUTTI__CAPTURE_TAIL_BYTES;
        memmove(c->recent, c->recent + c->recent_length - kept, kept);
        c->recent_length = kept;
    }
    memcpy(c->recent + c->recent_length, data, length);
    c->recent_length += length;
}

/* The head ends here: from now on the end of the stream is kept apart. */
static void begin_recent(struct tutti__capture *c)
{
    if (c->recent != NULL) {
        return;
    }
    c->recent = tutti__alloc(recent_bytes);
    if (c->recent != NULL && c->length > 0) {
        size_t kept = min_size(c->length, TUTTI__CAPTURE_TAIL_BYTES);
        add_recent(c, c->head + c->length - kept, kept);
    }
}

void tutti__capture_add(struct tutti__capture *c, const char *data, size_t length)
{
    if (!c->truncated && !c->is_tail_only) {
        uint64_t room = c->limit - c->length;
        size_t fits = length <= room ? length : (size_t)room;
        if (fits > 0 && reserve(c, fits)) {
            memcpy(c->head + c->length, data, fits);
            c->length += fits;
            data += fits;
            length -= fits;
        }
        c->truncated = length > 0;
    }
    if (length == 0) {
        return;
    }
    begin_recent(c);
    if (c->recent != NULL) {
        add_recent(c, data, length);
    }
}

const char *tutti__capture_tail(const struct tutti__capture *c, size_t *length)
{
    const char *bytes = c->recent != NULL ? c->recent : c->head;
    size_t count = c->recent != NULL ? c->recent_length : c->length;
    *length = min_size(count, TUTTI__CAPTURE_TAIL_BYTES);
    return bytes == NULL ? NULL : bytes + count - *length;
}

void tutti__capture_deinit(struct tutti__capture *c)
{
    tutti__free(c->head);
    tutti__free(c->recent);
    *c = (struct tutti__capture){ .head = NULL };
}
