/* SPDX-License-Identifier: MIT */
/*
 * fuzz_value.c - the decoder of values, fed with anything (libFuzzer; see tests/fuzz/README.md).
 *
 * Bytes either raise an error or are values; values must then encode and decode again to as many.
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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "value/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static int fuzz_decode_raw(lua_State *L)
{
    const struct fuzz_input *in = lua_touserdata(L, 1);
    return tutti__value_decode_raw(L, in->data, in->size);
}

static int fuzz_decode(lua_State *L)
{
    return tutti__value_decode(L, lua_touserdata(L, 1), NULL);
}

static void fuzz_require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_value: %s\n", what);
        abort();
    }
}

static lua_State *fuzz_state(void)
{
    static lua_State *L;
    if (L == NULL) {
        L = luaL_newstate();
        fuzz_require(L != NULL, "no memory for a Lua state");
        luaL_openlibs(L);
    }
    return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = fuzz_state();
    struct fuzz_input in = {.data = data, .size = size};
    lua_settop(L, 0);
    lua_pushcfunction(L, fuzz_decode_raw);
    lua_pushlightuserdata(L, &in);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) == LUA_OK) {
        int count = lua_gettop(L);
        struct tutti__buffer *b = NULL;
        char err[300];
        int rc = tutti__value_encode(L, 1, count, NULL, &b, err, sizeof err);
        fuzz_require(rc == TUTTI__VALUE_OK, err);
        lua_settop(L, 0);
        lua_pushcfunction(L, fuzz_decode);
        lua_pushlightuserdata(L, b);
        rc = lua_pcall(L, 1, LUA_MULTRET, 0);
        fuzz_require(rc == LUA_OK, "what was encoded does not decode");
        fuzz_require(lua_gettop(L) == count, "another number of values");
        tutti__buffer_unref(b);
    }
    lua_settop(L, 0);
    return 0;
}
