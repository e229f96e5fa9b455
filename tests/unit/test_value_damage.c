/* SPDX-License-Identifier: MIT */
/*
 * test_value_damage.c - bytes that are not a message are an error, never a crash (run under ASan).
 * threads: one
 */
#include "test_value_make.h"

#include "value/proto.h"

/* A copy of a message's first `size` bytes, which may be changed; the objects are the original's. It is
 * a block of its own size, so that ASan sees a read behind it. */
static struct tutti__buffer *copy_part(const struct tutti__buffer *b, size_t size)
{
    struct tutti__buffer *copy = tutti__alloc(sizeof *copy + size);
    if (copy == NULL) {
        REQUIRE(false, "memory");
        abort();
    }
    memcpy(copy->bytes, b->bytes, size);
    copy->size = size;
    copy->is_plain = b->is_plain;
    copy->is_call = b->is_call;
    copy->ops = b->ops;
    copy->objects = b->objects;
    copy->object_count = b->object_count;
    return copy;
}

static struct tutti__buffer *copy_buffer(const struct tutti__buffer *b)
{
    return copy_part(b, b->size);
}

static struct test_handle handle = {.refs = 1, .number = 3};

static const char everything[] =
    "local n, s = 0, ('s'):rep(100) local function f() n = n + 1 return n, f end "
    "local t = { 1, -5, 300, -70000, 1 << 40, 2.5, true, false, nil, 'x', s, f, handle, "
    "  a = { s, handle }, [1.5] = string.format, g = _G } t.t = t t[{}] = 1 "
    "return t, f, function() return n end, nil, s, math";

static const char call[] =
    "if not CALL then local a, b = 300, 'text' function CALL() return a, b, math end end "
    "return CALL, nil, true, -5, 1 << 40, 'argument'";

static const char plain[] = "return nil, true, -5, 300, -70000, 1 << 40, 2.5, ('s'):rep(100)";

/* Each prefix of a message is an error; one that ends in the middle must not read on. */
static void cut_off(struct test_pair *p, const char *make)
{
    struct tutti__buffer *b = test_encode(p, make);
    REQUIRE(b != NULL, "encoded: %s", p->err);
    size_t wrong = 0;
    for (size_t size = 0; size < b->size; size++) {
        struct tutti__buffer *exact = copy_part(b, size);
        if (test_decode(p, exact) || lua_gettop(p->to) != 1 ||
            strstr(lua_tostring(p->to, -1), "damaged message") == NULL) {
            wrong++;
            NOTE("cut to %zu: %s", size, lua_gettop(p->to) ? luaL_tolstring(p->to, -1, NULL) : "");
        }
        tutti__free(exact);
    }
    EQ_UINT(wrong, 0, "cut anywhere, a message is an error");
    OK(test_decode(p, b), "whole, it is none");
    struct tutti__buffer *more = copy_buffer(b);
    more = tutti__realloc(more, sizeof *more + b->size + 1);
    more->bytes[more->size++] = TUTTI__TAG_NIL;
    OK(!test_decode(p, more) && strstr(lua_tostring(p->to, -1), "more bytes than values") != NULL,
       "one byte more is an error");
    tutti__free(more);
    tutti__buffer_unref(b);
}

/* Every single bit turned over: an error or some value, and the state is sound afterwards. */
static void flipped(struct test_pair *p, const char *make, const char *look)
{
    struct tutti__buffer *b = test_encode(p, make);
    REQUIRE(b != NULL, "encoded");
    size_t errors = 0;
    for (size_t bit = 0; bit < b->size * 8; bit++) {
        struct tutti__buffer *copy = copy_buffer(b);
        copy->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        errors += !test_decode(p, copy);
        tutti__free(copy);
    }
    lua_settop(p->to, 0);
    lua_gc(p->to, LUA_GCCOLLECT, 0);
    OK(errors > 0, "%zu of %zu turned bits were noticed", errors, b->size * 8);
    OK(test_decode(p, b) && test_run(p->to, look, 0), "and the whole message still decodes");
    tutti__buffer_unref(b);
}

enum { SAMPLES = 100 };

/* Random samples: whatever is cut off or turned over, the state does not fall with it. */
static void samples(struct test_pair *p)
{
    enum { SIZE_MAX_ = 8, BYTES_MAX = 400 };
    uint64_t random = tap_seed();
    size_t decoded = 0;
    size_t errors = 0;
    REQUIRE(test_run(p->from, test_make, 0), "the samples' code loads");
    for (int i = 0; i < SAMPLES;) {
        char make[100];
        snprintf(make, sizeof make, "return table.unpack(make(%u, %u))",
                 (unsigned)(tap_random(&random) >> 34), (unsigned)(tap_random(&random) % SIZE_MAX_));
        struct tutti__buffer *b = test_encode(p, make);
        REQUIRE(b != NULL, "%s: %s", make, p->err);
        i += b->size <= BYTES_MAX; /* larger ones take too long */
        for (size_t n = 0; b->size <= BYTES_MAX && n < b->size * 9; n++) {
            struct tutti__buffer *copy = copy_part(b, n < b->size ? n : b->size);
            if (n >= b->size) {
                size_t bit = n - b->size;
                copy->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            }
            bool pass = test_decode(p, copy);
            decoded += pass;
            errors += !pass;
            tutti__free(copy);
        }
        tutti__buffer_unref(b);
    }
    lua_settop(p->to, 0);
    lua_gc(p->to, LUA_GCCOLLECT, 0);
    OK(errors > decoded / 4 && decoded > 0, "%zu errors, %zu values", errors, decoded);
}

/* A variable that the other function does not have: Lua itself would not check. */
static void wrong_cell(struct test_pair *p)
{
    static const uint8_t numbers[] = {0, 3, 255};
    struct tutti__buffer *b = test_encode(p, "local n, m = 0, 1 "
                                          "return function() return n, m end, function() return n end");
    REQUIRE(b != NULL && b->bytes[b->size - 6] == TUTTI__TAG_CELL, "it ends in a cell");
    for (size_t i = 0; i < sizeof numbers; i++) {
        struct tutti__buffer *copy = copy_buffer(b);
        copy->bytes[copy->size - 1] = numbers[i];
        OK(!test_decode(p, copy) && strstr(lua_tostring(p->to, -1), "no such variable") != NULL,
           "upvalue %d of two", numbers[i]);
        tutti__free(copy);
    }
    tutti__buffer_unref(b);
}

/* A turned bit in code never reaches lua_load. */
static void code(struct test_pair *p)
{
    struct tutti__buffer *b =
        test_encode(p, "local up = 7 return function(a) return a + 1000003 + up end");
    REQUIRE(b != NULL && b->object_count == 1, "a function");
    struct tutti__proto *proto = b->objects[0].pointer;
    size_t missed = 0;
    for (size_t bit = 0; bit < proto->size * 8; bit++) {
        proto->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        missed += tutti__proto_check(proto);
        proto->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    EQ_UINT(missed, 0, "the checksum notices each single bit");
    proto->bytes[proto->size / 2] ^= 1;
    OK(!test_decode(p, b) && strstr(lua_tostring(p->to, -1), "checksum of a function") != NULL,
       "and such a function is not loaded");
    proto->bytes[proto->size / 2] ^= 1;
    OK(test_decode(p, b) && test_run(p->to, "assert((...)(1) == 1000011)", 0), "as the right one is");

    struct tutti__chunk chunk;
    size_t understood = 0;
    for (size_t size = 0; size < proto->size; size++) {
        uint8_t *part = tutti__alloc(size + 1);
        memcpy(part, proto->bytes, size);
        understood += tutti__chunk_scan(part, size, &chunk);
        tutti__free(part);
    }
    EQ_UINT(understood, 0, "no part of a chunk passes for a whole one");
    OK(tutti__chunk_scan(proto->bytes, proto->size, &chunk), "the whole one does");
    tutti__buffer_unref(b);
}

static int decode_raw(lua_State *L)
{
    size_t size;
    const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, 1, &size);
    return tutti__value_decode_raw(L, bytes, size);
}

struct raw_case {
    const char *name;
    const char *bytes;
    size_t size;
    const char *message; /* NULL: it is a message */
};

#define RAW(name, bytes, message) {name, bytes, sizeof(bytes) - 1, message}

static const struct raw_case raw_cases[] = {
    RAW("nothing", "", "cut off"),
    RAW("no values", "\0\0\0\0", NULL),
    RAW("half a count", "\0\0\0", "cut off"),
    RAW("more values than bytes", "\2\0\0\0\0", "more values are announced"),
    RAW("2^32 - 1 values", "\377\377\377\377\0", "too many values"),
    RAW("an unknown tag", "\1\0\0\0\x3f", "unknown tag"),
    RAW("a cell that is no upvalue", "\1\0\0\0\x0a\0\0\0\0\1", "unknown tag"),
    RAW("a string longer than what is left", "\1\0\0\0\x10\377\377\377\177x", "cut off"),
    RAW("a table of 2^32 - 1 items", "\1\0\0\0\x12\377\377\377\377\0\0\0\0\0", "announced"),
    RAW("a table of 2^32 - 1 pairs", "\1\0\0\0\x12\0\0\0\0\377\377\377\377\0", "announced"),
    RAW("an inner table that takes the outer's bytes",
        "\1\0\0\0\x12\4\0\0\0\0\0\0\0\x12\2\0\0\0\0\0\0\0\0\0\0\0", "announced"),
    RAW("a string that takes the table's bytes",
        "\1\0\0\0\x12\3\0\0\0\0\0\0\0\x42xx\x12\0\0\0\0\0\0\0\0", "announced"),
    RAW("nil as key", "\1\0\0\0\x12\0\0\0\0\1\0\0\0\0\1", "nil as a key"),
    RAW("NaN as key", "\1\0\0\0\x12\0\0\0\0\1\0\0\0\3\0\0\0\0\0\0\370\177\1", "NaN"),
    RAW("a reference to nothing", "\1\0\0\0\x09\0\0\0\0", "reference to nothing"),
    RAW("a reference forward", "\1\0\0\0\x13\2\0\0\0\0\0\0\0\x09\x12\0\0\0\x12\0\0\0\0\0\0\0\0",
        "reference to nothing"),
    RAW("a reference to itself", "\1\0\0\0\x13\1\0\0\0\0\0\0\0\x09\4\0\0\0", NULL),
    RAW("a function", "\1\0\0\0\x16\0\0\0\0\0", "unknown object"),
    RAW("a handle", "\1\0\0\0\x18\0\0\0\0", "unknown object"),
    RAW("a name", "\1\0\0\0\x1a\6\6\0\0\0string", "a name"),
    RAW("a table as metatable", "\1\0\0\0\x14\0\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0\0",
        "a metatable without a name"),
    RAW("itself as metatable", "\1\0\0\0\x15\0\0\0\0\0\0\0\0\x09\4\0\0\0",
        "a metatable without a name"),
    RAW("text", "return { 1, 2, 3 }", "too many values"),
};

static void raw_bytes(lua_State *L)
{
    for (size_t i = 0; i < sizeof raw_cases / sizeof raw_cases[0]; i++) {
        const struct raw_case *c = &raw_cases[i];
        lua_settop(L, 0);
        lua_pushcfunction(L, decode_raw);
        lua_pushlstring(L, c->bytes, c->size);
        bool pass = lua_pcall(L, 1, LUA_MULTRET, 0) == LUA_OK;
        const char *message = pass ? "a message" : lua_tostring(L, -1);
        OK(c->message == NULL ? pass : !pass && strstr(message, c->message) != NULL, "%s: %s",
           c->name, message);
    }
}

/* Tables nested without end, each claiming all that is left, must not claim it twice. */
static void bomb(lua_State *L)
{
    enum { TABLES = 7000, EACH = 9 };
    static uint8_t bytes[4 + TABLES * EACH];
    bytes[0] = 1;
    for (int i = 0; i < TABLES; i++) {
        uint8_t *at = bytes + 4 + i * EACH;
        uint32_t items = (uint32_t)((TABLES - i - 1) * EACH);
        at[0] = TUTTI__TAG_TABLE;
        memcpy(at + 1, &items, sizeof items);
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCSTOP, 0);
    int before = lua_gc(L, LUA_GCCOUNT, 0);
    lua_pushcfunction(L, decode_raw);
    lua_pushlstring(L, (const char *)bytes, sizeof bytes);
    OK(lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK, "refused");
    int used = lua_gc(L, LUA_GCCOUNT, 0) - before;
    lua_gc(L, LUA_GCRESTART, 0);
    OK(used < 80 * (int)sizeof bytes / 1024, "%d KiB for %zu bytes", used, sizeof bytes);
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    test_push_handle(p.from, &handle);
    lua_setglobal(p.from, "handle");
    cut_off(&p, everything);
    cut_off(&p, plain);
    tutti__buffer_unref(test_encode(&p, call)); /* from now on it goes the short way */
    cut_off(&p, call);
    flipped(&p, everything, "local t, f = ... assert(f() == 1 and t.t == t)");
    flipped(&p, plain, "local _, yes, five = ... assert(yes == true and five == -5)");
    flipped(&p, call, "local f, _, yes = ... assert(f() == 300 and yes == true)");
    samples(&p);
    wrong_cell(&p);
    code(&p);
    raw_bytes(p.to);
    bomb(p.to);
    test_close(&p);
    EQ_INT(handle.refs, 1, "no reference is left");
    EQ_UINT(tutti__alloc_live(), 0, "no memory either");
    return TAP_END();
}
