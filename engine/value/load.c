/* SPDX-License-Identifier: MIT */
/*
 * load.c - make closures of prototypes by way of factories (see proto.h); the only place that loads
 * bytecode.
 *
 * Layer: value. Locks: none. All of it runs protected and may raise.
 * Invariant: nothing is loaded whose checksum has not just been verified, and only what lua_dump
 * wrote in this process (damaged bytecode crashes Lua).
 */
#include "value/cache.h"

#include <stdio.h>

#include <lauxlib.h>

enum {
    FACTORY_UPVALUES_MAX = 120, /* a factory has a local for each; Lua allows 200 */
    FACTORY_SOURCE_BYTES = 2048,
    PIECES_MAX = 3,
};

/* Bytes for lua_load, in pieces. */
struct pieces {
    const uint8_t *start[PIECES_MAX];
    size_t size[PIECES_MAX];
    int count;
    int next;
};

static const char *read_piece(lua_State *L, void *user, size_t *size)
{
    (void)L;
    struct pieces *p = user;
    if (p->next == p->count) {
        *size = 0;
        return NULL;
    }
    *size = p->size[p->next];
    return (const char *)p->start[p->next++];
}

static void load_pieces(lua_State *L, struct pieces *p)
{
    if (lua_load(L, read_piece, p, "=function", "b") != LUA_OK) {
        lua_error(L);
    }
}

/* Write the names a1,a2,..; returns what was written. */
static size_t write_names(char *text, size_t size, uint32_t count)
{
    size_t used = 0;
    for (uint32_t i = 1; i <= count; i++) {
        used += (size_t)snprintf(text + used, size - used, "%sa%u", i == 1 ? "" : ",", (unsigned)i);
    }
    return used;
}

/* Push a function that returns closures with `count` upvalues of their own. */
static void compile_factory(lua_State *L, uint32_t count)
{
    char text[FACTORY_SOURCE_BYTES]; /* 2 * 120 * 5 bytes of names and some words */
    size_t used = 0;
    if (count > 0) {
        used += (size_t)snprintf(text, sizeof text, "local ");
        used += write_names(text + used, sizeof text - used, count);
    }
    used += (size_t)snprintf(text + used, sizeof text - used, " return function() return ");
    used += write_names(text + used, sizeof text - used, count);
    used += (size_t)snprintf(text + used, sizeof text - used, " end");
    if (luaL_loadbufferx(L, text, used, "=factory", "t") != LUA_OK) {
        lua_error(L);
    }
}

struct dump {
    luaL_Buffer text;
    bool has_begun;
};

/* The buffer begins here, above the function: it keeps its box on the stack. */
static int add_dump(lua_State *L, const void *bytes, size_t size, void *user)
{
    struct dump *d = user;
    if (!d->has_begun) {
        d->has_begun = true;
        luaL_buffinit(L, &d->text);
    }
    luaL_addlstring(&d->text, bytes, size);
    return 0;
}

/* Push the dumped factory for `count` upvalues. Returns its bytes, valid while it is on the stack. */
static const uint8_t *push_factory_dump(lua_State *L, int cache, uint32_t count, size_t *size)
{
    lua_getiuservalue(L, cache, TUTTI__CACHE_FACTORIES);
    if (lua_rawgeti(L, -1, count) != LUA_TSTRING) {
        struct dump d = {.has_begun = false};
        lua_pop(L, 1);
        compile_factory(L, count);
        lua_dump(L, add_dump, &d, 1);
        luaL_pushresult(&d.text);
        lua_remove(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, count);
    }
    lua_remove(L, -2);
    return (const uint8_t *)lua_tolstring(L, -1, size);
}

/* Is the factory what proto.h builds upon: one nested function whose upvalues are our registers? */
static bool is_as_expected(const uint8_t *bytes, const struct tutti__chunk *chunk)
{
    return chunk->child < chunk->child_end && bytes[chunk->child - 1] == (0x80 | 1);
}

/* Push the factory for `proto`, or nothing and say no. */
static bool push_factory(lua_State *L, int cache, const struct tutti__proto *proto)
{
    size_t size;
    struct tutti__chunk chunk;
    if (!proto->can_splice || proto->upvalue_count > FACTORY_UPVALUES_MAX) {
        return false;
    }
    const uint8_t *bytes = push_factory_dump(L, cache, proto->upvalue_count, &size);
    if (!tutti__chunk_scan(bytes, size, &chunk) || !is_as_expected(bytes, &chunk)) {
        lua_pop(L, 1);
        return false;
    }
    struct pieces p = {
        .start = {bytes, proto->bytes + TUTTI__CHUNK_HEAD_BYTES, bytes + chunk.child_end},
        .size = {chunk.child, proto->size - TUTTI__CHUNK_HEAD_BYTES, size - chunk.child_end},
        .count = 3,
    };
    load_pieces(L, &p);
    lua_remove(L, -2);
    return true;
}

static void verify(lua_State *L, const struct tutti__proto *proto)
{
    if (!tutti__proto_check(proto)) {
        luaL_error(L, "damaged message: the checksum of a function does not hold");
    }
}

/* Load without a factory. lua_load sets the first upvalue to the globals, whichever it is; the
 * decoder sets or joins every upvalue, so nothing of that is left. */
static void load_plain(lua_State *L, const struct tutti__proto *proto)
{
    struct pieces p = {.start = {proto->bytes}, .size = {proto->size}, .count = 1};
    verify(L, proto);
    load_pieces(L, &p);
}

void tutti__cache_closure(lua_State *L, int cache, struct tutti__proto *proto)
{
    struct tutti__cache_entry *entry = tutti__cache_keep(L, cache, proto);
    if (lua_getiuservalue(L, -1, 1) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        verify(L, entry->proto);
        if (!push_factory(L, cache, entry->proto)) {
            load_plain(L, proto);
            lua_remove(L, -2);
            return;
        }
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, -3, 1);
    }
    lua_call(L, 0, 1);
    lua_remove(L, -2);
}
