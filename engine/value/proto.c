/* SPDX-License-Identifier: MIT */
/*
 * proto.c - see proto.h.
 *
 * Layer: value. Locks: none.
 * Invariant: bytes[] is written only before tutti__proto_new returns.
 */
#include "value/proto.h"

#include <string.h>

#include "base/alloc.h"

/* One word into the hash. For a given `h` different words give different results, and for a given
 * word different `h` do (xor, odd factor and xor-shift can all be undone): so one changed word
 * cannot be lost on the way to the end. */
static uint64_t hash_word(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
    return h ^ (h >> 29);
}

uint64_t tutti__hash_bytes(const uint8_t *bytes, size_t size)
{
    uint64_t h = hash_word(UINT64_C(0x8e38e38f12a4c6d1), size);
    uint64_t word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        h = hash_word(h, word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return hash_word(hash_word(h, word), 0);
}

/* A function's upvalue i becomes "register i of the enclosing function", whatever it was: the
 * factories keep one local for each. lua_load itself never looks at it. It also makes the bytes the
 * same whether a function has crossed before or not. */
static void settle_upvalues(uint8_t *descriptions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        descriptions[TUTTI__UPVALUE_BYTES * i] = 1;
        descriptions[TUTTI__UPVALUE_BYTES * i + 1] = (uint8_t)i;
        descriptions[TUTTI__UPVALUE_BYTES * i + 2] = 0;
    }
}

struct tutti__proto *tutti__proto_new(const uint8_t *bytes, size_t size, uint8_t upvalue_count)
{
    struct tutti__proto *p = tutti__alloc(sizeof *p + size);
    if (p == NULL) {
        return NULL;
    }
    atomic_init(&p->refs, 1); /* nobody else knows it yet */
    p->upvalue_count = upvalue_count;
    p->size = size;
    memcpy(p->bytes, bytes, size);

    struct tutti__chunk chunk;
    p->can_splice =
        tutti__chunk_scan(p->bytes, size, &chunk) && chunk.upvalue_count == upvalue_count;
    p->code = p->can_splice ? chunk.code : 0;
    p->upvalues = p->can_splice ? chunk.upvalues : 0;
    if (p->can_splice) {
        settle_upvalues(p->bytes + chunk.upvalues, chunk.upvalue_count);
    }
    p->hash = tutti__hash_bytes(p->bytes, size);
    return p;
}

struct tutti__proto *tutti__proto_ref(struct tutti__proto *p)
{
    /* Relaxed: the caller holds a reference. */
    TUTTI_FETCH_ADD(&p->refs, 1, relaxed);
    return p;
}

void tutti__proto_unref(struct tutti__proto *p)
{
    /* acq_rel: every thread's last read (released here) comes before the last one's free. */
    if (TUTTI_FETCH_SUB(&p->refs, 1, acq_rel) == 1) {
        tutti__free(p);
    }
}

bool tutti__proto_has_piece(const struct tutti__proto *p, size_t at, const void *piece, size_t size)
{
    if (at > p->size || size > p->size - at) {
        return false;
    }
    size_t settled_end = p->upvalues + (size_t)p->upvalue_count * TUTTI__UPVALUE_BYTES;
    if (p->upvalues != 0 && at >= p->upvalues && at + size <= settled_end) {
        return true;
    }
    return memcmp(p->bytes + at, piece, size) == 0;
}

bool tutti__proto_equal(const struct tutti__proto *a, const struct tutti__proto *b)
{
    return a == b || (a->hash == b->hash && a->size == b->size &&
                      memcmp(a->bytes, b->bytes, a->size) == 0);
}

bool tutti__proto_check(const struct tutti__proto *p)
{
    return tutti__hash_bytes(p->bytes, p->size) == p->hash;
}
