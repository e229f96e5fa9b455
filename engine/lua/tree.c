/* SPDX-License-Identifier: MIT */
/*
 * tree.c - see tree.h. The tables are made a list here, the Lua half (lua/tutti/tasks.lua) makes a tree
 * of it.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/tree.h"

#include <stdio.h>
#include <string.h>

#include "lua/fs.h"
#include "lua/uv.h"
#include "lua/waitlist.h"

/* ---- what it waits for -------------------------------------------------------------------- */

static int count_children(const struct tutti__record *record)
{
    int count = 0;
    for (const struct tutti__record *child = record->child_first; child != NULL;
         child = child->sibling_next)
        count++;
    return count;
}

static bool is_process(lua_State *L, const struct tutti__record *record, int index)
{
    if (record->kind != RECORD_REMOTE)
        return false;
    tutti__record_get_extra(L, index, EXTRA_LIST);
    bool is = lua_istable(L, -1);
    lua_pop(L, 1);
    return is;
}

/* Push `task "x"`; of several, how many more there are. */
static void push_target(lua_State *L, struct tutti__record *target, int more)
{
    tutti__record_push(L, target);
    const char *what = target->kind == RECORD_SCOPE ? "scope"
        : is_process(L, target, -1) ? "process" : "task";
    tutti__record_push_name(L, target, -1);
    if (more > 0)
        lua_pushfstring(L, "%s \"%s\" and %d more", what, lua_tostring(L, -1), more);
    else
        lua_pushfstring(L, "%s \"%s\"", what, lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Of a WAITING task or a gather: the first member that has not settled. */
static void push_members(lua_State *L, struct tutti__record *record)
{
    const struct tutti__deps *deps = tutti__record_deps(record);
    struct tutti__record *first = NULL;
    int count = 0;
    for (uint32_t i = 0; i < tutti__record_deps_count(record); i++) {
        if (deps->list[i].target == NULL)
            continue;
        first = first == NULL ? deps->list[i].target : first;
        count++;
    }
    if (first == NULL)
        lua_pushnil(L);
    else
        push_target(L, first, count - 1);
}

static void push_sleep(lua_State *L, const struct tutti__record *record, uint64_t deadline_ns)
{
    uint64_t now_ns = tutti__bridge_now_ns(record->lua->engine);
    double left = deadline_ns > now_ns ? (double)(deadline_ns - now_ns) * 1e-9 : 0.0;
    char text[40];
    (void)snprintf(text, sizeof text, "sleep %.1f s", left);
    lua_pushstring(L, text);
}

static void push_suspended(lua_State *L, struct tutti__record *record)
{
    uint64_t deadline_ns = 0;
    const char *what = tutti__blocked_what(record);
    if (what != NULL)
        lua_pushstring(L, what);
    else if (record->scope != NULL && (record->scope->flags & RECORD_JOINING) != 0)
        push_target(L, record->scope, 0);
    else if (tutti__sleep_deadline(record, &deadline_ns))
        push_sleep(L, record, deadline_ns);
    else if (record->waits_for == WAITS_FOR_ENGINE_SLEEP)
        lua_pushliteral(L, "sleep"); /* on a worker, where the engine has the timer */
    else if (tutti__await_target(record) != NULL)
        push_target(L, tutti__await_target(record), 0);
    else if (record->waits_for == WAITS_FOR_FS)
        lua_pushliteral(L, "tutti.fs");
    else if (record->waits_for == WAITS_FOR_UV)
        lua_pushliteral(L, "tutti.uv");
    else
        lua_pushnil(L);
}

void tutti__tree_push_wait(lua_State *L, struct tutti__record *record)
{
    luaL_checkstack(L, LUA_MINSTACK, "to look at tasks");
    if (tutti__record_is_settled(record))
        lua_pushnil(L);
    else if ((record->flags & RECORD_JOINING) != 0)
        lua_pushfstring(L, "children (%d)", count_children(record));
    else if (record->kind == RECORD_GATHER || record->state == TUTTI_TASK_WAITING)
        push_members(L, record);
    else if (record->kind == RECORD_LOCAL && record->waits_for != WAITS_FOR_NOTHING)
        push_suspended(L, record);
    else
        lua_pushnil(L);
}

/* ---- where it stands ---------------------------------------------------------------------- */

/* Push the place of the first frame of `co` that is the script's; false: there is none. */
static bool push_frame(lua_State *L, lua_State *co, int level)
{
    lua_Debug ar;
    for (; lua_getstack(co, level, &ar); level++) {
        if (!lua_getinfo(co, "Sl", &ar) || ar.currentline <= 0
            || strncmp(ar.source, "@tutti/", strlen("@tutti/")) == 0)
            continue;
        lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
        return true;
    }
    return false;
}

void tutti__tree_push_line(lua_State *L, struct tutti__record *record)
{
    bool runs = record == record->lua->current;
    if (record->co != NULL && push_frame(L, runs ? L : record->co, runs ? 1 : 0))
        return;
    if (record->source != 0)
        tutti__record_push_place(L, record);
    else
        lua_pushnil(L);
}

/* ---- the list ----------------------------------------------------------------------------- */

static const char *kind_name(lua_State *L, const struct tutti__record *record, int index)
{
    switch ((enum tutti__record_kind)record->kind) {
    case RECORD_REMOTE:
        return is_process(L, record, index) ? "process" : "pool";
    case RECORD_GATHER:
        return "gather";
    case RECORD_SCOPE:
        return "scope";
    default:
        return "task";
    }
}

void tutti__tree_push_node(lua_State *L, struct tutti__record *record, int index, uint32_t now_ms)
{
    luaL_checkstack(L, LUA_MINSTACK, "to look at tasks");
    index = lua_absindex(L, index);
    lua_createtable(L, 0, 10);
    int node = lua_gettop(L);
    lua_pushinteger(L, (lua_Integer)tutti__record_id(record));
    lua_setfield(L, node, "id");
    tutti__record_push_name(L, record, index);
    lua_setfield(L, node, "name");
    lua_pushstring(L, kind_name(L, record, index));
    lua_setfield(L, node, "kind");
    lua_pushinteger(L, tutti__record_state(record));
    lua_setfield(L, node, "state");
    lua_pushnumber(L, (lua_Number)(uint32_t)(now_ms - record->born_ms) * 1e-3);
    lua_setfield(L, node, "age");
    tutti__tree_push_line(L, record);
    lua_setfield(L, node, "line");
    if (record->source != 0) {
        tutti__record_push_place(L, record);
        lua_setfield(L, node, "started");
    }
    tutti__tree_push_wait(L, record);
    lua_setfield(L, node, "waits_for");
}

/* Push the node of a record that is somewhere below the root. */
static void push_in_tree(lua_State *L, struct tutti__record *record, int depth, uint32_t now_ms)
{
    tutti__record_push(L, record);
    tutti__tree_push_node(L, record, -1, now_ms);
    lua_pushinteger(L, depth);
    lua_setfield(L, -2, "depth");
    lua_insert(L, -2);
    lua_setfield(L, -2, "task");
}

/* The next record in preorder below `root`; *depth goes with it. */
static struct tutti__record *next_of(const struct tutti__record *root, struct tutti__record *at,
                                     int *depth)
{
    if (at->child_first != NULL) {
        ++*depth;
        return at->child_first;
    }
    while (at != root && at->sibling_next == NULL) {
        at = at->parent;
        --*depth;
    }
    return at == root ? NULL : at->sibling_next;
}

/* core.tree([most]) -> list of { id, name, kind, state (a number), age, line, started, waits_for, depth,
 * task } of all that have not settled, or of the first so many, in preorder, newest child first
 * [-1, +1, v] */
static int l_tree(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    lua_Integer most = luaL_optinteger(L, 1, LUA_MAXINTEGER);
    lua_newtable(L);
    lua_Integer count = 0;
    int depth = 0;
    /* Finalisers may run in between, but they neither end a task nor change its parent: only starting
     * one is possible, and that goes in front of a list. */
    for (struct tutti__record *at = next_of(lua->root, lua->root, &depth); at != NULL && count < most;
         at = next_of(lua->root, at, &depth)) {
        push_in_tree(L, at, depth, (uint32_t)(now_ns / 1000000u));
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* core.waits_for(task) -> string | nil: as waits_for in the list   [-0, +1, m] */
static int l_waits_for(lua_State *L)
{
    tutti__tree_push_wait(L, tutti__record_check(L, tutti__lua_of(L), 1));
    return 1;
}

static void set_number(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* core.stats() -> table of numbers of the engine and of this state   [-0, +1, v] */
static int l_stats(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    tutti_stats stats = { .struct_size = sizeof stats };
    int rc = tutti_get_stats(lua->engine, &stats);
    if (rc != TUTTI_OK)
        return luaL_error(L, "tutti.stats: %s", tutti_status_text(rc));
    lua_createtable(L, 0, 16);
    set_number(L, "submitted", stats.submitted);
    set_number(L, "settled", stats.settled);
    set_number(L, "steals", stats.steals);
    set_number(L, "wakes", stats.wakes);
    set_number(L, "slab_bytes", stats.slab_bytes);
    set_number(L, "workers", stats.workers);
    set_number(L, "spares", stats.spares);
    set_number(L, "blocking", stats.blocking);
    set_number(L, "made", lua->made);
    set_number(L, "coroutines_kept", lua->pool_count);
    uint64_t live = 0;
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        const struct tutti__record *record = lua->slots[slot];
        live += record != NULL && record->kind != RECORD_ROOT && !tutti__record_is_settled(record);
    }
    set_number(L, "live", live);
    lua_pushnumber(L, (lua_Number)lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB));
    lua_setfield(L, -2, "lua_bytes");
    return 1;
}

const luaL_Reg tutti__tree_functions[] = {
    { "tree", l_tree },
    { "stats", l_stats },
    { "waits_for", l_waits_for },
    { NULL, NULL },
};
