/* SPDX-License-Identifier: MIT */
/*
 * call.c - a call of a Lua function, as a loop that starts pool tasks makes them: its code has been sent
 * before, and neither it nor its arguments have parts of their own. Its upvalues are read afresh each
 * time. It needs no frames and no map of what was seen: some bytes and one reference on the code.
 *
 * Layer: value. Locks: none.
 * Invariant: the bytes are what encode.c would have written.
 */
#include "value/call.h"

#include <string.h>

#include "value/cache.h"
#include "value/guess.h"
#include "value/plain.h"
#include "value/proto.h"
#include "value/put.h"

#ifdef TUTTI_HARD
enum { UPVALUES_MAX = 2, VALUES_MAX = 3 };
#else
enum { UPVALUES_MAX = 8, VALUES_MAX = 8 };
#endif

enum {
    PART_BYTES_MAX = 1 + TUTTI__SHORT_MAX, /* a short string */
    HEAD_BYTES = TUTTI__MESSAGE_HEAD_BYTES + 1 + sizeof(uint32_t) + 1,
    BYTES_MAX = HEAD_BYTES + (UPVALUES_MAX + VALUES_MAX) * PART_BYTES_MAX,
    STACK_SLOTS = 6,
};

/* A message that is being written. */
struct call {
    lua_State *L;
    const struct tutti__encode_opts *opts;
    bool has_globals;
    uint8_t *next;
    uint8_t bytes[BYTES_MAX];
};

/* The code of the function at the top, if that is known by object; the cache is at `at`. */
static struct tutti__proto *find_object(lua_State *L, int at)
{
    lua_getiuservalue(L, at, TUTTI__CACHE_FUNCTIONS);
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    const struct tutti__cache_entry *entry = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return entry != NULL ? entry->proto : NULL;
}

/* The same for one that is new, but made where others were. */
static struct tutti__proto *find_place(lua_State *L, int at)
{
    lua_Debug ar;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">Su", &ar);
    const struct tutti__cache_guess *guess = tutti__guess_find(lua_touserdata(L, at), &ar);
    return guess != NULL && tutti__guess_is_same(L, at, guess) ? guess->place.proto : NULL;
}

/* The code of the function at `index`, if the cache knows it. Borrowed: the cache keeps it. */
static struct tutti__proto *find_code(lua_State *L, int index)
{
    struct tutti__proto *proto = NULL;
    int at = lua_gettop(L) + 1;
    if (tutti__cache_get(L) != NULL) {
        lua_pushvalue(L, index);
        proto = find_object(L, at);
        proto = proto != NULL ? proto : find_place(L, at);
    }
    lua_settop(L, at - 1);
    return proto;
}

static bool is_globals(const struct call *c, int index)
{
    lua_State *L = c->L;
    if (c->opts->env_index != 0 && lua_rawequal(L, index, c->opts->env_index)) {
        return true;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    bool is = lua_rawequal(L, -1, index) != 0;
    lua_pop(L, 1);
    return is;
}

/* Write the value at `index`. Returns false: it is not of those that need nothing but their bytes. */
static bool put_part(struct call *c, int index)
{
    switch (lua_type(c->L, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
        break;
    case LUA_TSTRING:
        if (lua_rawlen(c->L, index) > TUTTI__SHORT_MAX) {
            return false; /* it could be in the message already */
        }
        break;
    case LUA_TTABLE:
        if (!is_globals(c, index)) {
            return false;
        }
        c->has_globals = true;
        *c->next++ = TUTTI__TAG_GLOBALS;
        return true;
    default:
        return false;
    }
    c->next = tutti__plain_put(c->L, index, c->next);
    return true;
}

/* Is the variable behind upvalue `n` one of those before? debug.upvaluejoin makes such functions. */
static bool is_joined(lua_State *L, int function, int n, const void **variables)
{
    variables[n - 1] = lua_upvalueid(L, function, n);
    for (int i = 0; i < n - 1; i++) {
        if (variables[i] == variables[n - 1]) {
            return true;
        }
    }
    return false;
}

static bool put_function(struct call *c, int index, const struct tutti__proto *proto)
{
    const void *variables[UPVALUES_MAX];
    if (proto->upvalue_count > UPVALUES_MAX) {
        return false;
    }
    *c->next++ = TUTTI__TAG_FUNCTION;
    c->next = tutti__put_u32(c->next, 0); /* the code is the message's only object */
    *c->next++ = proto->upvalue_count;
    for (int n = 1; n <= proto->upvalue_count; n++) {
        if (is_joined(c->L, index, n, variables)) {
            return false;
        }
        lua_getupvalue(c->L, index, n);
        bool was_put = put_part(c, lua_gettop(c->L));
        lua_pop(c->L, 1);
        if (!was_put) {
            return false;
        }
    }
    return true;
}

static struct tutti__buffer *seal(const struct call *c, struct tutti__proto *proto)
{
    size_t size = (size_t)(c->next - c->bytes);
    struct tutti__buffer *b = tutti__buffer_with_object(size, c->opts->ops);
    if (b == NULL) {
        return NULL;
    }
    b->is_call = true;
    b->has_globals = c->has_globals;
    memcpy(b->bytes, c->bytes, size);
    b->objects[0] = (struct tutti__object){.pointer = tutti__proto_ref(proto),
                                           .kind = TUTTI__OBJECT_PROTO};
    return b;
}

struct tutti__buffer *tutti__call_encode(lua_State *L, int first, int count,
                                         const struct tutti__encode_opts *opts, size_t bytes_max)
{
    struct call c;
    if (count < 1 || count > VALUES_MAX || bytes_max < BYTES_MAX || !lua_isfunction(L, first) ||
        lua_iscfunction(L, first) || !lua_checkstack(L, STACK_SLOTS)) {
        return NULL;
    }
    struct tutti__proto *proto = find_code(L, first);
    if (proto == NULL) {
        return NULL;
    }
    c.L = L;
    c.opts = opts;
    c.has_globals = false;
    c.next = tutti__put_u32(c.bytes, (uint32_t)count);
    if (!put_function(&c, first, proto)) {
        return NULL;
    }
    for (int i = 1; i < count; i++) {
        if (!put_part(&c, first + i)) {
            return NULL;
        }
    }
    return seal(&c, proto);
}
