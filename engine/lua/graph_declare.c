/* SPDX-License-Identifier: MIT */
/*
 * graph_declare.c - see graph_plan.h: g:task with a function and no option but `needs`.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: nothing has changed when the call is left to the Lua half.
 */
#include "lua/graph_plan.h"

#include "lua/graph_store.h"
#include "lua/place.h"

/* Upvalues of g:task: the state, what graph.lua gave, and names of fields, which as C strings cost more. */
enum { UV_LUA = 1, UV_META, UV_SLOWLY, UV_STORE_META, UV_STORE, UV_NEEDS, UV_MAX = UV_NEEDS };

/* Its arguments (with options the function is the fourth), and what is laid on them. */
enum { ARG_GRAPH = 1, ARG_NAME, ARG_OPTIONS, ARG_FUNCTION, ARG_STORE, ARG_NUMBERS, ARG_NEEDS };

enum { NEEDS_FEW = 16 }; /* that many are compared with each other for duplicates */

static bool is_plain_name(lua_State *L, int index)
{
    size_t length = 0;
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    const char *name = lua_tolstring(L, index, &length);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == '\177')
            return false;
    }
    return length > 0;
}

static bool is_plain_table(lua_State *L, int index)
{
    if (!lua_istable(L, index))
        return false;
    bool is_plain = lua_getmetatable(L, index) == 0;
    lua_settop(L, is_plain ? -1 : -2);
    return is_plain;
}

/* The options are none, or `needs` alone: push that, or nil. */
static bool read_options(lua_State *L, bool has_options)
{
    if (!has_options) {
        lua_pushnil(L);
        return true;
    }
    if (!is_plain_table(L, ARG_OPTIONS))
        return false;
    lua_pushnil(L);
    if (lua_next(L, ARG_OPTIONS) == 0) {
        lua_pushnil(L);
        return true;
    }
    lua_insert(L, -2); /* the value below its key */
    bool is_needs = lua_rawequal(L, -1, lua_upvalueindex(UV_NEEDS)) != 0;
    return is_needs && lua_next(L, ARG_OPTIONS) == 0;
}

/* Pop the name of a need: its number as the store has it; 0: that is no name. */
static int32_t read_need(lua_State *L, struct tutti__graph_store *store)
{
    lua_pushvalue(L, -1);
    lua_rawget(L, ARG_NUMBERS);
    int32_t number = (int32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (number == 0 && is_plain_name(L, -1))
        return tutti__graph_store_find(L, store, ARG_STORE);
    lua_pop(L, 1);
    return number;
}

/* Whether a list of `count` elements has no other keys; those may come in any order. */
static bool has_keys(lua_State *L, int index, lua_Integer count)
{
    lua_Integer found = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        if (++found > count) {
            lua_pop(L, 1);
            return false;
        }
    }
    return true;
}

/* Read the needs to where the store has room: how many, or -1. */
static int32_t read_needs(lua_State *L, struct tutti__graph_store *store)
{
    if (lua_isnil(L, ARG_NEEDS)) {
        tutti__graph_store_grow(L, store, ARG_STORE, 0);
        return 0;
    }
    if (!is_plain_table(L, ARG_NEEDS))
        return -1;
    lua_Integer count = (lua_Integer)lua_rawlen(L, ARG_NEEDS);
    if (count == 0 || count > NEEDS_FEW)
        return -1; /* also the wrong keys of a list without elements */
    tutti__graph_store_grow(L, store, ARG_STORE, (lua_Unsigned)count);
    int32_t *needs = store->needs + store->used;
    for (int32_t i = 0; i < count; i++) {
        lua_rawgeti(L, ARG_NEEDS, i + 1);
        int32_t need = read_need(L, store);
        if (need == 0)
            return -1;
        for (int32_t k = 0; k < i; k++) {
            if (needs[k] == need)
                return -1;
        }
        needs[i] = need;
    }
    return has_keys(L, ARG_NEEDS, count) ? (int32_t)count : -1;
}

/* Lay the store and its list of names behind the arguments. */
static struct tutti__graph_store *push_store(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(UV_STORE));
    lua_rawget(L, ARG_GRAPH);
    struct tutti__graph_store *store = (struct tutti__graph_store *)lua_touserdata(L, ARG_STORE);
    if (store == NULL || lua_getmetatable(L, ARG_STORE) == 0)
        return NULL;
    bool is_store = lua_rawequal(L, -1, lua_upvalueindex(UV_STORE_META)) != 0;
    lua_settop(L, ARG_STORE);
    if (!is_store)
        return NULL;
    lua_getiuservalue(L, ARG_STORE, STORE_NUMBERS);
    return store;
}

/* Is all of the call plain? Then its needs lie in the store, which is returned. */
static struct tutti__graph_store *read_call(lua_State *L, int given, int32_t *needs_count)
{
    if (given < ARG_OPTIONS || given > ARG_FUNCTION || !lua_isfunction(L, given)
        || !is_plain_name(L, ARG_NAME) || lua_getmetatable(L, ARG_GRAPH) == 0)
        return NULL;
    bool is_graph = lua_rawequal(L, -1, lua_upvalueindex(UV_META)) != 0;
    if (!is_graph)
        return NULL;
    lua_settop(L, given);
    lua_settop(L, ARG_FUNCTION);
    struct tutti__graph_store *store = push_store(L);
    if (store == NULL)
        return NULL;
    lua_pushvalue(L, ARG_NAME);
    if (lua_rawget(L, ARG_NUMBERS) != LUA_TNIL)
        return NULL; /* there is one already */
    lua_pop(L, 1);
    if (!read_options(L, given == ARG_FUNCTION))
        return NULL;
    *needs_count = read_needs(L, store);
    return *needs_count >= 0 ? store : NULL;
}

/* g:task(name, [options,] f) -> g   [-n, +1, v] */
static int l_task(lua_State *L)
{
    int given = lua_gettop(L);
    int32_t needs_count = 0;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    struct tutti__graph_store *store = read_call(L, given, &needs_count);
    if (store == NULL) {
        lua_settop(L, given);
        lua_pushvalue(L, lua_upvalueindex(UV_SLOWLY));
        lua_insert(L, 1);
        lua_call(L, given, 1);
        return 1;
    }
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__graph_node node = { 0 };
    int level = tutti__place_push(L, lua, 1);
    node.line = tutti__graph_store_line(L, store, ARG_STORE);
    (void)tutti__place_push(L, lua, level);
    node.caller = tutti__graph_store_line(L, store, ARG_STORE);
    lua_pushvalue(L, ARG_NAME);
    lua_pushvalue(L, given);
    tutti__graph_store_add(L, store, ARG_STORE, node, needs_count);
    lua_settop(L, ARG_GRAPH);
    return 1;
}

/* core.graph_task(meta, slowly, store) -> the method g:task, which leaves to slowly(...) what is more than a
   function with `needs`; `store` is any   [-3, +1, m] */
static int l_graph_task(lua_State *L)
{
    lua_settop(L, 3);
    tutti__graph_store_check(L, 3);
    lua_getmetatable(L, 3);
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(UV_LUA));
    lua_insert(L, 1);
    lua_pushliteral(L, "store");
    lua_pushliteral(L, "needs");
    lua_pushcclosure(L, l_task, UV_MAX);
    return 1;
}

const luaL_Reg tutti__graph_declare_functions[] = {
    { "graph_task", l_graph_task },
    { NULL, NULL },
};
