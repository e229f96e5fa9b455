/* SPDX-License-Identifier: MIT */
/*
 * cancellation.c - see cancellation.h.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: an error object has a table of fields, or it is one of these with all of its facts.
 */
#include "lua/cancellation.h"

#include "lua/traceback.h"

/* User values. The first is that of all error objects; it is nil as long as nobody has read the object. */
enum { UV_FIELDS = 1, UV_NAME, UV_REASON, UV_STACK, FACTS = UV_STACK };

/* What it tells of the task, apart from its name. */
struct fact {
    uint64_t id;
    uint32_t source; /* as in struct tutti__record */
    int32_t line;
    bool has_task;
};

void tutti__cancellation_push(lua_State *L, struct tutti__record *record, const char *reason)
{
    struct fact *fact = (struct fact *)lua_newuserdatauv(L, sizeof *fact, FACTS);
    *fact = (struct fact){ .id = tutti__record_id(record), .source = record->source,
                           .line = record->line, .has_task = record->slot != 0 };
    luaL_setmetatable(L, "tutti.error");
    if ((record->flags & RECORD_NAMED) != 0 && record->slot != 0) {
        tutti__record_push(L, record);
        (void)tutti__record_get_name(L, -1);
        lua_setiuservalue(L, -3, UV_NAME);
        lua_pop(L, 1);
    }
    if (reason != NULL) {
        lua_pushstring(L, reason);
        lua_setiuservalue(L, -2, UV_REASON);
    }
}

/* The fields are on top: set one from a user value of the object, unless that is nil. */
static void set_from(lua_State *L, int object, int value, const char *field)
{
    if (lua_getiuservalue(L, object, value) == LUA_TNIL)
        lua_pop(L, 1);
    else
        lua_setfield(L, -2, field);
}

static void set_message(lua_State *L, int object)
{
    if (lua_getiuservalue(L, object, UV_REASON) == LUA_TNIL)
        lua_pushliteral(L, "cancelled");
    else
        lua_pushfstring(L, "cancelled: %s", lua_tostring(L, -1));
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
}

static void set_task(lua_State *L, int object, const struct fact *fact)
{
    if (!fact->has_task)
        return;
    tutti__record_push_place_of(L, tutti__lua_find(L), fact->source, fact->line, fact->id);
    if (fact->source != 0) {
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "started");
    }
    lua_setfield(L, -2, "task");
    set_from(L, object, UV_NAME, "task");
}

void tutti__cancellation_fields(lua_State *L, int index)
{
    int object = lua_absindex(L, index);
    luaL_checkstack(L, 8, "to read an error");
    lua_createtable(L, 0, 8);
    lua_pushliteral(L, "cancelled");
    lua_setfield(L, -2, "kind");
    set_message(L, object);
    set_task(L, object, (const struct fact *)lua_touserdata(L, object));
    set_from(L, object, UV_REASON, "reason");
    set_from(L, object, UV_STACK, "stack");
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, object, UV_FIELDS);
    for (int value = UV_FIELDS + 1; value <= FACTS; value++) {
        lua_pushnil(L);
        lua_setiuservalue(L, object, value);
    }
}

bool tutti__cancellation_rises(lua_State *L, struct tutti__lua *lua)
{
    bool is_new = tutti__error_is(L, 1) && lua_getiuservalue(L, 1, UV_FIELDS) == LUA_TNIL
        && lua_getiuservalue(L, 1, UV_STACK) == LUA_TNIL;
    lua_settop(L, 1);
    if (!is_new)
        return false;
    tutti__traceback(L, lua, 1);
    lua_setiuservalue(L, 1, UV_STACK);
    return true;
}
