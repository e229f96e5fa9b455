/* SPDX-License-Identifier: MIT */
/*
 * look.c - see look.h.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: looking changes nothing: it neither awaits a task nor owns its failure.
 */
#include "lua/look.h"

#include "lua/cycle.h"
#include "lua/scope.h"
#include "lua/sources.h"
#include "lua/tree.h"

/* Records that one answer lists: of more the caller learns how many there are. */
enum { LISTED_MAX = 1000 };

/* The list is on top of the stack. */
struct listing {
    lua_State *L;
    lua_Integer count;
};

static void list(struct listing *listing, struct tutti__record *record)
{
    if (record == NULL || record->slot == 0 || ++listing->count > LISTED_MAX)
        return;
    tutti__record_push(listing->L, record);
    lua_rawseti(listing->L, -2, listing->count);
}

static int listed(struct listing *listing)
{
    lua_pushinteger(listing->L, listing->count);
    return 2;
}

static void list_children(struct listing *listing, const struct tutti__record *record)
{
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next)
        if (child->kind != RECORD_SCOPE) /* that is the owner's own stack */
            list(listing, child);
}

static void list_deps(struct listing *listing, struct tutti__record *record)
{
    const struct tutti__deps *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < tutti__record_deps_count(record); i++)
        list(listing, deps->list[i].target);
}

/* ---- one task ----------------------------------------------------------------------------- */

/* core.look(task) -> { id, name, kind, state (a number), line, started, waits_for, age (not once it has
 * settled), error }   [-0, +1, m] */
static int l_look(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *record = tutti__record_check(L, lua, 1);
    lua_settop(L, 1);
    tutti__tree_push_node(L, record, 1, (uint32_t)(tutti__bridge_now_ns(lua->engine) / 1000000u));
    if (!tutti__record_is_settled(record))
        return 1;
    lua_pushnil(L);
    lua_setfield(L, 2, "age");
    if (record->state != TUTTI_TASK_DONE) {
        tutti__record_push_error(L, 1);
        lua_setfield(L, 2, "error");
    }
    return 1;
}

/* ---- who waits for whom ------------------------------------------------------------------- */

/* core.waits_of(task) -> list of the tasks whose end it waits for, how many they are   [-0, +2, m] */
static int l_waits_of(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    struct listing listing = { L, 0 };
    lua_settop(L, 1);
    lua_newtable(L);
    if (tutti__record_is_settled(record))
        return listed(&listing);
    if (record->kind == RECORD_GATHER)
        list_deps(&listing, record);
    else if ((record->flags & RECORD_JOINING) != 0)
        list_children(&listing, record);
    else if (record->kind == RECORD_LOCAL && (record->flags & RECORD_STARTED) == 0)
        list_deps(&listing, record);
    else if (record->kind == RECORD_LOCAL && record->waits_for != WAITS_FOR_NOTHING) {
        if (record->scope != NULL && (record->scope->flags & RECORD_JOINING) != 0)
            list_children(&listing, record->scope);
        else
            list(&listing, tutti__await_target(record));
    }
    return listed(&listing);
}

/* core.held_by(task) -> list of the tasks of this state that wait for its end, how many; what owns it and
 * joins it is among them, but for the root, which nobody sees as a task   [-0, +2, m] */
static int l_held_by(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *record = tutti__record_check(L, lua, 1);
    struct listing listing = { L, 0 };
    lua_settop(L, 1);
    lua_newtable(L);
    for (struct tutti__waiter *at = record->waiters_first; at != NULL; at = at->next)
        list(&listing, at->owner);
    struct tutti__record *owner = record->parent;
    if (tutti__record_is_settled(record) || owner == NULL || owner == lua->root ||
        (owner->flags & RECORD_JOINING) == 0)
        return listed(&listing);
    list(&listing, owner->kind == RECORD_SCOPE ? owner->scope : owner);
    return listed(&listing);
}

/* ---- what is written of tutti's functions ------------------------------------------------- */

/* core.annotations() -> string   [-0, +1, m] */
static int l_annotations(lua_State *L)
{
    lua_pushlstring(L, tutti__lua_annotations.text, tutti__lua_annotations.length);
    return 1;
}

const luaL_Reg tutti__look_functions[] = {
    { "annotations", l_annotations },
    { "look", l_look },
    { "waits_of", l_waits_of },
    { "held_by", l_held_by },
    { NULL, NULL },
};
