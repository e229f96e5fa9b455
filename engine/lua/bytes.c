/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - buffers (see bytes.h): life, handles, whole ranges of bytes. Typed elements: view.c.
 *
 * Layer: lua. Locks: none.
 * Invariant: contents are touched by relaxed atomic accesses alone. No order hangs on them: what one
 * task writes another sees because a channel, a result or an argument came between.
 */
#include "lua/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "lua/duration.h"

_Static_assert(offsetof(struct tutti__bytes, data) % 16 == 0, "elements lie at multiples of their size");

/* More than any machine has; a wrong number is told from a large one before memory is asked for. */
static const uint64_t BUFFER_BYTES_MAX = UINT64_C(1) << 46;

/* ---- life ---------------------------------------------------------------------------------- */

struct tutti__bytes *tutti__bytes_new(size_t size)
{
    struct tutti__bytes *bytes = (struct tutti__bytes *)calloc(1, sizeof *bytes + size);
    if (bytes == NULL)
        return NULL;
    TUTTI_STORE(&bytes->refs, 1u, relaxed); /* nobody else knows it yet */
    bytes->size = size;
    return bytes;
}

void tutti__bytes_ref(struct tutti__bytes *bytes)
{
    /* Whoever adds a reference has one, so nothing needs to be ordered. */
    (void)TUTTI_FETCH_ADD(&bytes->refs, 1u, relaxed);
}

void tutti__bytes_unref(struct tutti__bytes *bytes)
{
    if (TUTTI_FETCH_SUB(&bytes->refs, 1u, acq_rel) == 1u)
        free(bytes);
}

/* ---- handles ------------------------------------------------------------------------------- */

bool tutti__handle_push(lua_State *L, struct tutti__lua *lua, const char *name, void *object,
                        void (*ref)(void *object))
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_tasks);
    bool is_new = lua_rawgetp(L, -1, object) == LUA_TNIL;
    if (is_new) {
        lua_pop(L, 1);
        void **box = (void **)lua_newuserdatauv(L, sizeof *box, 0);
        *box = object;
        ref(object);
        luaL_setmetatable(L, name);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, object);
    }
    lua_remove(L, -2);
    return is_new;
}

static void ref_bytes(void *object)
{
    tutti__bytes_ref((struct tutti__bytes *)object);
}

void tutti__bytes_push(lua_State *L, struct tutti__lua *lua, struct tutti__bytes *bytes)
{
    enum { KIB = 1024 };
    /* The collector sees a few bytes where there may be many: count them as work that is due. */
    if (tutti__handle_push(L, lua, "tutti.buffer", bytes, ref_bytes) && bytes->size >= KIB)
        lua_gc(L, LUA_GCSTEP, bytes->size < INT32_MAX ? (int)(bytes->size / KIB) : INT32_MAX / KIB);
}

struct tutti__bytes *tutti__bytes_test(lua_State *L, int index)
{
    struct tutti__bytes **box = (struct tutti__bytes **)luaL_testudata(L, index, "tutti.buffer");
    return box == NULL ? NULL : *box;
}

static struct tutti__bytes *check(lua_State *L)
{
    struct tutti__bytes *bytes = tutti__bytes_test(L, 1);
    if (bytes == NULL)
        tutti__usage(L, 1, "a buffer was expected, got %s (methods are called with a colon: b:string())",
                     luaL_typename(L, 1));
    return bytes;
}

static int l_collect(lua_State *L)
{
    struct tutti__bytes **box = (struct tutti__bytes **)lua_touserdata(L, 1);
    if (*box != NULL)
        tutti__bytes_unref(*box);
    *box = NULL;
    return 0;
}

/* ---- ranges -------------------------------------------------------------------------------- */

typedef TUTTI_ATOMIC(uint8_t) shared_byte;
typedef TUTTI_ATOMIC(uint64_t) shared_word;

static bool is_at_word(const uint8_t *at)
{
    return (uintptr_t)at % sizeof(uint64_t) == 0;
}

/* Read / write `count` shared bytes, a word at a time where they are aligned. */
static void load(uint8_t *to, const uint8_t *shared, size_t count)
{
    uint64_t word;
    for (; count > 0 && !is_at_word(shared); count--)
        *to++ = TUTTI_LOAD((const shared_byte *)shared++, relaxed);
    for (; count >= sizeof word; count -= sizeof word) {
        word = TUTTI_LOAD((const shared_word *)(const void *)shared, relaxed);
        memcpy(to, &word, sizeof word);
        to += sizeof word;
        shared += sizeof word;
    }
    for (; count > 0; count--)
        *to++ = TUTTI_LOAD((const shared_byte *)shared++, relaxed);
}

static void store(uint8_t *shared, const uint8_t *from, size_t count)
{
    uint64_t word;
    for (; count > 0 && !is_at_word(shared); count--)
        TUTTI_STORE((shared_byte *)shared++, *from++, relaxed);
    for (; count >= sizeof word; count -= sizeof word) {
        memcpy(&word, from, sizeof word);
        TUTTI_STORE((shared_word *)(void *)shared, word, relaxed);
        from += sizeof word;
        shared += sizeof word;
    }
    for (; count > 0; count--)
        TUTTI_STORE((shared_byte *)shared++, *from++, relaxed);
}

/* Copy from one shared place to another; they may overlap. */
static void move(uint8_t *to, const uint8_t *from, size_t count)
{
    uint8_t part[1024];
    bool is_upward = (uintptr_t)to > (uintptr_t)from; /* then the end goes first */
    while (count > 0) {
        size_t n = count < sizeof part ? count : sizeof part;
        size_t skip = is_upward ? count - n : 0;
        load(part, from + skip, n);
        store(to + skip, part, n);
        from += is_upward ? 0 : n;
        to += is_upward ? 0 : n;
        count -= n;
    }
}

/* Positions as string.sub has them: from 1, negative from the end, cut at both ends. */
struct range {
    size_t from; /* counted from 0 */
    size_t count;
};

static lua_Integer check_position(lua_State *L, int index, lua_Integer missing, const char *what)
{
    int is_integer = 1;
    if (lua_isnoneornil(L, index))
        return missing;
    lua_Integer position = lua_tointegerx(L, index, &is_integer);
    if (!is_integer || lua_type(L, index) != LUA_TNUMBER)
        tutti__usage(L, 1, "%s: a position (an integer) was expected, got %s", what,
                     luaL_tolstring(L, index, NULL));
    return position;
}

/* The range that the arguments at `index` and `index` + 1 mean within `size` bytes. */
static struct range check_range(lua_State *L, int index, size_t size, const char *what)
{
    lua_Integer length = (lua_Integer)size;
    lua_Integer from = check_position(L, index, 1, what);
    lua_Integer to = check_position(L, index + 1, -1, what);
    from = from >= 0 ? from : from < -length ? 1 : length + from + 1;
    to = to >= 0 ? to : to < -length ? 0 : length + to + 1;
    from = from < 1 ? 1 : from;
    to = to > length ? length : to;
    if (from > to)
        return (struct range){ 0, 0 };
    return (struct range){ (size_t)from - 1, (size_t)(to - from) + 1 };
}

/* ---- Lua ----------------------------------------------------------------------------------- */

/* tutti.buffer(size, [bytes]) -> buffer: zeros, or `bytes` and then zeros   [-2, +1, v] */
static int l_buffer(lua_State *L)
{
    size_t length = 0;
    uint64_t size = tutti__size_check(L, 1, "tutti.buffer", 1);
    if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
        return tutti__usage(L, 1, "tutti.buffer: the contents must be a string, got %s",
                            luaL_typename(L, 2));
    const char *start = lua_tolstring(L, 2, &length);
    if (length > size)
        return tutti__usage(L, 1, "tutti.buffer: %I bytes of contents do not fit into a buffer of %I",
                            (LUAI_UACINT)length, (LUAI_UACINT)size);
    if (size > BUFFER_BYTES_MAX)
        return tutti__usage(L, 1, "tutti.buffer: %s bytes are more than a buffer can have (64 TiB)",
                            luaL_tolstring(L, 1, NULL));
    struct tutti__bytes *bytes = tutti__bytes_new((size_t)size);
    if (bytes == NULL)
        return luaL_error(L, "not enough memory for a buffer of %I bytes", (LUAI_UACINT)size);
    if (length > 0)
        store(bytes->data, (const uint8_t *)start, length);
    tutti__bytes_push(L, tutti__lua_of(L), bytes); /* an error here loses it, and memory is out anyhow */
    tutti__bytes_unref(bytes);
    return 1;
}

/* #buffer, in bytes   [-1, +1, v] */
static int l_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check(L)->size);
    return 1;
}

static int l_tostring(lua_State *L)
{
    lua_pushfstring(L, "buffer of %I bytes", (LUAI_UACINT)check(L)->size);
    return 1;
}

/* buffer:string([from, to]) -> a copy of those bytes, positions as in string.sub   [-3, +1, v] */
static int l_string(lua_State *L)
{
    luaL_Buffer text;
    const struct tutti__bytes *bytes = check(L);
    struct range range = check_range(L, 2, bytes->size, "buffer:string");
    uint8_t *room = (uint8_t *)luaL_buffinitsize(L, &text, range.count);
    load(room, bytes->data + range.from, range.count);
    luaL_pushresultsize(&text, range.count);
    return 1;
}

/* buffer:copy(at, source, [from, to]): the bytes of a string or a buffer go to position `at` and on
   [-5, +0, v] */
static int l_copy(lua_State *L)
{
    struct tutti__bytes *bytes = check(L);
    const struct tutti__bytes *other = tutti__bytes_test(L, 3);
    lua_Integer at = check_position(L, 2, 0, "buffer:copy");
    if (other == NULL && lua_type(L, 3) != LUA_TSTRING)
        return tutti__usage(L, 1, "buffer:copy: a string or a buffer was expected, got %s",
                            luaL_typename(L, 3));
    size_t size = other != NULL ? other->size : lua_rawlen(L, 3);
    struct range range = check_range(L, 4, size, "buffer:copy");
    if (at < 1 || (lua_Unsigned)at - 1 > bytes->size || range.count > bytes->size - (size_t)(at - 1))
        return tutti__usage(L, 1, "buffer:copy: %I bytes to position %I do not fit into a buffer of %I",
                            (LUAI_UACINT)range.count, (LUAI_UACINT)at, (LUAI_UACINT)bytes->size);
    uint8_t *to = bytes->data + (at - 1);
    if (other != NULL)
        move(to, other->data + range.from, range.count);
    else
        store(to, (const uint8_t *)lua_tostring(L, 3) + range.from, range.count);
    return 0;
}

/* core.shared_type(value) -> "buffer" | "view" | nil   [-1, +1, -] */
static int l_shared_type(lua_State *L)
{
    if (tutti__bytes_test(L, 1) != NULL)
        lua_pushliteral(L, "buffer");
    else if (tutti__view_test(L, 1) != NULL)
        lua_pushliteral(L, "view");
    else
        lua_pushnil(L);
    return 1;
}

const luaL_Reg tutti__bytes_functions[] = {
    { "buffer", l_buffer },
    { "shared_type", l_shared_type },
    { NULL, NULL },
};

const luaL_Reg tutti__bytes_methods[] = {
    { "string", l_string }, { "copy", l_copy },           { "view", tutti__view_new },
    { "__len", l_len },     { "__tostring", l_tostring }, { "__gc", l_collect },
    { NULL, NULL },
};
