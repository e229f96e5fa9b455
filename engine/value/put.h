/* SPDX-License-Identifier: MIT */
/*
 * put.h - write values without parts into bytes for which there is room (see format.h).
 *
 * Layer: value. Locks: none.
 */
#ifndef TUTTI_VALUE_PUT_H
#define TUTTI_VALUE_PUT_H

#include <stdint.h>
#include <string.h>

#include <lua.h>

#include "value/format.h"

enum {
    TUTTI__NUMBER_BYTES_MAX = 1 + sizeof(lua_Integer),
    TUTTI__STRING_HEAD_BYTES_MAX = 1 + sizeof(uint32_t),
};

static inline uint8_t *tutti__put_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* Write a number, for which there is room. Returns: behind it. */
static inline uint8_t *tutti__put_integer(uint8_t *at, lua_Integer value)
{
    if ((lua_Unsigned)value <= TUTTI__SMALL_MAX) {
        *at++ = (uint8_t)(TUTTI__TAG_SMALL | value);
    } else if (value >= INT8_MIN && value <= INT8_MAX) {
        *at++ = TUTTI__TAG_INT8;
        *at++ = (uint8_t)value;
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        int16_t narrow = (int16_t)value;
        *at++ = TUTTI__TAG_INT16;
        memcpy(at, &narrow, sizeof narrow);
        at += sizeof narrow;
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        int32_t narrow = (int32_t)value;
        *at++ = TUTTI__TAG_INT32;
        memcpy(at, &narrow, sizeof narrow);
        at += sizeof narrow;
    } else {
        *at++ = TUTTI__TAG_INT64;
        memcpy(at, &value, sizeof value);
        at += sizeof value;
    }
    return at;
}

static inline uint8_t *tutti__put_float(uint8_t *at, lua_Number value)
{
    *at++ = TUTTI__TAG_FLOAT;
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* The same for a string. */
static inline uint8_t *tutti__put_string(uint8_t *at, const char *s, size_t size)
{
    if (size <= TUTTI__SHORT_MAX) {
        *at++ = (uint8_t)(TUTTI__TAG_SHORT | size);
    } else {
        *at++ = TUTTI__TAG_STRING;
        at = tutti__put_u32(at, (uint32_t)size);
    }
    memcpy(at, s, size);
    return at + size;
}

#endif
