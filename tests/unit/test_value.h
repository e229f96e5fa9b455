/* SPDX-License-Identifier: MIT */
/*
 * test_value.h - two Lua states and the codec between them, for the test_value_* programs.
 *
 * Snippets of Lua make values in the state `from` and look at them in the state `to`. Handles are
 * counted C structs behind a userdata with the metatable "test.handle".
 *
 * Layer: tests only.
 */
#ifndef TUTTI_TESTS_UNIT_TEST_VALUE_H
#define TUTTI_TESTS_UNIT_TEST_VALUE_H

#include "support/tap.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/alloc.h"
#include "value/codec.h"

/* A shared object: only its count matters. */
struct test_handle {
    int refs;
    int number;
};

struct test_pair {
    lua_State *from;
    lua_State *to;
    struct tutti__encode_opts encode;
    struct tutti__decode_opts decode;
    char err[512];
};

static void test_push_handle(lua_State *L, struct test_handle *h)
{
    struct test_handle **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = h;
    luaL_setmetatable(L, "test.handle");
}

static int test_handle_encode(lua_State *L, int index, uint8_t *kind, void **object,
                              const char **why, void *user)
{
    (void)user;
    struct test_handle **box = luaL_testudata(L, index, "test.handle");
    if (box == NULL) {
        return 0;
    }
    if ((*box)->number < 0) {
        *why = "this handle stays at home";
        return -1;
    }
    (*box)->refs++;
    *kind = 7;
    *object = *box;
    return 1;
}

static void test_handle_decode(lua_State *L, uint8_t kind, void *object, void *user)
{
    (void)user;
    if (kind != 7) {
        luaL_error(L, "wrong kind of handle: %d", kind);
    }
    test_push_handle(L, object);
}

static void test_handle_ref(uint8_t kind, void *object)
{
    (void)kind;
    ((struct test_handle *)object)->refs++;
}

static void test_handle_drop(uint8_t kind, void *object)
{
    (void)kind;
    ((struct test_handle *)object)->refs--;
}

/* A box is a userdata with the metatable "test.box" and one user value, its content. */
static uint8_t test_box_kind(lua_State *L, int index, void *user)
{
    (void)user;
    return luaL_testudata(L, index, "test.box") != NULL ? 9 : 0;
}

static void test_box_push(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_getiuservalue(L, index, 1);
}

static void test_box_make(lua_State *L, uint8_t kind, void *user)
{
    (void)user;
    if (kind != 9) {
        luaL_error(L, "wrong kind of box: %d", kind);
    }
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, "test.box");
}

static void test_box_fill(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_setiuservalue(L, index, 1);
}

static const struct tutti__value_ops test_ops = {
    .handle_encode = test_handle_encode,
    .handle_decode = test_handle_decode,
    .handle_ref = test_handle_ref,
    .handle_drop = test_handle_drop,
    .box_kind = test_box_kind,
    .box_push = test_box_push,
    .box_make = test_box_make,
    .box_fill = test_box_fill,
};

/* handle:number() */
static int test_handle_number(lua_State *L)
{
    struct test_handle **box = luaL_checkudata(L, 1, "test.handle");
    lua_pushinteger(L, (*box)->number);
    return 1;
}

/* box(content), in every test state; content of a box: unbox(b) */
static int test_box(lua_State *L)
{
    test_box_make(L, 9, NULL);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

static int test_unbox(lua_State *L)
{
    luaL_checkudata(L, 1, "test.box");
    lua_getiuservalue(L, 1, 1);
    return 1;
}

/* setbox(b, content): so that a box can hold itself */
static int test_setbox(lua_State *L)
{
    luaL_checkudata(L, 1, "test.box");
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static lua_State *test_state(void)
{
    lua_State *L = luaL_newstate();
    REQUIRE(L != NULL, "a Lua state");
    luaL_openlibs(L);
    luaL_newmetatable(L, "test.handle");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, test_handle_number);
    lua_setfield(L, -2, "number");
    lua_setfield(L, -2, "__index");
    luaL_newmetatable(L, "test.box");
    lua_pop(L, 2);
    lua_register(L, "box", test_box);
    lua_register(L, "unbox", test_unbox);
    lua_register(L, "setbox", test_setbox);
    return L;
}

static void test_open(struct test_pair *p)
{
    memset(p, 0, sizeof *p);
    p->from = test_state();
    p->to = test_state();
    p->encode.ops = &test_ops;
    p->encode.label = "argument";
    p->decode.ops = &test_ops;
}

static void test_close(struct test_pair *p)
{
    lua_close(p->from);
    lua_close(p->to);
}

/* Run `text` with the values above `args` as `...`; they are popped. False: an error is on top. */
static bool test_run(lua_State *L, const char *text, int args)
{
    if (luaL_loadbufferx(L, text, strlen(text), "@snippet.lua", "t") != LUA_OK) {
        return false;
    }
    lua_insert(L, args + 1);
    return lua_pcall(L, lua_gettop(L) - args - 1, LUA_MULTRET, 0) == LUA_OK;
}

static int test_decode_protected(lua_State *L)
{
    struct tutti__buffer *b = lua_touserdata(L, 1);
    const struct tutti__decode_opts *opts = lua_touserdata(L, 2);
    return tutti__value_decode(L, b, opts);
}

/* Decode into `to`; its stack then holds just the values, or the error. */
TAP__UNUSED static bool test_decode(struct test_pair *p, struct tutti__buffer *b)
{
    lua_State *L = p->to;
    lua_settop(L, 0);
    lua_pushcfunction(L, test_decode_protected);
    lua_pushlightuserdata(L, b);
    lua_pushlightuserdata(L, &p->decode);
    return lua_pcall(L, 2, LUA_MULTRET, 0) == LUA_OK;
}

/* Encode what `make` returns. NULL: refused, p->err says why. */
TAP__UNUSED static struct tutti__buffer *test_encode(struct test_pair *p, const char *make)
{
    struct tutti__buffer *b = NULL;
    lua_State *L = p->from;
    lua_settop(L, 0);
    p->err[0] = '\0';
    if (!test_run(L, make, 0)) {
        snprintf(p->err, sizeof p->err, "snippet: %s", lua_tostring(L, -1));
        return NULL;
    }
    int count = lua_gettop(L);
    int rc = tutti__value_encode(L, 1, count, &p->encode, &b, p->err, sizeof p->err);
    OK(lua_gettop(L) == count, "encoding leaves the stack as it was");
    OK((rc == TUTTI__VALUE_OK) == (b != NULL), "a buffer or an error (%d)", rc);
    return b;
}

/* Carry what `make` returns over and run `look` on it, which raises when something is wrong. */
TAP__UNUSED static bool test_carry(struct test_pair *p, const char *name, const char *make,
                                   const char *look)
{
    struct tutti__buffer *b = test_encode(p, make);
    if (b == NULL) {
        return FAIL("%s: %s", name, p->err);
    }
    bool pass = test_decode(p, b) && test_run(p->to, look, 0);
    tutti__buffer_unref(b);
    return OK(pass, "%s%s%s", name, pass ? "" : ": ",
              pass ? "" : luaL_tolstring(p->to, -1, NULL));
}

#endif
