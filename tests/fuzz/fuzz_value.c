/* SPDX-License-Identifier: MIT */
/*
 * fuzz_value.c - the decoder of values, fed with anything (libFuzzer; see tests/fuzz/README.md).
 *
 * Bytes either raise an error or are values; values must then encode and decode again to as many. Each
 * input is tried four times: as raw bytes, as those of a message with prototypes, handles and boxes
 * (names too; there is nothing that `require` could load), as those of a plain message and of a call.
 * unit/test_value_corpus.c includes this file and replays corpus/value in every build.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iengine -Iengine/include \
 *     -I/usr/include/lua5.4 tests/fuzz/fuzz_value.c engine/value/[a-z]*.c engine/base/[a-z]*.c \
 *     -llua5.4 -lm -lpthread -o fuzz_value
 *   ./fuzz_value -max_len=4096 -timeout=1 -rss_limit_mb=512 -max_total_time=60 NEW CORPUS
 *
 * NEW is an empty folder for what is found, CORPUS is corpus/value.
 *
 * Layer: tests only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "value/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_value: %s\n", what);
        abort();
    }
}

/* ---- a layer above: one kind of handle, one kind of box ------------------------------------- */

enum { FUZZ_HANDLE = 1, FUZZ_BOX = 1 };
static char fuzz_object; /* what all handles stand for */

static void fuzz_push_userdata(lua_State *L, const char *metatable)
{
    lua_newuserdatauv(L, 0, 1);
    luaL_newmetatable(L, metatable);
    lua_setmetatable(L, -2);
}

static int fuzz_handle_encode(lua_State *L, int index, uint8_t *kind, void **object,
                              const char **why, void *user)
{
    (void)why;
    (void)user;
    *kind = FUZZ_HANDLE;
    *object = &fuzz_object;
    return luaL_testudata(L, index, "fuzz.handle") != NULL;
}

static void fuzz_handle_decode(lua_State *L, uint8_t kind, void *object, void *user)
{
    (void)user;
    fuzz_require(kind == FUZZ_HANDLE && object == &fuzz_object, "another handle");
    fuzz_push_userdata(L, "fuzz.handle");
}

static void fuzz_handle_count(uint8_t kind, void *object)
{
    fuzz_require(kind == FUZZ_HANDLE && object == &fuzz_object, "another handle is counted");
}

static uint8_t fuzz_box_kind(lua_State *L, int index, void *user)
{
    (void)user;
    return luaL_testudata(L, index, "fuzz.box") != NULL ? FUZZ_BOX : 0;
}

static void fuzz_box_push(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_getiuservalue(L, index, 1);
}

static void fuzz_box_make(lua_State *L, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    fuzz_push_userdata(L, "fuzz.box");
}

static void fuzz_box_fill(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_setiuservalue(L, index, 1);
}

static const struct tutti__value_ops fuzz_ops = {
    .handle_encode = fuzz_handle_encode,
    .handle_decode = fuzz_handle_decode,
    .handle_ref = fuzz_handle_count,
    .handle_drop = fuzz_handle_count,
    .box_kind = fuzz_box_kind,
    .box_push = fuzz_box_push,
    .box_make = fuzz_box_make,
    .box_fill = fuzz_box_fill,
};

/* ---- the state ------------------------------------------------------------------------------ */

static lua_State *fuzz_state(void)
{
    static lua_State *L;
    if (L == NULL) {
        L = luaL_newstate();
        fuzz_require(L != NULL, "no memory for a Lua state");
        luaL_openlibs(L);
        luaL_dostring(L, "package.path, package.cpath = '', ''"); /* names load no files */
    }
    return L;
}

/* A message with two prototypes and a handle, which lends its objects to bytes of any kind. */
static struct tutti__buffer *fuzz_lender(void)
{
    static struct tutti__buffer *b;
    lua_State *L = fuzz_state();
    static const struct tutti__encode_opts opts = {.ops = &fuzz_ops};
    char err[300];
    if (b == NULL) {
        int rc = luaL_dostring(L, "local n = 0 local function f(x) n = n + x return n end "
                                  "return f, function() return f end");
        fuzz_require(rc == LUA_OK, "the functions are made");
        fuzz_push_userdata(L, "fuzz.handle");
        rc = tutti__value_encode(L, 1, lua_gettop(L), &opts, &b, err, sizeof err);
        fuzz_require(rc == TUTTI__VALUE_OK && b->object_count >= 3, err);
        lua_settop(L, 0);
    }
    return b;
}

/* ---- one input ------------------------------------------------------------------------------ */

struct fuzz_input {
    const uint8_t *data;
    size_t size;
    struct tutti__buffer *buffer; /* NULL: decode the bytes as raw ones */
};

static int fuzz_decode(lua_State *L)
{
    static const struct tutti__decode_opts opts = {.ops = &fuzz_ops};
    const struct fuzz_input *in = lua_touserdata(L, 1);
    return in->buffer != NULL ? tutti__value_decode(L, in->buffer, &opts)
                              : tutti__value_decode_raw(L, in->data, in->size);
}

static int fuzz_call(lua_State *L, struct fuzz_input *in)
{
    lua_settop(L, 0);
    lua_pushcfunction(L, fuzz_decode);
    lua_pushlightuserdata(L, in);
    return lua_pcall(L, 1, LUA_MULTRET, 0);
}

/* What was decoded encodes and decodes again. Of what a name stands for not all may cross. */
static void fuzz_again(lua_State *L, bool may_refuse)
{
    static const struct tutti__encode_opts opts = {.ops = &fuzz_ops};
    int count = lua_gettop(L);
    struct fuzz_input in = {.buffer = NULL};
    char err[300];
    int rc = tutti__value_encode(L, 1, count, &opts, &in.buffer, err, sizeof err);
    if (rc == TUTTI__VALUE_REFUSED && may_refuse) {
        return;
    }
    fuzz_require(rc == TUTTI__VALUE_OK, err);
    fuzz_require(fuzz_call(L, &in) == LUA_OK, "what was encoded does not decode");
    fuzz_require(lua_gettop(L) == count, "another number of values");
    tutti__buffer_unref(in.buffer);
}

enum fuzz_form { FUZZ_ANY, FUZZ_PLAIN, FUZZ_CALL };

/* The same bytes as those of a message that has objects, or that says it is plain, or a call. */
static void fuzz_message(lua_State *L, const uint8_t *data, size_t size, enum fuzz_form form)
{
    const struct tutti__buffer *lender = fuzz_lender();
    struct tutti__buffer *b = malloc(sizeof *b + size); /* exact, so that ASan sees a read behind */
    fuzz_require(b != NULL, "no memory");
    memcpy(b, lender, sizeof *b);
    b->size = size;
    b->is_plain = form == FUZZ_PLAIN;
    b->is_call = form == FUZZ_CALL;
    if (size > 0) {
        memcpy(b->bytes, data, size);
    }
    struct fuzz_input in = {.buffer = b};
    if (fuzz_call(L, &in) == LUA_OK) {
        fuzz_again(L, true);
    }
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = fuzz_state();
    struct fuzz_input in = {.data = data, .size = size};
    if (fuzz_call(L, &in) == LUA_OK) {
        fuzz_again(L, false);
    }
    fuzz_message(L, data, size, FUZZ_ANY);
    fuzz_message(L, data, size, FUZZ_PLAIN);
    fuzz_message(L, data, size, FUZZ_CALL);
    lua_settop(L, 0);
    return 0;
}
