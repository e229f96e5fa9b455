/* SPDX-License-Identifier: MIT */
/*
 * supervise.c - see supervise.h. Policy is in lua/tutti/supervisor/; here is how its loop hears of
 * the ends of children, sleeps meanwhile, and comes to own what others ask it to start.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: an end is in the parent's EXTRA_ENDED list before the parent is made ready, and a parent
 * with such a list does not go to sleep, so no end is missed.
 */
#include "lua/supervise.h"

#include "lua/scope.h"

/* ---- sleeping ----------------------------------------------------------------------------- */

void tutti__supervise_wake(struct tutti__record *record)
{
    if (record->waits_for == WAITS_FOR_WAKE)
        tutti__wait_end(record);
}

static int park_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tutti__checkpoint(L, tutti__lua_of(L));
    return 0;
}

static bool has_ended_children(lua_State *L, struct tutti__record *record)
{
    tutti__record_push(L, record);
    tutti__record_get_extra(L, -1, EXTRA_ENDED);
    bool has = lua_istable(L, -1);
    lua_pop(L, 2);
    return has;
}

/* core.park(what): suspend the current task until core.wake, or until a child of a supervisor has ended. It
 * may return without a reason: the caller looks again. `what` names the operation.   [-1, +0, y] */
static int l_park(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *me = tutti__wait_check(L, lua, luaL_checkstring(L, 1));
    if (me == NULL)
        return luaL_error(L, "core.park outside any task");
    if ((me->flags & RECORD_SUPERVISES) != 0 && has_ended_children(L, me))
        return 0;
    return tutti__wait(L, WAITS_FOR_WAKE, NULL, 0, park_continue);
}

/* core.wake(task): end its core.park; nothing if it is not parked   [-1, +0, v] */
static int l_wake(lua_State *L)
{
    tutti__supervise_wake(tutti__record_check(L, tutti__lua_of(L), 1));
    return 0;
}

/* ---- children ----------------------------------------------------------------------------- */

void tutti__supervise_ended(lua_State *L, struct tutti__record *parent, struct tutti__record *child,
                            int index)
{
    tutti__record_observe(child);
    tutti__record_push(L, parent);
    int owner = lua_gettop(L);
    tutti__record_get_extra(L, owner, EXTRA_ENDED);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        tutti__record_set_extra(L, owner, EXTRA_ENDED);
    }
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_settop(L, owner - 1);
    tutti__supervise_wake(parent);
}

void tutti__supervise_awaited(struct tutti__record *record)
{
    tutti__supervise_wake(record);
}

void tutti__supervise_joined(struct tutti__record *owner)
{
    if ((owner->flags & RECORD_OWNS_SUPERVISOR) == 0)
        return; /* hardly any has, and there may be a million children */
    for (struct tutti__record *child = owner->child_first; child != NULL; child = child->sibling_next) {
        if ((child->flags & RECORD_SUPERVISES) != 0)
            tutti__supervise_wake(child);
    }
}

/* core.supervise(): from now on the current task is told of each end of a child. It was started with a high
 * priority, to begin before its children, and now takes its turn among all.   [-0, +0, v] */
static int l_supervise(lua_State *L)
{
    struct tutti__record *record = tutti__lua_of(L)->current;
    if (record == NULL)
        return luaL_error(L, "core.supervise outside any task");
    record->priority = TUTTI__PRIORITY_NORMAL;
    record->flags |= RECORD_SUPERVISES;
    if (record->parent != NULL)
        record->parent->flags |= RECORD_OWNS_SUPERVISOR;
    return 0;
}

/* core.take_ended(task) -> list of its children that have ended since the last call, or nil   [-1, +1, m] */
static int l_take_ended(lua_State *L)
{
    tutti__record_check(L, tutti__lua_of(L), 1);
    tutti__record_get_extra(L, 1, EXTRA_ENDED);
    lua_pushnil(L);
    tutti__record_set_extra(L, 1, EXTRA_ENDED);
    return 1;
}

/* core.is_awaited(task) -> boolean: does anybody wait for it now, its owner perhaps, or hold its outcome
 * elsewhere?   [-1, +1, v] */
static int l_is_awaited(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    const struct tutti__record *owner = record->parent;
    bool is_joined = owner != NULL && (owner->flags & RECORD_JOINING) != 0;
    lua_pushboolean(L, is_joined || record->waiters_first != NULL || tutti__record_is_observed(record));
    return 1;
}

/* core.start_under(task, start, ...) -> Task: start(...), which starts one, as a child of `task`,
 * whoever calls   [-n, +1, v] */
static int l_start_under(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *into = lua->into;
    lua->into = tutti__record_check(L, lua, 1);
    int rc = lua_pcall(L, lua_gettop(L) - 2, 1, 0);
    lua->into = into;
    return rc == LUA_OK ? 1 : lua_error(L);
}

/* core.owner(task or scope) -> the task or scope that it belongs to; nil: the root   [-1, +1, v] */
static int l_owner(lua_State *L)
{
    const struct tutti__record *record =
        (const struct tutti__record *)luaL_testudata(L, 1, "tutti.scope");
    if (record == NULL)
        record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (record->parent == NULL || record->parent->kind == RECORD_ROOT)
        return 0;
    tutti__scope_push(L, record->parent);
    return 1;
}

/* The next record of the tree below `top`, parents first. */
static struct tutti__record *next_below(const struct tutti__record *top, struct tutti__record *at)
{
    if (at->child_first != NULL)
        return at->child_first;
    while (at != top && at->sibling_next == NULL)
        at = at->parent;
    return at == top ? NULL : at->sibling_next;
}

static void kill_one(lua_State *L, struct tutti__record *record)
{
    if (tutti__record_is_settled(record))
        return;
    if (record->kind == RECORD_LOCAL)
        record->flags |= RECORD_KILLED;
    else if (record->kind == RECORD_SCOPE && tutti__scope_of(record)->is_shield)
        tutti__scope_cut(L, record);
    else if (record->kind == RECORD_REMOTE && record->task != NULL)
        (void)tutti__bridge_process_kill(record->lua->engine, record->task);
}

/* core.kill(task): end what was cancelled and does not end: below it shields hold nothing off any more, and
 * processes get no more grace   [-1, +0, v] */
static int l_kill(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *top = tutti__record_check(L, lua, 1);
    bool telling = lua->telling;
    lua->telling = true; /* the tree must hold still */
    for (struct tutti__record *at = top; at != NULL; at = next_below(top, at))
        kill_one(L, at);
    lua->telling = telling;
    tutti__settle_tell(L, lua);
    return 0;
}

/* core.copy_place(task, from): it was started where that one was   [-2, +0, v] */
static int l_copy_place(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    const struct tutti__record *from = tutti__record_check(L, tutti__lua_of(L), 2);
    record->line = from->line;
    record->source = from->source;
    return 0;
}

const luaL_Reg tutti__supervise_functions[] = {
    { "park", l_park },
    { "wake", l_wake },
    { "supervise", l_supervise },
    { "take_ended", l_take_ended },
    { "is_awaited", l_is_awaited },
    { "start_under", l_start_under },
    { "owner", l_owner },
    { "kill", l_kill },
    { "copy_place", l_copy_place },
    { NULL, NULL },
};
