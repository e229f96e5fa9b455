/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - find the parts of a chunk that lua_dump of Lua 5.4 has written (see proto.h).
 *
 *   header (31 bytes), number of upvalues (1), function
 *   function: source, first and last line, 3 bytes, code, constants, upvalues, functions, debug
 *
 * Numbers are written seven bits to a byte, high ones first, the last byte marked. A string is its
 * size plus one (0: none), then its bytes.
 *
 * Layer: value. Locks: none.
 * Invariant: the cursor never passes `end`; once something was wrong it stays at `end`.
 */
#include "value/proto.h"

#include <string.h>

#include <lua.h>

struct cursor {
    const uint8_t *next;
    const uint8_t *end;
    bool bad;
};

/* Functions nest no deeper than the parser's own limit of 200 C levels. */
enum { NESTING_MAX = 250 };

/* Constants: Lua's type in the low four bits, variant above. */
enum { CONST_INT = 0x03, CONST_FLOAT = 0x13, CONST_SHORT = 0x04, CONST_LONG = 0x14 };

static void spoil(struct cursor *c)
{
    c->bad = true;
    c->next = c->end;
}

static void skip(struct cursor *c, size_t count, size_t each)
{
    if (count > (size_t)(c->end - c->next) / each) {
        spoil(c);
    } else {
        c->next += count * each;
    }
}

static uint8_t read_byte(struct cursor *c)
{
    if (c->next == c->end) {
        spoil(c);
        return 0;
    }
    return *c->next++;
}

static size_t read_number(struct cursor *c)
{
    size_t value = 0;
    uint8_t byte;
    do {
        if (c->next == c->end || value > (SIZE_MAX >> 7)) {
            spoil(c);
            return 0;
        }
        byte = *c->next++;
        value = (value << 7) | (byte & 0x7f);
    } while ((byte & 0x80) == 0);
    return value;
}

static void skip_string(struct cursor *c)
{
    size_t size = read_number(c);
    skip(c, size == 0 ? 0 : size - 1, 1);
}

static void skip_numbers(struct cursor *c, int count)
{
    for (int i = 0; i < count; i++) {
        read_number(c);
    }
}

static void skip_constants(struct cursor *c)
{
    for (size_t n = read_number(c); n > 0 && !c->bad; n--) {
        switch (read_byte(c)) {
        case LUA_TNIL:
        case LUA_TBOOLEAN:
        case LUA_TBOOLEAN | 0x10:
            break;
        case CONST_INT:
            skip(c, 1, sizeof(lua_Integer));
            break;
        case CONST_FLOAT:
            skip(c, 1, sizeof(lua_Number));
            break;
        case CONST_SHORT:
        case CONST_LONG:
            skip_string(c);
            break;
        default:
            spoil(c);
        }
    }
}

/* From the source to the nested functions. Returns how many of those follow. */
static size_t skip_front(struct cursor *c, struct tutti__chunk *out, const uint8_t *start)
{
    skip_string(c);
    skip_numbers(c, 2);
    skip(c, 3, 1);
    size_t code_count = read_number(c);
    if (out != NULL) {
        out->code = (size_t)(c->next - start);
    }
    skip(c, code_count, 4);
    skip_constants(c);
    size_t upvalue_count = read_number(c);
    if (out != NULL) {
        out->upvalue_count = (uint32_t)upvalue_count;
        out->upvalues = (size_t)(c->next - start);
    }
    skip(c, upvalue_count, TUTTI__UPVALUE_BYTES);
    return read_number(c);
}

static void skip_debug(struct cursor *c)
{
    size_t line_count = read_number(c);
    skip(c, line_count, 1);
    for (size_t n = read_number(c); n > 0 && !c->bad; n--) { /* absolute lines */
        skip_numbers(c, 2);
    }
    for (size_t n = read_number(c); n > 0 && !c->bad; n--) { /* locals */
        skip_string(c);
        skip_numbers(c, 2);
    }
    for (size_t n = read_number(c); n > 0 && !c->bad; n--) { /* names of upvalues */
        skip_string(c);
    }
}

/* Lua's own check of the header happens in lua_load; here only what the scan builds upon. */
static bool is_known_head(const uint8_t *bytes, size_t size)
{
    enum { VERSION = 4, FORMAT = 5, SIZES = 12 };
    static const uint8_t sizes[] = {4, sizeof(lua_Integer), sizeof(lua_Number)};
    return size > TUTTI__CHUNK_HEAD_BYTES && memcmp(bytes, LUA_SIGNATURE, VERSION) == 0 &&
           bytes[VERSION] == 0x54 && bytes[FORMAT] == 0 &&
           memcmp(bytes + SIZES, sizes, sizeof sizes) == 0;
}

bool tutti__chunk_scan(const uint8_t *bytes, size_t size, struct tutti__chunk *out)
{
    if (!is_known_head(bytes, size)) {
        return false;
    }
    struct cursor c = {.next = bytes + TUTTI__CHUNK_HEAD_BYTES, .end = bytes + size};
    size_t children[NESTING_MAX]; /* still to come, of each function that is open */
    int depth = 0;
    children[0] = skip_front(&c, out, bytes);
    out->child = (size_t)(c.next - bytes);
    out->child_end = out->child;
    while (!c.bad && depth >= 0) {
        if (children[depth] == 0) {
            skip_debug(&c);
            depth--;
            if (depth == 0 && out->child_end == out->child) {
                out->child_end = (size_t)(c.next - bytes);
            }
        } else if (depth + 1 == NESTING_MAX) {
            spoil(&c);
        } else {
            children[depth]--;
            depth++;
            children[depth] = skip_front(&c, NULL, bytes);
        }
    }
    return !c.bad && c.next == c.end && out->upvalue_count == bytes[TUTTI__CHUNK_HEAD_BYTES - 1];
}
