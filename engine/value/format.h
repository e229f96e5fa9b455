/* SPDX-License-Identifier: MIT */
/*
 * format.h - the byte form of Lua values: tags, limits, how many of what fits.
 *
 * A message is `u32 count` and then `count` values. Numbers are in the machine's own byte order and
 * unaligned: bytes never leave the process. A value is one tag and what the table below says.
 *
 *   tag        followed by                          is
 *   NIL FALSE TRUE                                  themselves
 *   INT8 .. INT64   the integer                     an integer
 *   SMALL + n                                       the integer n, 0..127
 *   FLOAT      8 bytes                              a float, bit by bit
 *   SHORT + n  n bytes                              a string of 0..63 bytes
 *   STRING     u32 n, n bytes                       a longer string
 *   TABLE      u32 array, u32 pairs, then `array` values (keys 1..array; NIL leaves a hole), then
 *              `pairs` times key and value          a table without metatable
 *   OBJECT     as TABLE, then the metatable (NAMED, or REF to a NAMED)
 *   FUNCTION   u32 object, u8 n, then n upvalues    a Lua function; `object` is its prototype
 *   HANDLE     u32 object                           what the layer above calls a handle
 *   NAMED      u8 Lua type, u32 n, n bytes          "module", "module\0field" or "\0registered", looked up
 *                                                   on arrival
 *   BOX        u8 kind, one value                   an object of the layer above, made of that value
 *   GLOBALS                                         the receiver's environment
 *   REF        u32 offset                           the value whose tag stands at `offset`
 *   CELL       u32 offset, u8 n                     (only as upvalue) the n-th upvalue, 1.., of the
 *                                                   function at `offset`: one variable, shared
 *
 * Bit 0 of the even tags from STRING to BOX is set when a REF or a CELL points at it: only those
 * are remembered by the decoder. `object` counts the entries that the buffer carries beside its bytes.
 *
 * Layer: value. Locks: none.
 * Invariant: every value takes at least one byte, so counts can be checked against what remains.
 */
#ifndef TUTTI_VALUE_FORMAT_H
#define TUTTI_VALUE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum tutti__tag {
    TUTTI__TAG_NIL = 0x00,
    TUTTI__TAG_FALSE = 0x01,
    TUTTI__TAG_TRUE = 0x02,
    TUTTI__TAG_FLOAT = 0x03,
    TUTTI__TAG_INT8 = 0x04,
    TUTTI__TAG_INT16 = 0x05,
    TUTTI__TAG_INT32 = 0x06,
    TUTTI__TAG_INT64 = 0x07,
    TUTTI__TAG_GLOBALS = 0x08,
    TUTTI__TAG_REF = 0x09,
    TUTTI__TAG_CELL = 0x0a,
    TUTTI__TAG_STRING = 0x10,
    TUTTI__TAG_TABLE = 0x12,
    TUTTI__TAG_OBJECT = 0x14,
    TUTTI__TAG_FUNCTION = 0x16,
    TUTTI__TAG_HANDLE = 0x18,
    TUTTI__TAG_NAMED = 0x1a,
    TUTTI__TAG_BOX = 0x1c,
    TUTTI__TAG_SHARED_BIT = 0x01, /* of the tags from STRING to BOX */
    TUTTI__TAG_SHORT = 0x40,      /* .. 0x7f */
    TUTTI__TAG_SMALL = 0x80,      /* .. 0xff */
};

enum {
    TUTTI__SHORT_MAX = 0x3f,
    TUTTI__SMALL_MAX = 0x7f,
    TUTTI__MESSAGE_HEAD_BYTES = 4, /* the count */
    TUTTI__TABLE_HEAD_BYTES = 8,   /* both counts, behind the tag */
    TUTTI__HOLES_MAX = 8,          /* so many nils in a row may stand in an array */
};

/* Limits. Offsets are 32 bits wide. An open table takes two slots of the Lua stack, which holds a
 * million; the values of one message all lie on it. */
enum {
    TUTTI_VALUE_DEPTH_MAX = 100000,
    TUTTI_VALUE_COUNT_MAX = 250000,
};
static const size_t TUTTI_VALUE_BYTES_MAX = 0x7fffffff;

#endif
