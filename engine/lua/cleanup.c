/* SPDX-License-Identifier: MIT */
/*
 * cleanup.c - tutti.defer: functions that run when the task or the innermost scope ends, after its
 * children, the last first, in the same coroutine.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: RECORD_DEFER is set exactly while the owner's list of functions is not empty.
 */
#include "lua/cleanup.h"

#include "lua/scope.h"
#include "lua/supervise.h"
#include "lua/waits.h"

/* Stack of the function that runs them. */
enum { AT_OWNER = 1, AT_ERRORS, AT_HANDLER };

/* tutti.defer(f)   [-1, +0, v] */
static int l_defer(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua->current == NULL)
        return tutti__usage(L, 1, "tutti.defer needs a task or a scope whose end it can wait for: call it in "
                                  "a function that was spawned, or in tutti.scope");
    if (!lua_isfunction(L, 1))
        return tutti__usage(L, 1, "tutti.defer: a function was expected, got %s", luaL_typename(L, 1));
    struct tutti__record *owner = tutti__owner(lua);
    lua_settop(L, 1);
    tutti__record_push(L, owner);
    tutti__record_get_extra(L, 2, EXTRA_DEFER);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        tutti__record_set_extra(L, 2, EXTRA_DEFER);
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    owner->flags |= RECORD_DEFER;
    return 0;
}

static struct tutti__record *owner_of(lua_State *L)
{
    return (struct tutti__record *)lua_touserdata(L, AT_OWNER);
}

/* Take the function that was deferred last; false if there is none left. */
static bool push_last(lua_State *L, struct tutti__record *owner, int index)
{
    if ((owner->flags & RECORD_DEFER) == 0)
        return false;
    tutti__record_get_extra(L, index, EXTRA_DEFER);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    lua_rawgeti(L, -1, count);
    lua_pushnil(L);
    lua_rawseti(L, -3, count);
    lua_remove(L, -2);
    if (count <= 1)
        owner->flags &= ~(uint32_t)RECORD_DEFER;
    return true;
}

/* ---- the children first ------------------------------------------------------------------- */

void tutti__cleanup_withdraw(struct tutti__record *task)
{
    struct tutti__record *owner = (struct tutti__record *)task->op;
    owner->flags &= ~(uint32_t)RECORD_JOINING;
}

static bool is_joined(lua_State *L, struct tutti__record *owner)
{
    if (owner->child_first == NULL)
        return true;
    tutti__supervise_joined(owner);
    tutti__scope_abandon_within(L, owner);
    if (tutti__cancel_is_due(owner->lua))
        tutti__cancel_children(L, owner, "the task that started it was cancelled");
    else if (tutti__record_may_end(owner))
        tutti__cancel_background(L, owner);
    return owner->child_first == NULL;
}

void tutti__cleanup_joined(struct tutti__record *owner)
{
    owner->flags &= ~(uint32_t)RECORD_JOINING;
    tutti__wait_end(owner->kind == RECORD_SCOPE ? owner->scope : owner);
}

/* ---- one after the other ------------------------------------------------------------------ */

static int run_rest(lua_State *L);

static int joined(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return run_rest(L);
}

/* One of them has ended. A live cancellation is no failure of its own. */
static void note_end(lua_State *L, int status)
{
    struct tutti__lua *lua = owner_of(L)->lua;
    if (status != LUA_OK && status != LUA_YIELD) {
        tutti__error_wrap(L, lua, lua->current); /* no handler runs when memory is out */
        if (!tutti__cancel_is_live(L, lua, lua_gettop(L)))
            lua_rawseti(L, AT_ERRORS, (lua_Integer)lua_rawlen(L, AT_ERRORS) + 1);
    }
    lua_settop(L, AT_HANDLER);
}

static int ended(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    note_end(L, status);
    return run_rest(L);
}

static int run_rest(lua_State *L)
{
    struct tutti__record *owner = owner_of(L);
    for (;;) {
        if (!is_joined(L, owner)) {
            owner->flags |= RECORD_JOINING;
            return tutti__wait(L, WAITS_FOR_JOIN, owner, 0, joined);
        }
        if (!push_last(L, owner, AT_OWNER))
            break;
        note_end(L, lua_pcallk(L, 0, 0, AT_HANDLER, 0, ended));
    }
    lua_settop(L, AT_ERRORS);
    return 1;
}

int tutti__cleanup_run(lua_State *L)
{
    lua_settop(L, 2);
    if (lua_toboolean(L, 2))
        tutti__cancel_children(L, owner_of(L), "the task that started it failed");
    lua_newtable(L);
    lua_replace(L, AT_ERRORS);
    lua_pushcfunction(L, tutti__error_handler);
    return run_rest(L);
}

void tutti__cleanup_run_now(lua_State *L, struct tutti__record *owner, int index)
{
    index = lua_absindex(L, index);
    while (push_last(L, owner, index)) {
        if (lua_pcall(L, 0, 0, 0) == LUA_OK)
            continue;
        tutti__error_wrap(L, owner->lua, owner->lua->current);
        tutti__outcome_leave(L, owner);
    }
}

bool tutti__cleanup_first_error(lua_State *L, struct tutti__record *owner, bool has_failed)
{
    int list = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    for (lua_Integer i = has_failed ? 1 : 2; i <= count; i++) {
        lua_rawgeti(L, list, i);
        tutti__outcome_leave(L, owner);
    }
    bool fails = count > 0 && !has_failed;
    if (fails)
        lua_rawgeti(L, list, 1);
    lua_remove(L, list);
    return fails;
}

const luaL_Reg tutti__cleanup_functions[] = {
    { "defer", l_defer },
    { NULL, NULL },
};
