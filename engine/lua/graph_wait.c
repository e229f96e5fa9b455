/* SPDX-License-Identifier: MIT */
/*
 * graph_wait.c - tasks of graphs that wait for tasks of graphs: what the run has to know to lend their places
 * meanwhile (lua/tutti/graph/lend.lua).
 *
 * Who begins to wait for a task, anywhere in the state, is noted, and runs that are concerned are woken. They
 * ask what it waits for in the end; a task that has lent its place asks for it again before it goes on.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a record with RECORD_LENT is not resumed before lend.lua has given its place back, unless it has
 * been cancelled.
 */
#include "lua/graph.h"

#include <stdlib.h>

#include "lua/cycle.h"
#include "lua/scope.h"
#include "lua/supervise.h"

/* ---- whom to tell ------------------------------------------------------------------------- */

void tutti__graph_wait_begins(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    if (record->slot == 0)
        return;
    luaL_checkstack(L, 4, "to wait");
    tutti__lua_weak_table(L, lua, "graph_waiters");
    tutti__record_push(L, record);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    for (uint32_t i = 0; i < lua->graph_watch_count; i++)
        tutti__supervise_wake(lua->graph_watch[i]);
}

void tutti__graph_forget(struct tutti__lua *lua)
{
    free((void *)lua->graph_watch);
    lua->graph_watch = NULL;
    lua->graph_watch_count = lua->graph_watch_size = 0;
}

static void watch(lua_State *L, struct tutti__lua *lua, struct tutti__record *run)
{
    if (lua->graph_watch_count == lua->graph_watch_size) {
        uint32_t size = lua->graph_watch_size == 0 ? 4 : lua->graph_watch_size * 2;
        struct tutti__record **runs =
            (struct tutti__record **)realloc((void *)lua->graph_watch, size * sizeof *runs);
        if (runs == NULL) {
            luaL_error(L, "not enough memory for a run");
            return;
        }
        lua->graph_watch = runs;
        lua->graph_watch_size = size;
    }
    lua->graph_watch[lua->graph_watch_count++] = run;
}

/* core.graph_watch(run, is_on): the run is to be woken when a wait begins, or not any more   [-2, +0, v] */
static int l_watch(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *run = tutti__record_check(L, lua, 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lua->graph_watch_count; i++) {
        if (lua->graph_watch[i] != run)
            lua->graph_watch[kept++] = lua->graph_watch[i];
    }
    lua->graph_watch_count = kept;
    if (lua_toboolean(L, 2))
        watch(L, lua, run);
    return 0;
}

/* core.graph_waiters() -> the list of tasks that have begun to wait, to be emptied by the caller
   [-0, +1, m] */
static int l_waiters(lua_State *L)
{
    tutti__lua_weak_table(L, tutti__lua_of(L), "graph_waiters");
    return 1;
}

/* ---- what a task waits for ---------------------------------------------------------------- */

/* A walk along waits. Stack: [visited] by address, [todo] a list of addresses, [found] the answer. */
struct walk {
    lua_State *L;
    int visited;
    lua_Integer todo_count;
    lua_Integer found_count;
};

enum { WALK_MAX = 10000 }; /* records of one walk: what waits for more keeps its place */

static void walk_to(struct walk *walk, struct tutti__record *record)
{
    lua_State *L = walk->L;
    if (record == NULL || tutti__record_is_settled(record) || walk->todo_count >= WALK_MAX)
        return;
    if (lua_rawgetp(L, walk->visited, record) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_rawsetp(L, walk->visited, record);
        lua_pushlightuserdata(L, record);
        lua_rawseti(L, walk->visited + 1, ++walk->todo_count);
    }
    lua_pop(L, 1);
}

static void walk_children(struct walk *walk, const struct tutti__record *record)
{
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next)
        walk_to(walk, child);
}

static void walk_deps(struct walk *walk, struct tutti__record *record)
{
    const struct tutti__deps *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < tutti__record_deps_count(record); i++)
        walk_to(walk, deps->list[i].target);
}

static void add_found(struct walk *walk)
{
    lua_rawseti(walk->L, walk->visited + 2, ++walk->found_count);
}

static void walk_from(struct walk *walk, struct tutti__record *record)
{
    lua_State *L = walk->L;
    if ((record->flags & RECORD_RUNS_GRAPH) != 0) {
        tutti__record_push(L, record);
        add_found(walk);
        walk_children(walk, record);
    } else if (record->kind == RECORD_GATHER) {
        walk_deps(walk, record);
    } else if ((record->flags & RECORD_JOINING) != 0 || record->kind == RECORD_SCOPE) {
        walk_children(walk, record);
    } else if (tutti__graph_is_task(record) && (record->flags & RECORD_STARTED) == 0) {
        tutti__graph_push_entry(L, record);
        add_found(walk);
    } else if (record->kind == RECORD_LOCAL && (record->flags & RECORD_STARTED) == 0) {
        walk_deps(walk, record);
    } else if (record->kind == RECORD_LOCAL && record->waits_for != WAITS_FOR_NOTHING) {
        if (record->scope != NULL && (record->scope->flags & RECORD_JOINING) != 0)
            walk_children(walk, record->scope);
        else
            walk_to(walk, tutti__await_target(record));
    }
}

/* core.graph_waits_for(task) -> list of what it waits for in the end: entries of tasks of graphs that have
 * not begun, tasks of runs; nil if it does not wait for any task   [-1, +1, m] */
static int l_waits_for(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    lua_settop(L, 1);
    if (record->kind != RECORD_LOCAL || tutti__record_is_settled(record))
        return 0;
    lua_newtable(L);
    lua_newtable(L);
    lua_newtable(L);
    struct walk walk = { L, 2, 0, 0 };
    walk_from(&walk, record);
    for (lua_Integer i = 1; i <= walk.todo_count; i++) {
        lua_rawgeti(L, 3, i);
        struct tutti__record *next = (struct tutti__record *)lua_touserdata(L, -1);
        lua_pop(L, 1);
        walk_from(&walk, next);
    }
    if (walk.found_count == 0)
        return 0;
    return 1;
}

/* ---- places that were lent ---------------------------------------------------------------- */

/* core.graph_lent(task): it does not go on before core.graph_resume   [-1, +0, v] */
static int l_lent(lua_State *L)
{
    tutti__record_check(L, tutti__lua_of(L), 1)->flags |= RECORD_LENT;
    return 0;
}

/* core.graph_resume(task): it has its place back   [-1, +0, v] */
static int l_resume(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    record->flags &= ~(uint32_t)RECORD_LENT;
    if (record->waits_for == WAITS_FOR_PLACE)
        tutti__wait_end(record);
    return 0;
}

bool tutti__graph_take_back(lua_State *L, struct tutti__record *record)
{
    int top = lua_gettop(L);
    bool is_cancelled = (record->flags & RECORD_LIVE) != 0;
    tutti__lua_helper(L, record->lua, "graph_take_back");
    tutti__record_push(L, record);
    lua_pushboolean(L, is_cancelled);
    bool has = lua_pcall(L, 2, 1, 0) != LUA_OK || lua_toboolean(L, -1);
    lua_settop(L, top);
    if (has)
        record->flags &= ~(uint32_t)RECORD_LENT;
    else
        record->waits_for = WAITS_FOR_PLACE;
    return has;
}

/* core.graph_break(task, error): its wait for another task ends, with the error   [-2, +0, v] */
static int l_break(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    lua_settop(L, 2);
    if (tutti__await_target(record) != NULL)
        tutti__cycle_end_await(L, record, 1);
    return 0;
}

const luaL_Reg tutti__graph_wait_functions[] = {
    { "graph_watch", l_watch },
    { "graph_waiters", l_waiters },
    { "graph_waits_for", l_waits_for },
    { "graph_lent", l_lent },
    { "graph_resume", l_resume },
    { "graph_break", l_break },
    { NULL, NULL },
};
