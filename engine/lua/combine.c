/* SPDX-License-Identifier: MIT */
/*
 * combine.c - what lua/tutti/combine.lua and attempts.lua ask of the C half.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/combine.h"

#include "lua/pool.h"

/* core.workers() -> number of threads of the pool, at least 1   [-0, +1, -] */
static int l_workers(lua_State *L)
{
    uint32_t count = tutti_engine_workers(tutti__lua_of(L)->engine);
    lua_pushinteger(L, count > 0 ? (lua_Integer)count : 1);
    return 1;
}

/* core.error_trace(value) -> error: a message handler, as every task has one   [-1, +1, m] */
static int l_error_trace(lua_State *L)
{
    return tutti__error_handler(L);
}

/* core.error_with(err, field, value) -> error: a copy with that field, since others may have seen `err`
   [-3, +1, m] */
static int l_error_with(lua_State *L)
{
    lua_settop(L, 3);
    if (!tutti__error_is(L, 1)) {
        lua_settop(L, 1);
        return 1;
    }
    tutti__error_copy(L, 1);
    lua_pushvalue(L, 3);
    tutti__error_set(L, 4, luaL_checkstring(L, 2));
    return 1;
}

/* core.error_at(err, index, [last]) -> error: says at which element of a list it rose, or from which to
 * which, unless it is the task's own cancellation, which stays what it is.   [-3, +1, m] */
static int l_error_at(lua_State *L)
{
    lua_Integer last = luaL_optinteger(L, 3, lua_tointeger(L, 2));
    lua_settop(L, 2);
    if (!tutti__error_is(L, 1) || tutti__cancel_is_due(tutti__lua_of(L))) {
        lua_settop(L, 1);
        return 1;
    }
    tutti__error_copy(L, 1);
    tutti__error_get(L, 1, "message");
    const char *message = luaL_tolstring(L, -1, NULL);
    if (last == lua_tointeger(L, 2))
        lua_pushfstring(L, "element %I: %s", (LUAI_UACINT)last, message);
    else
        lua_pushfstring(L, "elements %I to %I: %s", (LUAI_UACINT)lua_tointeger(L, 2), (LUAI_UACINT)last,
                        message);
    tutti__error_set(L, 3, "message");
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 1);
    tutti__error_set(L, 3, "path");
    lua_settop(L, 3);
    return 1;
}

/* core.check_sendable(what, f, level): raise kind `transfer` at the caller's line if the function cannot be
 * sent to another state   [-3, +0, v] */
static int l_check_sendable(lua_State *L)
{
    int level = (int)luaL_optinteger(L, 3, 1);
    lua_settop(L, 2);
    tutti__pool_check_call(L, tutti__lua_of(L), 2, level);
    return 0;
}

const luaL_Reg tutti__combine_functions[] = {
    { "workers", l_workers },
    { "error_trace", l_error_trace },
    { "error_with", l_error_with },
    { "error_at", l_error_at },
    { "check_sendable", l_check_sendable },
    { NULL, NULL },
};
