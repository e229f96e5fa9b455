/* SPDX-License-Identifier: MIT */
/*
 * error.c - error objects: one immutable userdata for all who see it in a state.
 *
 * The fields live in a table in the object's user value, which no script can reach; formatting is done
 * by lua/tutti/errors.lua.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/cancellation.h"
#include "lua/place.h"
#include "lua/traceback.h"

#include <stdarg.h>
#include <string.h>

/* How many "awaited by" lines an error collects on its way up. */
enum { AWAITED_MAX = 16 };

bool tutti__error_is(lua_State *L, int index)
{
    return luaL_testudata(L, index, "tutti.error") != NULL;
}

/* Push a new error object and leave its field table on top of it. */
static void new_object(lua_State *L, const char *kind)
{
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, "tutti.error");
    lua_createtable(L, 0, 5);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, 1);
}

static void set_task(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = lua->current;
    if (record == NULL || record->slot == 0)
        return;
    tutti__record_push_place(L, record);
    if (record->source != 0) {
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "started");
    }
    if ((record->flags & RECORD_NAMED) != 0) {
        tutti__record_push(L, record);
        tutti__record_push_name(L, record, -1);
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    lua_setfield(L, -2, "task");
}

/* As luaL_where, but a frame of the Lua half or of C (a pcall) stands for its caller: the message is
 * about a line of the script. (A tail call of a C function leaves the calling frame in place.) */
static void push_where(lua_State *L, int level)
{
    lua_Debug ar;
    while (lua_getstack(L, level, &ar) && lua_getinfo(L, "S", &ar) &&
           (ar.what[0] == 'C' || strncmp(ar.source, "@tutti/", strlen("@tutti/")) == 0))
        level++;
    luaL_where(L, level);
}

void tutti__error_push(lua_State *L, struct tutti__lua *lua, const char *kind, const char *format, ...)
{
    va_list args;
    new_object(L, kind);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_setfield(L, -2, "message");
    set_task(L, lua);
    (void)tutti__place_push(L, lua, 1); /* a script that catches it by pcall gets no traceback, but this */
    lua_setfield(L, -2, "place");
    lua_pop(L, 1);
}

void tutti__error_fields(lua_State *L, int index)
{
    if (lua_getiuservalue(L, index, 1) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    tutti__cancellation_fields(L, index);
}

void tutti__error_set(lua_State *L, int index, const char *field)
{
    tutti__error_fields(L, index);
    lua_insert(L, -2);
    lua_setfield(L, -2, field);
    lua_pop(L, 1);
}

void tutti__error_copy(lua_State *L, int index)
{
    new_object(L, "error");
    tutti__error_fields(L, index);
    for (lua_pushnil(L); lua_next(L, -2) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 2);
}

void tutti__error_get(lua_State *L, int index, const char *field)
{
    tutti__error_fields(L, index);
    lua_getfield(L, -1, field);
    lua_remove(L, -2);
}

int tutti__usage(lua_State *L, int level, const char *format, ...)
{
    va_list args;
    struct tutti__lua *lua = tutti__lua_find(L);
    new_object(L, "usage");
    push_where(L, level);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    lua_setfield(L, -2, "message");
    set_task(L, lua);
    lua_pop(L, 1);
    return lua_error(L);
}

/* ---- what was raised ---------------------------------------------------------------------- */

static int call_tostring(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Push a text for the value at `index`, whatever it is: its __tostring may fail. */
static void push_text(lua_State *L, int index)
{
    lua_pushcfunction(L, call_tostring);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return;
    lua_pop(L, 1);
    lua_pushfstring(L, "(a %s value whose __tostring failed)", luaL_typename(L, index));
}

/* describe(value) of the Lua half, which a script that needs no tutti has not loaded.   [-1, +1, e] */
static int call_describe(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    tutti__lua_helper(L, lua, "describe");
    if (lua_isnil(L, -1)) {
        lua_getglobal(L, "require");
        lua_pushliteral(L, "tutti.describe");
        lua_call(L, 1, 0);
        lua_pop(L, 1);
        tutti__lua_helper(L, lua, "describe");
    }
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* The message for what was raised: of other values than strings the Lua half says what they hold. */
static void push_message(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        lua_pushvalue(L, index);
        return;
    }
    lua_pushcfunction(L, call_describe);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
        return;
    lua_pop(L, 1);
    push_text(L, index);
}

/* core.text_of(value) -> string | nil: as tostring, but nil if that fails   [-1, +1, m] */
static int l_text_of(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushcfunction(L, call_tostring);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        lua_pushnil(L);
    return 1;
}

const luaL_Reg tutti__error_functions[] = {
    { "text_of", l_text_of },
    { NULL, NULL },
};

void tutti__error_wrap(lua_State *L, struct tutti__lua *lua, struct tutti__record *record)
{
    if (tutti__error_is(L, -1))
        return;
    new_object(L, "error"); /* value, object, fields */
    push_message(L, -3);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "value");
    struct tutti__record *current = lua->current;
    lua->current = record;
    set_task(L, lua);
    lua->current = current;
    lua_pop(L, 1);
    lua_remove(L, -2);
}

/* An error that another task began passes through this one: say where it was awaited, and by whom. */
static void note_awaited(lua_State *L, struct tutti__lua *lua)
{
    tutti__error_get(L, 1, "awaited");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        tutti__error_set(L, 1, "awaited");
    }
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    if (count < AWAITED_MAX) {
        lua_createtable(L, 0, 3);
        luaL_traceback(L, L, NULL, 1);
        lua_setfield(L, -2, "stack");
        set_task(L, lua);
        lua_rawseti(L, -2, count + 1);
    }
    lua_pop(L, 1);
}

int tutti__error_handler(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    lua_settop(L, 1);
    if (tutti__cancellation_rises(L, lua))
        return 1;
    if (tutti__error_is(L, 1)) {
        tutti__error_get(L, 1, "stack");
        bool is_new = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (is_new) {
            luaL_traceback(L, L, NULL, 1);
            tutti__error_set(L, 1, "stack");
        } else {
            note_awaited(L, lua);
        }
        return 1;
    }
    tutti__error_wrap(L, lua, lua->current);
    luaL_traceback(L, L, NULL, 1);
    tutti__error_set(L, 1, "stack");
    return 1;
}
