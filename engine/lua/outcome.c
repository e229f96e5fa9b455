/* SPDX-License-Identifier: MIT */
/*
 * outcome.c - the errors of children, put together for their owner: which count, and the one error that
 * says them all.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: an error object that others may have seen is never changed; a copy carries what is added.
 */
#include "lua/scope.h"

/* Does the failure of `child` count for its owner at the owner's end? What somebody has awaited is
 * theirs, but in a scope that ends with its first failure awaiting only observes. */
static bool counts(const struct tutti__record *owner, const struct tutti__record *child)
{
    if (child->kind != RECORD_GATHER && tutti__scope_is_strict(owner))
        return true;
    return !tutti__record_is_observed(child);
}

/* Append the error on top to the list at `list` unless it is there already; pops it. `seen` is the index
 * of a table of those that are. */
static void append_once(lua_State *L, int list, int seen)
{
    lua_pushvalue(L, -1);
    if (lua_rawget(L, seen) != LUA_TNIL) {
        lua_pop(L, 2);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen);
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

void tutti__outcome_failures(lua_State *L, struct tutti__record *record, int index)
{
    tutti__record_get_extra(L, index, EXTRA_FAILED);
    if (!lua_istable(L, -1))
        return;
    int failed = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, failed); i++) {
        lua_rawgeti(L, failed, i);
        const struct tutti__record *child = tutti__record_test(L, record->lua, -1);
        if (child != NULL && counts(record, child)) {
            tutti__record_push_error(L, -1);
            append_once(L, failed + 1, failed + 2);
        } else if (child == NULL) { /* the error itself, handed on by a scope that has ended */
            lua_pushvalue(L, -1);
            append_once(L, failed + 1, failed + 2);
        }
        lua_pop(L, 1);
    }
    lua_settop(L, failed + 1);
    lua_remove(L, failed);
    if (lua_rawlen(L, -1) == 0) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

void tutti__outcome_leave(lua_State *L, struct tutti__record *owner)
{
    int value = lua_gettop(L);
    tutti__record_push(L, owner);
    tutti__record_get_extra(L, value + 1, EXTRA_FAILED);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        tutti__record_set_extra(L, value + 1, EXTRA_FAILED);
    }
    lua_pushvalue(L, value);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    owner->flags |= RECORD_ANSWERS;
    lua_settop(L, value - 1);
}

/* Push the first error of the list that is no group itself: groups in groups are named by what began. */
static void push_first_leaf(lua_State *L, int errors)
{
    lua_rawgeti(L, errors, 1);
    for (;;) {
        tutti__error_get(L, -1, "errors");
        bool is_leaf = !lua_istable(L, -1);
        if (!is_leaf)
            lua_rawgeti(L, -1, 1);
        if (is_leaf || !tutti__error_is(L, -1)) {
            lua_pop(L, is_leaf ? 1 : 2);
            return;
        }
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
}

void tutti__outcome_group(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *current = lua->current;
    int errors = lua_gettop(L);
    push_first_leaf(L, errors);
    tutti__error_get(L, -1, "message");
    int count = (int)lua_rawlen(L, errors);
    lua->current = record;
    tutti__error_push(L, lua, "group", count == 1 ? "%d task failed: %s" : "%d tasks failed, first: %s",
                      count, luaL_tolstring(L, -1, NULL));
    lua->current = current;
    lua_pushvalue(L, errors);
    tutti__error_set(L, -2, "errors");
    lua_replace(L, errors);
    lua_settop(L, errors);
}

/* Drop from the list on top what is the error at `error` itself: it is told once. Pops an empty list and
 * returns false. */
static bool drop_itself(lua_State *L, int error)
{
    int list = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    lua_newtable(L);
    lua_Integer kept = 0;
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        if (lua_rawequal(L, -1, error))
            lua_pop(L, 1);
        else
            lua_rawseti(L, list + 1, ++kept);
    }
    lua_remove(L, list);
    if (kept == 0)
        lua_pop(L, 1);
    return kept > 0;
}

void tutti__outcome_add(lua_State *L)
{
    int error = lua_gettop(L) - 1;
    if (!drop_itself(L, error))
        return;
    tutti__error_copy(L, error);
    tutti__error_get(L, error, "errors");
    if (lua_istable(L, -1)) { /* it has a list already: that one comes last, as one of them */
        lua_pop(L, 1);
        lua_pushvalue(L, error);
        lua_rawseti(L, error + 1, (lua_Integer)lua_rawlen(L, error + 1) + 1);
    } else {
        lua_pop(L, 1);
    }
    lua_pushvalue(L, error + 1);
    tutti__error_set(L, error + 2, "errors");
    lua_replace(L, error);
    lua_settop(L, error);
}
