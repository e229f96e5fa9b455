/* SPDX-License-Identifier: MIT */
/*
 * plain.c - messages of nothing but nil, booleans, numbers and strings: most of what tasks tell each
 * other. They need no frames, no names and no map of what was seen: one block of memory and a copy.
 *
 * Layer: value. Locks: none.
 * Invariant: the bytes are what encode.c would have written.
 */
#include "value/plain.h"

#include "value/put.h"

enum { PLAIN_VALUES_MAX = 8 };

/* How many bytes the value takes at most; 0: it is not plain. */
static size_t plain_bytes(lua_State *L, int index, int *long_strings)
{
    size_t size;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
        return 1;
    case LUA_TNUMBER:
        return TUTTI__NUMBER_BYTES_MAX;
    case LUA_TSTRING:
        size = lua_rawlen(L, index);
        *long_strings += size > TUTTI__SHORT_MAX;
        return TUTTI__STRING_HEAD_BYTES_MAX + size;
    default:
        return 0;
    }
}

uint8_t *tutti__plain_put(lua_State *L, int index, uint8_t *at)
{
    size_t size;
    const char *s;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        *at = TUTTI__TAG_NIL;
        return at + 1;
    case LUA_TBOOLEAN:
        *at = lua_toboolean(L, index) ? TUTTI__TAG_TRUE : TUTTI__TAG_FALSE;
        return at + 1;
    case LUA_TNUMBER:
        return lua_isinteger(L, index) ? tutti__put_integer(at, lua_tointegerx(L, index, NULL))
                                       : tutti__put_float(at, lua_tonumberx(L, index, NULL));
    default:
        s = lua_tolstring(L, index, &size);
        return tutti__put_string(at, s, size);
    }
}

struct tutti__buffer *tutti__plain_encode(lua_State *L, int first, int count, size_t bytes_max)
{
    size_t size = TUTTI__MESSAGE_HEAD_BYTES;
    int long_strings = 0;
    if (count > PLAIN_VALUES_MAX) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        size_t bytes = plain_bytes(L, first + i, &long_strings);
        if (bytes == 0 || bytes > bytes_max || size > bytes_max - bytes) {
            return NULL;
        }
        size += bytes;
    }
    if (long_strings > 1) {
        return NULL; /* they could be one, which is then written once */
    }
    struct tutti__buffer *b = tutti__buffer_plain(size);
    if (b == NULL) {
        return NULL;
    }
    uint8_t *at = tutti__put_u32(b->bytes, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        at = tutti__plain_put(L, first + i, at);
    }
    b->size = (size_t)(at - b->bytes);
    return b;
}
