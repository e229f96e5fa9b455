/* SPDX-License-Identifier: MIT */
/*
 * module.c - the module as Lua sees it: metatables, the table of C functions, the Lua half.
 *
 * Layer: lua.
 */
#include "lua/module.h"

#include <stdlib.h>
#include <string.h>

#include "lua/bytes.h"
#include "lua/channel.h"
#include "lua/combine.h"
#include "lua/cleanup.h"
#include "lua/coroutine.h"
#include "lua/door.h"
#include "lua/event.h"
#include "lua/fs.h"
#include "lua/graph.h"
#include "lua/graph_plan.h"
#include "lua/graph_store.h"
#include "lua/interrupt.h"
#include "lua/look.h"
#include "lua/native.h"
#include "lua/place.h"
#include "lua/pool.h"
#include "lua/process.h"
#include "lua/proxy.h"
#include "lua/register.h"
#include "lua/scope.h"
#include "lua/semaphore.h"
#include "lua/shell.h"
#include "lua/signal.h"
#include "lua/sources.h"
#include "lua/start.h"
#include "lua/supervise.h"
#include "lua/trace.h"
#include "lua/tree.h"
#include "lua/uv.h"
#include "lua/worker.h"
#include "tutti_lua.h"

/* ---- the Lua half ------------------------------------------------------------------------- */

/* Loader of one compiled-in module: upvalue 1 is its place in tutti__lua_sources. */
static int load_source(lua_State *L)
{
    const struct tutti__lua_source *source =
        (const struct tutti__lua_source *)lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbufferx(L, source->text, source->length, source->name, "t") != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* "@tutti/graph.lua" is the module "tutti.graph"; "@tutti/init.lua" is "tutti". */
static void push_module_name(lua_State *L, const char *name)
{
    size_t length = strlen(name) - strlen("@") - strlen(".lua");
    lua_pushlstring(L, name + 1, length);
    luaL_gsub(L, lua_tostring(L, -1), "/", ".");
    lua_remove(L, -2);
    if (strcmp(lua_tostring(L, -1), "tutti.init") == 0) {
        lua_pop(L, 1);
        lua_pushliteral(L, "tutti");
    }
}

void tutti__preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const struct tutti__lua_source *source = tutti__lua_sources; source->name != NULL; source++) {
        push_module_name(L, source->name);
        lua_pushlightuserdata(L, (void *)(uintptr_t)source);
        lua_pushcclosure(L, load_source, 1);
        lua_rawset(L, -3);
    }
    lua_pushcfunction(L, luaopen_tutti_core);
    lua_setfield(L, -2, "tutti.core");
    lua_pop(L, 1);
}

/* ---- handles ------------------------------------------------------------------------------ */

static const char *const state_names[] = {
    "waiting", "ready", "running", "suspended", "done", "failed", "cancelled", "skipped",
};

/* The record at index 1. Of a task of the engine the engine may know more than this state: an end that
 * is on its way is taken in now. */
static struct tutti__record *check_fresh(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (record->kind == RECORD_REMOTE && !tutti__record_is_settled(record) && record->task != NULL
        && tutti_task_is_done(record->task)) {
        tutti__record_hold(L, record, 1);
        tutti__proxy_settle(L, record);
    }
    return record;
}

/* task:state() -> string   [-1, +1, v] */
static int l_state(lua_State *L)
{
    lua_pushstring(L, state_names[tutti__record_state(check_fresh(L))]);
    return 1;
}

/* task:is_done() -> boolean: has settled, however   [-1, +1, v] */
static int l_is_done(lua_State *L)
{
    lua_pushboolean(L, tutti__record_is_settled(check_fresh(L)));
    return 1;
}

/* task:name() -> string   [-1, +1, v] */
static int l_name(lua_State *L)
{
    tutti__record_push_name(L, tutti__record_check(L, tutti__lua_of(L), 1), 1);
    return 1;
}

/* task:id() -> integer, of this state   [-1, +1, v] */
static int l_id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tutti__record_id(tutti__record_check(L, tutti__lua_of(L), 1)));
    return 1;
}

static int l_tostring(lua_State *L)
{
    struct tutti__record *record = check_fresh(L);
    tutti__record_push_name(L, record, 1);
    lua_pushfstring(L, "task %I \"%s\" (%s)", (LUAI_UACINT)tutti__record_id(record), lua_tostring(L, -1),
                    state_names[tutti__record_state(record)]);
    return 1;
}

/* task:cancel([reason])   [-2, +0, v] */
static int l_cancel(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    lua_settop(L, 2);
    if (tutti__record_is_settled(record))
        return 0;
    if (record->kind == RECORD_REMOTE)
        tutti__proxy_arm(L, record, 1);
    tutti__record_cancel(L, record);
    return 0;
}

static const luaL_Reg task_methods[] = {
    { "state", l_state }, { "is_done", l_is_done },   { "name", l_name },
    { "id", l_id },       { "cancel", l_cancel },     { "__tostring", l_tostring },
    { NULL, NULL },
};

/* ---- errors ------------------------------------------------------------------------------- */

/* core.error_new(fields) -> error: `fields` becomes its field table   [-1, +1, m] */
static int l_error_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, "tutti.error");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* core.error_fields(value) -> table | nil: nil when it is not an error object   [-1, +1, -] */
static int l_error_fields(lua_State *L)
{
    if (!tutti__error_is(L, 1))
        return 0;
    tutti__error_fields(L, 1);
    return 1;
}

/* core.usage(message, [level]): raise kind `usage` at the caller's line   [-2, +0, v] */
static int l_usage(lua_State *L)
{
    return tutti__usage(L, (int)luaL_optinteger(L, 2, 2), "%s", luaL_checkstring(L, 1));
}

/* core.helper(name, f): give the C half a function of the Lua half   [-2, +0, m] */
static int l_helper(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_rawgeti(L, LUA_REGISTRYINDEX, tutti__lua_of(L)->ref_helpers);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, luaL_checkstring(L, 1));
    return 0;
}

/* core.is_task(value) -> boolean   [-1, +1, -] */
static int l_is_task(lua_State *L)
{
    lua_pushboolean(L, tutti__record_test(L, tutti__lua_of(L), 1) != NULL);
    return 1;
}

/* core.current() -> Task | nil   [-0, +1, -] */
static int l_current(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua->current == NULL)
        return 0;
    tutti__record_push(L, lua->current);
    return 1;
}

/* core.duration(value, what[, level]) -> seconds; level: whose line an error names   [-n, +1, v] */
static int l_duration(lua_State *L)
{
    int level = (int)luaL_optinteger(L, 3, 1);
    uint64_t ns = tutti__duration_check_at(L, 1, luaL_checkstring(L, 2), level);
    lua_pushnumber(L, (lua_Number)ns / 1e9); /* the nearest number: 0.3 stays 0.3 */
    return 1;
}

/* core.size(value, what[, level]) -> bytes; level: whose line an error names   [-n, +1, v] */
static int l_size(lua_State *L)
{
    int level = (int)luaL_optinteger(L, 3, 1);
    uint64_t bytes = tutti__size_check(L, 1, luaL_checkstring(L, 2), level);
    lua_pushinteger(L, bytes > LUA_MAXINTEGER ? LUA_MAXINTEGER : (lua_Integer)bytes);
    return 1;
}

static const luaL_Reg core_functions[] = {
    { "error_new", l_error_new }, { "error_fields", l_error_fields }, { "usage", l_usage },
    { "helper", l_helper },       { "is_task", l_is_task },           { "current", l_current },
    { "duration", l_duration },   { "size", l_size },                 { NULL, NULL },
};

/* ---- the root ----------------------------------------------------------------------------- */

static bool root_is_idle(void *user)
{
    const struct tutti__lua *lua = (const struct tutti__lua *)user;
    return lua->root->child_first == NULL && tutti__ready_is_empty(lua);
}

/* core.run(): outside any task, run until the root has no task left   [-0, +0, v] */
static int l_run(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua->current != NULL)
        return tutti__usage(L, 1, "tutti.run() is for programs outside any task: a task ends its "
                                  "children by itself, or awaits them");
    lua->root->flags |= RECORD_JOINING;
    tutti__supervise_joined(lua->root);
    if (tutti__record_may_end(lua->root))
        tutti__cancel_background(L, lua->root);
    bool is_done = root_is_idle(lua) || tutti__block_on(lua, root_is_idle, lua);
    lua->root->flags &= ~(uint32_t)RECORD_JOINING;
    return is_done ? 0 : tutti__block_refused(L);
}

void tutti__root_take_failures(lua_State *L, struct tutti__lua *lua)
{
    tutti__record_push(L, lua->root);
    int root = lua_gettop(L);
    tutti__record_get_extra(L, root, EXTRA_FAILED);
    lua_pushnil(L);
    tutti__record_set_extra(L, root, EXTRA_FAILED);
    lua_newtable(L);
    lua_Integer count = 0;
    for (lua_Integer i = 1; lua_istable(L, root + 1) && i <= (lua_Integer)lua_rawlen(L, root + 1); i++) {
        lua_rawgeti(L, root + 1, i);
        struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, -1);
        if (tutti__record_is_observed(record))
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, ++count);
    }
    lua_replace(L, root);
    lua_settop(L, root);
}

/* core.take_failures() -> list of tasks that failed at the root with nobody awaiting, and forget them
   [-0, +1, m] */
static int l_take_failures(lua_State *L)
{
    tutti__root_take_failures(L, tutti__lua_of(L));
    return 1;
}

/* core.pending() -> list of the tasks that have not settled   [-0, +1, m] */
static int l_pending(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    lua_newtable(L);
    lua_Integer count = 0;
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        struct tutti__record *record = lua->slots[slot];
        if (record == NULL || record->kind == RECORD_ROOT || record->kind == RECORD_SCOPE
            || tutti__record_is_settled(record))
            continue;
        tutti__record_push(L, record);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static const luaL_Reg root_functions[] = {
    { "run", l_run },
    { "take_failures", l_take_failures },
    { "pending", l_pending },
    { NULL, NULL },
};

/* ---- opening ------------------------------------------------------------------------------ */

/* Make the metatable `name` with these methods and leave it on the stack. */
static void make_metatable(lua_State *L, struct tutti__lua *lua, const char *name,
                           const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    tutti__lua_functions(L, lua, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable"); /* what getmetatable shows: methods are not for changing */
}

static void make_handle(lua_State *L, struct tutti__lua *lua, const struct tutti__handle_type *type,
                        const luaL_Reg *methods)
{
    make_metatable(L, lua, type->meta, methods);
    tutti__handle_metatable(L, lua, type);
    lua_pop(L, 1);
}

static void make_metatables(lua_State *L, struct tutti__lua *lua)
{
    make_metatable(L, lua, "tutti.task", task_methods);
    tutti__lua_functions(L, lua, tutti__await_methods);
    lua->meta_local = lua_topointer(L, -1);
    make_metatable(L, lua, "tutti.remote", task_methods);
    tutti__lua_functions(L, lua, tutti__await_methods);
    lua_pushcfunction(L, tutti__proxy_collect);
    lua_setfield(L, -2, "__gc");
    lua->meta_remote = lua_topointer(L, -1);
    make_metatable(L, lua, "tutti.buffer", tutti__bytes_methods);
    make_metatable(L, lua, "tutti.view", tutti__view_methods);
    tutti__view_accessors(L, lua);
    make_handle(L, lua, &tutti__channel_type, tutti__channel_methods);
    make_handle(L, lua, &tutti__semaphore_type, tutti__semaphore_methods);
    make_handle(L, lua, &tutti__event_type, tutti__event_methods);
    make_metatable(L, lua, "tutti.permit", tutti__permit_methods);
    make_metatable(L, lua, "tutti.scope", tutti__scope_methods);
    luaL_newmetatable(L, "tutti.error");
    lua_pop(L, 7);
}

void tutti__module_metatables(lua_State *L, struct tutti__lua *lua)
{
    make_metatables(L, lua);
}

static uint32_t wanted_workers(void)
{
    const char *text = getenv("TUTTI_WORKERS");
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static uint32_t wanted_preempt(lua_State *L)
{
    static const char *const names[] = { "none", "hook", "signal" }; /* as enum tutti_preempt */
    const char *text = getenv("TUTTI_PREEMPT");
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (text == NULL || *text == '\0' || strcmp(text, names[i]) == 0)
            return i;
    }
    return (uint32_t)luaL_error(L, "tutti: TUTTI_PREEMPT must be signal, hook or none, got \"%s\"", text);
}

/* A state without an engine, as in stock lua5.4: make one whose loop runs on this thread. */
static struct tutti__lua *open_alone(lua_State *L)
{
    tutti_engine *engine = NULL;
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    config.workers = wanted_workers();
    config.preempt = wanted_preempt(L);
    int rc = tutti_engine_new(&engine, &config);
    if (rc != TUTTI_OK)
        luaL_error(L, "tutti: starting the engine: %s", tutti_status_text(rc));
    return tutti__lua_open(L, engine, true, false);
}

int luaopen_tutti_core(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    if (lua == NULL)
        lua = open_alone(L);
    tutti__preload(L);
    tutti__shared_note_paths(L, lua);
    lua_createtable(L, 0, 80);
    tutti__lua_functions(L, lua, core_functions);
    tutti__lua_functions(L, lua, root_functions);
    tutti__lua_functions(L, lua, tutti__error_functions);
    tutti__lua_functions(L, lua, tutti__tree_functions);
    tutti__lua_functions(L, lua, tutti__look_functions);
    tutti__lua_functions(L, lua, tutti__trace_functions);
    tutti__lua_functions(L, lua, tutti__start_functions);
    tutti__lua_functions(L, lua, tutti__await_functions);
    tutti__lua_functions(L, lua, tutti__scope_functions);
    tutti__protect_functions(L, lua);
    tutti__lua_functions(L, lua, tutti__cleanup_functions);
    tutti__lua_functions(L, lua, tutti__gather_functions);
    tutti__lua_functions(L, lua, tutti__combine_functions);
    tutti__lua_functions(L, lua, tutti__pool_functions);
    tutti__lua_functions(L, lua, tutti__supervise_functions);
    tutti__lua_functions(L, lua, tutti__interrupt_functions);
    tutti__lua_functions(L, lua, tutti__channel_functions);
    tutti__lua_functions(L, lua, tutti__bytes_functions);
    tutti__lua_functions(L, lua, tutti__register_functions);
    tutti__lua_functions(L, lua, tutti__place_functions);
    tutti__lua_functions(L, lua, tutti__graph_declare_functions);
    tutti__lua_functions(L, lua, tutti__graph_plan_functions);
    tutti__lua_functions(L, lua, tutti__graph_store_functions);
    tutti__lua_functions(L, lua, tutti__semaphore_functions);
    tutti__lua_functions(L, lua, tutti__signal_functions);
    tutti__lua_functions(L, lua, tutti__graph_functions);
    tutti__lua_functions(L, lua, tutti__graph_wait_functions);
    tutti__lua_functions(L, lua, tutti__event_functions);
    tutti__lua_functions(L, lua, tutti__native_functions);
    tutti__lua_functions(L, lua, tutti__process_functions);
    tutti__lua_functions(L, lua, tutti__fs_functions);
    tutti__lua_functions(L, lua, tutti__uv_functions);
    tutti__lua_functions(L, lua, tutti__testing_functions);
    lua_newtable(L); /* deeper than a traceback looks for names of functions */
    luaL_setfuncs(L, tutti__shell_functions, 0);
    lua_setfield(L, -2, "shell");
    luaL_getmetatable(L, "tutti.task");
    lua_setfield(L, -2, "task_methods");
    luaL_getmetatable(L, "tutti.remote");
    lua_setfield(L, -2, "remote_methods");
    luaL_getmetatable(L, "tutti.channel");
    lua_setfield(L, -2, "channel_methods");
    luaL_getmetatable(L, "tutti.scope");
    lua_setfield(L, -2, "scope_methods");
    luaL_getmetatable(L, "tutti.error");
    lua_setfield(L, -2, "error_metatable");
    lua_pushboolean(L, lua->is_worker);
    lua_setfield(L, -2, "is_worker");
    return 1;
}

int luaopen_tutti(lua_State *L)
{
    if (tutti__lua_find(L) == NULL)
        (void)open_alone(L);
    tutti__preload(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_getfield(L, -1, "tutti");
    lua_pushliteral(L, "tutti");
    lua_call(L, 1, 1);
    return 1;
}

struct attaching {
    tutti_engine *engine;
};

static int attach(lua_State *L)
{
    struct attaching *attaching = (struct attaching *)lua_touserdata(L, 1);
    (void)tutti__lua_open(L, attaching->engine, false, false);
    tutti__preload(L);
    return 0;
}

int tutti_lua_attach(lua_State *L, tutti_engine *e)
{
    if (L == NULL || e == NULL || tutti__lua_find(L) != NULL)
        return TUTTI_EINVAL;
    if (tutti__bridge_here(e) != tutti__bridge_loop(e))
        return TUTTI_EINVAL;
    struct attaching attaching = { e };
    lua_pushcfunction(L, attach);
    lua_pushlightuserdata(L, &attaching);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return TUTTI_OK;
    lua_pop(L, 1);
    return TUTTI_ENOMEM;
}
