/* SPDX-License-Identifier: MIT */
/*
 * graph.c - see graph.h. What starts when is decided in lua/tutti/graph/run.lua; here a task of a graph is
 * made with no option to be read, and its end is told with the entry that the run knows it by. It is told in
 * that moment, not to the run's own coroutine: to resume that for each end would cost more than the end.
 *
 * A task that somebody asks for before its time is *held*: made, and waiting for the run to release it. So
 * it can be awaited and cancelled like any other.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: the entry is the one user value behind those of every record, of a LOCAL child of a record with
 * RECORD_RUNS_GRAPH that was made with one place for a dependency; a held one counts that as not yet settled.
 */
#include "lua/graph.h"

#include <string.h>

#include "lua/graph_store.h"
#include "lua/start.h"
#include "lua/supervise.h"

enum { UV_ENTRY = UV_COUNT + 1 };

/* ---- ends --------------------------------------------------------------------------------- */

/* Of a child of a run: was it made by l_start? */
static bool is_node(const struct tutti__record *child)
{
    return child->kind == RECORD_LOCAL && tutti__record_deps_count(child) == 1;
}

bool tutti__graph_is_task(const struct tutti__record *record)
{
    return is_node(record) && record->parent != NULL && (record->parent->flags & RECORD_RUNS_GRAPH) != 0;
}

void tutti__graph_push_entry(lua_State *L, struct tutti__record *record)
{
    tutti__record_push(L, record);
    lua_getiuservalue(L, -1, UV_ENTRY);
    lua_remove(L, -2);
}

/* What the run does at the end of a task has raised: no script's error, so the run cannot go on. */
static void give_up(lua_State *L, struct tutti__record *run)
{
    tutti__error_wrap(L, run->lua, run);
    tutti__outcome_leave(L, run);
    lua_pushliteral(L, "the run could not take in the end of a task");
    tutti__record_cancel(L, run);
}

void tutti__graph_ended(lua_State *L, struct tutti__record *parent, struct tutti__record *child, int index)
{
    struct tutti__lua *lua = parent->lua;
    struct tutti__record *into = lua->into;
    int top = lua_gettop(L);
    tutti__record_observe(child);
    tutti__record_push(L, parent);
    tutti__record_get_extra(L, top + 1, EXTRA_ENDED);
    if (is_node(child))
        lua_getiuservalue(L, index, UV_ENTRY);
    else
        lua_pushvalue(L, index); /* of the pool: known by its handle */
    lua_pushinteger(L, child->state);
    lua->into = parent; /* what it starts belongs to the run, whoever is running now */
    int rc = lua_pcall(L, 2, 0, 0);
    lua->into = into;
    if (rc != LUA_OK)
        give_up(L, parent);
    lua_settop(L, top);
}

/* core.graph_enter(f): the current task runs a graph: f(entry, state) is called at each end of a child, with
 * the handle in place of the entry for one of the pool, and the state as a number; f cannot await
   [-1, +0, v] */
static int l_enter(lua_State *L)
{
    struct tutti__record *record = tutti__lua_of(L)->current;
    if (record == NULL)
        return luaL_error(L, "core.graph_enter outside any task");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    tutti__record_push(L, record);
    lua_insert(L, 1);
    tutti__record_set_extra(L, 1, EXTRA_ENDED);
    record->flags |= RECORD_SUPERVISES | RECORD_RUNS_GRAPH;
    return 0;
}

/* core.graph_run() -> the task of the run that the current task belongs to, or nil   [-0, +1, v] */
static int l_run(lua_State *L)
{
    const struct tutti__lua *lua = tutti__lua_of(L);
    for (struct tutti__record *at = lua->current; at != NULL; at = at->parent) {
        if ((at->flags & RECORD_RUNS_GRAPH) != 0 && !tutti__record_is_settled(at)) {
            tutti__record_push(L, at);
            return 1;
        }
    }
    lua_pushnil(L);
    return 1;
}

bool tutti__graph_say_unread(lua_State *L, struct tutti__lua *lua)
{
    int top = lua_gettop(L);
    tutti__lua_helper(L, lua, "say_unread_runs"); /* there is none if no graph was ever run */
    bool has = lua_isfunction(L, -1) && lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_settop(L, top);
    return has;
}

/* ---- places ------------------------------------------------------------------------------- */

void tutti__graph_push_place(lua_State *L, const char *text)
{
    const char *colon = strrchr(text, ':');
    lua_Integer line = 0;
    uint32_t source = 0;
    if (colon != NULL) {
        lua_pushlstring(L, colon + 1, strlen(colon + 1));
        line = lua_tointeger(L, -1); /* 0: that was no number */
        lua_pushliteral(L, "@");
        lua_pushlstring(L, text, (size_t)(colon - text));
        lua_concat(L, 2);
        source = line > 0 ? tutti__record_source(L, tutti__lua_of(L), lua_tostring(L, -1)) : 0;
        lua_pop(L, 2);
    }
    lua_pushinteger(L, (lua_Integer)source << 32 | (line & 0x7fffffff));
}

/* core.graph_place("FILE:LINE") -> what core.graph_start takes for a place   [-1, +1, m] */
static int l_place(lua_State *L)
{
    tutti__graph_push_place(L, luaL_checkstring(L, 1));
    return 1;
}

static void set_place(struct tutti__record *record, lua_Integer place)
{
    record->source = (uint32_t)(place >> 32);
    record->line = (int32_t)(place & 0x7fffffff);
}

/* core.graph_set_place(task, place)   [-2, +0, v] */
static int l_set_place(lua_State *L)
{
    set_place(tutti__record_check(L, tutti__lua_of(L), 1), luaL_checkinteger(L, 2));
    return 0;
}

/* ---- starting ----------------------------------------------------------------------------- */

static void make_ready(struct tutti__record *record)
{
    tutti__record_deps(record)->left = 0;
    record->state = TUTTI_TASK_READY;
    tutti__ready_push(record->lua, record);
}

enum { START_ENTRY = 1, START_NAME, START_PLACE, START_PRIORITY, START_BODY, START_SLOTS = START_BODY };

/* Make the task of what is in these slots; leaves it alone on the stack. */
static struct tutti__record *start(lua_State *L)
{
    enum { RECORD = 1 }; /* the slots are then one further */
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, 1, true);
    lua_insert(L, RECORD);
    record->priority = (uint8_t)lua_tointeger(L, RECORD + START_PRIORITY);
    record->args_count = 1;
    set_place(record, lua_tointeger(L, RECORD + START_PLACE));
    lua_pushvalue(L, RECORD + START_NAME);
    tutti__record_set_name(L, RECORD);
    lua_pushvalue(L, RECORD + START_BODY);
    lua_setiuservalue(L, RECORD, UV_BODY);
    lua_pushvalue(L, RECORD + START_ENTRY);
    lua_setiuservalue(L, RECORD, tutti__record_uv_args(record));
    lua_pushvalue(L, RECORD + START_ENTRY);
    lua_setiuservalue(L, RECORD, UV_ENTRY);
    tutti__record_deps(record)->left = 1;
    lua_settop(L, RECORD);
    tutti__start_own(L, record, RECORD, false);
    return record;
}

/* core.graph_start(entry, name, place, priority, body, is_held) -> Task: body(entry) as a child of the
 * current task   [-6, +1, m] */
static int l_start(lua_State *L)
{
    bool is_held = lua_toboolean(L, START_SLOTS + 1);
    lua_settop(L, START_SLOTS);
    struct tutti__record *record = start(L);
    if (!tutti__start_is_late(L, record) && !is_held)
        make_ready(record);
    return 1;
}

/* core.graph_start_plain(entry, store, index, body) -> Task: the same for a node with no option
   [-4, +1, m] */
static int l_start_plain(lua_State *L)
{
    enum { ENTRY = 1, STORE, INDEX, BODY };
    lua_settop(L, BODY);
    const struct tutti__graph_store *store = tutti__graph_store_check(L, STORE);
    lua_Integer index = luaL_checkinteger(L, INDEX);
    luaL_argcheck(L, index >= 1 && index <= store->count, INDEX, "no such task");
    lua_getiuservalue(L, STORE, STORE_NAMES);
    lua_rawgeti(L, -1, index);
    lua_getiuservalue(L, STORE, STORE_PLACES);
    lua_rawgeti(L, -1, store->nodes[index - 1].line); /* nil: none */
    lua_copy(L, BODY + 2, START_NAME);
    lua_copy(L, BODY + 4, START_PLACE);
    lua_copy(L, BODY, START_BODY);
    lua_settop(L, START_BODY);
    lua_pushinteger(L, TUTTI__PRIORITY_NORMAL);
    lua_replace(L, START_PRIORITY);
    struct tutti__record *record = start(L);
    if (!tutti__start_is_late(L, record))
        make_ready(record);
    return 1;
}

/* A task of a graph that has not begun; NULL: it has, or has been cancelled meanwhile. */
static struct tutti__record *check_idle(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    bool is_idle = record->kind == RECORD_LOCAL && record->state <= TUTTI_TASK_READY;
    return is_idle ? record : NULL;
}

/* core.graph_release(task): what is held may run; nothing if it is not   [-1, +0, v] */
static int l_release(lua_State *L)
{
    struct tutti__record *record = check_idle(L);
    if (record != NULL && record->state == TUTTI_TASK_WAITING)
        make_ready(record);
    return 0;
}

/* core.graph_settle(task, state, error): what has not begun ends without having run   [-3, +0, v] */
static int l_settle(lua_State *L)
{
    struct tutti__record *record = check_idle(L);
    if (record == NULL)
        return 0;
    enum tutti_task_state state = (enum tutti_task_state)luaL_checkinteger(L, 2);
    lua_settop(L, 3);
    tutti__record_settle(L, record, state);
    return 0;
}

/* core.graph_settled(name, place, state, error | result) -> Task that has ended so   [-4, +1, m] */
static int l_settled(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    enum tutti_task_state state = (enum tutti_task_state)luaL_checkinteger(L, 3);
    lua_settop(L, 4);
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, 0, false);
    lua_insert(L, 1);
    set_place(record, lua_tointeger(L, 3));
    lua_pushvalue(L, 2);
    tutti__record_set_name(L, 1);
    tutti__record_hold(L, record, 1);
    tutti__record_observe(record);
    record->result_count = 1;
    tutti__record_settle(L, record, state);
    lua_settop(L, 1);
    return 1;
}

/* core.graph_results(task) -> results of a task that is done; no checkpoint   [-1, +n, v] */
static int l_results(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    lua_settop(L, 1);
    if (record->state != TUTTI_TASK_DONE)
        return 0;
    return tutti__record_push_results(L, record, 1, false);
}

/* core.graph_error(task) -> the error of a task that did not succeed   [-1, +1, v] */
static int l_error(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (!tutti__record_is_settled(record) || record->state == TUTTI_TASK_DONE)
        return 0;
    tutti__record_push_error(L, 1);
    return 1;
}

/* core.cpus() -> how many CPUs this process may use   [-0, +1, -] */
static int l_cpus(lua_State *L)
{
    lua_pushinteger(L, tutti__bridge_cpus());
    return 1;
}

const luaL_Reg tutti__graph_functions[] = {
    { "graph_enter", l_enter },
    { "graph_run", l_run },
    { "graph_place", l_place },
    { "graph_set_place", l_set_place },
    { "graph_start", l_start },
    { "graph_start_plain", l_start_plain },
    { "graph_release", l_release },
    { "graph_settle", l_settle },
    { "graph_settled", l_settled },
    { "graph_results", l_results },
    { "graph_error", l_error },
    { "cpus", l_cpus },
    { NULL, NULL },
};
