/* SPDX-License-Identifier: MIT */
/*
 * proto.h - the code of a Lua function as bytes that any thread may hold.
 *
 * Lua has no way to make a second closure of a loaded function, and loading the same bytecode for
 * every message costs microseconds. But OP_CLOSURE does just that for nested functions. So the bytes
 * of a function are spliced, as the only nested function, into the bytes of a small factory that Lua
 * itself has compiled (`local a1, a2 return function() return a1, a2 end`); the factory is loaded
 * once for each state, and calling it makes a closure with fresh upvalues. That needs to know where a
 * nested function begins and ends: tutti__chunk_scan reads the format of Lua 5.4 and says no to
 * anything that it does not understand to the last byte; then the function is loaded each time.
 *
 * Layer: value. Locks: none; one atomic counter.
 * Invariant: the bytes come from lua_dump in this process and never change; `hash` is of them.
 */
#ifndef TUTTI_VALUE_PROTO_H
#define TUTTI_VALUE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

struct tutti__proto {
    TUTTI_ATOMIC(uint32_t) refs; /* [any] as tutti__buffer.refs */
    uint8_t upvalue_count;       /* [const], as all below */
    bool can_splice;             /* the scan understood the bytes */
    size_t code;                 /* where the instructions begin; 0: the scan did not understand */
    size_t upvalues;             /* where settled upvalue descriptions begin; 0: there are none */
    uint64_t hash;               /* checksum, and key of the caches */
    size_t size;
    uint8_t bytes[];
};

/* What a scan finds in a dumped chunk; offsets from its start. */
struct tutti__chunk {
    size_t code;           /* the instructions of the main function */
    size_t upvalues;       /* the descriptions of the main function's upvalues, 3 bytes each */
    uint32_t upvalue_count;
    size_t child;          /* the first nested function; equal to child_end when there is none */
    size_t child_end;
};

enum {
    TUTTI__CHUNK_HEAD_BYTES = 32, /* Lua's header and the number of upvalues; then the function */
    TUTTI__UPVALUE_BYTES = 3,     /* in the stack?, which, kind */
};

/**
 * Take `bytes` of lua_dump: bring upvalue descriptions into the form that factories use and count
 * the hash. Bytes that cannot be understood stay as they are.
 * Thread:  any.
 * Returns: owned (tutti__proto_unref); NULL - out of memory.
 */
struct tutti__proto *tutti__proto_new(const uint8_t *bytes, size_t size, uint8_t upvalue_count);

/* Take a reference; returns `p`. Thread: any; the caller holds one. */
struct tutti__proto *tutti__proto_ref(struct tutti__proto *p);

/* Drop a reference; the last one frees. Thread: any. */
void tutti__proto_unref(struct tutti__proto *p);

/* Is this the piece of a dump that belongs at `at`? Settled upvalue descriptions are not compared: what
 * they were is nowhere asked for. Thread: any. */
bool tutti__proto_has_piece(const struct tutti__proto *p, size_t at, const void *piece, size_t size);

/* Have both the same bytes? Thread: any. */
bool tutti__proto_equal(const struct tutti__proto *a, const struct tutti__proto *b);

/* Are the bytes what they were when `p` was made? Thread: any. */
bool tutti__proto_check(const struct tutti__proto *p);

/* 64 bits of hash; a change of one byte always changes it. Thread: any. */
uint64_t tutti__hash_bytes(const uint8_t *bytes, size_t size);

/**
 * Find the parts of a chunk that lua_dump wrote.
 * Thread:  any.
 * Returns: false - not understood; `*out` is undefined.
 */
bool tutti__chunk_scan(const uint8_t *bytes, size_t size, struct tutti__chunk *out);

#endif
