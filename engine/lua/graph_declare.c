/* SPDX-License-Identifier: MIT */
/*
 * graph_declare.c - see graph_plan.h: g:task with a function and no option but `needs`.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a node made here has the fields that lua/tutti/graph/node.lua gives it; nothing has changed
 * when the call is left to the Lua half.
 */
#include "lua/graph_plan.h"

#include "lua/place.h"

/* Upvalues of g:task: the state, what graph.lua gave, and names of fields, which as C strings cost more. */
enum {
    UV_LUA = 1, UV_META, UV_NO_NEEDS, UV_PLAIN, UV_SLOWLY,
    UV_INDEX, UV_NAME, UV_F, UV_NEEDS, UV_SPEC, UV_LINE, UV_CALLER, UV_NODES, UV_BY_NAME, UV_WHOLE_PLAN,
    UV_MAX = UV_WHOLE_PLAN
};
static const char *const fields[] = {
    "index", "name", "f", "needs", "spec", "line", "caller", "nodes", "by_name", "whole_plan"
};

/* Its arguments (with options the function is the fourth), and what is laid on them. */
enum { ARG_GRAPH = 1, ARG_NAME, ARG_OPTIONS, ARG_FUNCTION, ARG_NODES, ARG_BY_NAME, ARG_NEEDS, ARG_LISTED };

enum { NEEDS_FEW = 16 }; /* that many are compared with each other for duplicates */
enum { NODE_FIELDS = 8 }; /* room for one more than it gets here: `measured` */

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

/* Push the needs as a list of the node's own. */
static bool copy_needs(lua_State *L)
{
    if (lua_isnil(L, ARG_NEEDS)) {
        lua_pushvalue(L, lua_upvalueindex(UV_NO_NEEDS));
        return true;
    }
    if (!is_plain_table(L, ARG_NEEDS))
        return false;
    lua_Integer count = (lua_Integer)lua_rawlen(L, ARG_NEEDS);
    if (count == 0 || count > NEEDS_FEW)
        return false; /* also the wrong keys of a list without elements */
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, ARG_NEEDS, i);
        if (!is_plain_name(L, -1))
            return false;
        for (lua_Integer k = 1; k < i; k++) {
            lua_rawgeti(L, ARG_LISTED, k);
            if (lua_rawequal(L, -1, -2))
                return false;
            lua_pop(L, 1);
        }
        lua_rawseti(L, ARG_LISTED, i);
    }
    lua_pushinteger(L, count);
    return lua_next(L, ARG_NEEDS) == 0; /* nothing but 1, 2, ... count */
}

/* Is all of the call plain? Lays on the stack what is needed of it. */
static bool read_call(lua_State *L, int given)
{
    if (given < ARG_OPTIONS || given > ARG_FUNCTION || !lua_isfunction(L, given)
        || !is_plain_name(L, ARG_NAME) || lua_getmetatable(L, ARG_GRAPH) == 0)
        return false;
    bool is_graph = lua_rawequal(L, -1, lua_upvalueindex(UV_META)) != 0;
    if (!is_graph)
        return false;
    lua_settop(L, given);
    lua_settop(L, ARG_FUNCTION);
    lua_pushvalue(L, lua_upvalueindex(UV_NODES));
    lua_rawget(L, ARG_GRAPH);
    lua_pushvalue(L, lua_upvalueindex(UV_BY_NAME));
    lua_rawget(L, ARG_GRAPH);
    if (!read_options(L, given == ARG_FUNCTION) || !copy_needs(L))
        return false;
    lua_settop(L, ARG_LISTED);
    lua_pushvalue(L, ARG_NAME);
    bool is_new = lua_rawget(L, ARG_BY_NAME) == LUA_TNIL;
    lua_pop(L, 1);
    return is_new;
}

static void set(lua_State *L, int field, int index)
{
    lua_pushvalue(L, lua_upvalueindex(field));
    lua_pushvalue(L, index);
    lua_rawset(L, -3);
}

/* Push the node; its needs are in ARG_LISTED. */
static void push_node(lua_State *L, int function, lua_Integer index)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int level = tutti__place_push(L, lua, 1);
    (void)tutti__place_push(L, lua, level);
    int line = lua_gettop(L) - 1;
    lua_pushinteger(L, index);
    lua_createtable(L, 0, NODE_FIELDS);
    set(L, UV_INDEX, line + 2);
    set(L, UV_NAME, ARG_NAME);
    set(L, UV_F, function);
    set(L, UV_NEEDS, ARG_LISTED);
    set(L, UV_SPEC, lua_upvalueindex(UV_PLAIN));
    set(L, UV_LINE, line);
    set(L, UV_CALLER, line + 1);
}

/* g:task(name, [options,] f) -> g   [-n, +1, v] */
static int l_task(lua_State *L)
{
    int given = lua_gettop(L);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (!read_call(L, given)) {
        lua_settop(L, given);
        lua_pushvalue(L, lua_upvalueindex(UV_SLOWLY));
        lua_insert(L, 1);
        lua_call(L, given, 1);
        return 1;
    }
    lua_Integer index = (lua_Integer)lua_rawlen(L, ARG_NODES) + 1;
    push_node(L, given, index);
    lua_pushvalue(L, ARG_NAME);
    lua_pushvalue(L, -2);
    lua_rawset(L, ARG_BY_NAME);
    lua_rawseti(L, ARG_NODES, index);
    lua_settop(L, ARG_GRAPH);
    lua_pushvalue(L, lua_upvalueindex(UV_WHOLE_PLAN));
    lua_pushnil(L);
    lua_rawset(L, ARG_GRAPH);
    return 1;
}

/* core.graph_task(meta, no_needs, plain, slowly) -> the method g:task, which leaves to slowly(...) what is
   more than a function with `needs`   [-4, +1, m] */
static int l_graph_task(lua_State *L)
{
    lua_settop(L, UV_SLOWLY - UV_LUA);
    lua_pushvalue(L, lua_upvalueindex(UV_LUA));
    lua_insert(L, 1);
    for (int i = 0; i <= UV_MAX - UV_INDEX; i++)
        lua_pushstring(L, fields[i]);
    lua_pushcclosure(L, l_task, UV_MAX);
    return 1;
}

const luaL_Reg tutti__graph_declare_functions[] = {
    { "graph_task", l_graph_task },
    { NULL, NULL },
};
