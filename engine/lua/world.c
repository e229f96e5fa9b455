/* SPDX-License-Identifier: MIT */
/*
 * world.c - see world.h.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/world.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lua/graph.h"
#include "lua/worker.h"

#define WORLD_BYTES offsetof(struct tutti__lua, main)
#define ASIDE_BYTES offsetof(struct tutti__lua, running) /* with what is set once: records ask for it */

/* ---- opening and closing ------------------------------------------------------------------ */

static int new_table_ref(lua_State *L, const char *mode)
{
    lua_newtable(L);
    if (mode != NULL) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_root(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *root = tutti__record_new(L, lua, RECORD_ROOT, 0, false);
    root->state = TUTTI_TASK_RUNNING;
    root->flags |= RECORD_STARTED;
    tutti__record_hold(L, root, -1);
    lua->root = root;
    lua_pop(L, 1);
}

void tutti__world_open(lua_State *L, struct tutti__lua *lua, tutti_engine *engine)
{
    lua->ref_service = lua->ref_slots = lua->ref_tasks = LUA_NOREF;
    lua->engine = engine;
    lua->trace = tutti__shared_trace(engine);
    if (lua->trace == NULL) {
        luaL_error(L, "not enough memory for an engine");
        return;
    }
    lua->service = lua_newthread(L);
    lua->ref_service = luaL_ref(L, LUA_REGISTRYINDEX);
    lua->ref_slots = new_table_ref(L, NULL);
    lua->ref_tasks = new_table_ref(L, "v");
    make_root(L, lua);
    lua->home = lua->is_worker ? tutti__bridge_worker_home(engine) : tutti__bridge_here(engine);
    lua->home->pump_user = lua;
    lua->home->has_work = tutti__ready_has_work;
    lua->home->pump = tutti__ready_pump;
}

void tutti__world_close(lua_State *L, struct tutti__lua *lua)
{
    if (lua->home != NULL) {
        lua->home->pump = NULL;
        lua->home->has_work = NULL;
        lua->home->pump_user = NULL;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, lua->ref_tasks);
    luaL_unref(L, LUA_REGISTRYINDEX, lua->ref_slots);
    luaL_unref(L, LUA_REGISTRYINDEX, lua->ref_service);
    free((void *)lua->slots);
    free(lua->slots_free);
    tutti__graph_forget(lua);
    memset(lua, 0, WORLD_BYTES);
}

/* ---- aside and back ----------------------------------------------------------------------- */

/* Tell the records of `world` that they belong to `lua`. Those that have not settled have a slot, or stand
 * for a task of the engine. */
static void tell_records(lua_State *L, struct tutti__lua *world, struct tutti__lua *lua)
{
    for (uint32_t slot = 1; slot <= world->slots_used; slot++) {
        if (world->slots[slot] != NULL)
            world->slots[slot]->lua = lua;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, world->ref_tasks);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        struct tutti__record *record = tutti__record_test(L, world, -1);
        if (record != NULL)
            record->lua = lua;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void tutti__world_put_aside(lua_State *L, struct tutti__lua *lua, struct tutti__lua *aside)
{
    memcpy(aside, lua, ASIDE_BYTES);
    tell_records(L, aside, aside);
    memset(lua, 0, WORLD_BYTES);
}

void tutti__world_put_back(lua_State *L, struct tutti__lua *lua, struct tutti__lua *aside)
{
    memcpy(lua, aside, WORLD_BYTES);
    tell_records(L, lua, lua);
}

/* ---- what handles hold -------------------------------------------------------------------- */

/* Stack of a protected call: [1] the handle. */
static int read_results(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    (void)tutti__record_push_results(L, record, 1, false);
    return 0;
}

/* The handle is on top of the stack. */
static void release_handle(lua_State *L, struct tutti__record *record)
{
    tutti_task *task = record->task;
    if ((record->flags & RECORD_RESULT_LATER) != 0) {
        lua_pushcfunction(L, read_results);
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) { /* as whoever awaited it would have been told */
            tutti__error_wrap(L, record->lua, record);
            lua_setiuservalue(L, -2, UV_BODY);
            record->flags &= ~(uint32_t)RECORD_RESULT_LATER;
            record->state = TUTTI_TASK_FAILED;
        }
    }
    record->task = NULL;
    if (task != NULL)
        tutti_task_unref(task);
}

/* What belongs to no engine is from now on known in the world of `heir`. The weak table is at `known`. */
static void hand_over(lua_State *L, struct tutti__lua *lua, int known, struct tutti__lua *heir)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, heir->ref_tasks);
    int heirs = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, known) != 0) {
        if (tutti__record_test(L, lua, -1) == NULL) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, heirs);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Put what the weak table at `known` has, but for released handles, into a list. Returns: how many. */
static lua_Integer list_known(lua_State *L, struct tutti__lua *lua, int known, int list)
{
    lua_Integer count = 0;
    lua_pushnil(L);
    while (lua_next(L, known) != 0) {
        const struct tutti__record *record = tutti__record_test(L, lua, -1);
        if (record == NULL || record->task != NULL)
            lua_rawseti(L, list, ++count);
        else
            lua_pop(L, 1);
    }
    return count;
}

/* Reading a result may bring new handles: so a list at a time, until there is none. */
void tutti__world_release(lua_State *L, struct tutti__lua *lua, struct tutti__lua *heir)
{
    int base = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_tasks);
    for (;;) {
        lua_settop(L, base + 1);
        lua_newtable(L);
        lua_Integer count = list_known(L, lua, base + 1, base + 2);
        bool has_handles = false;
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, base + 2, i);
            struct tutti__record *record = tutti__record_test(L, lua, -1);
            if (record != NULL) {
                release_handle(L, record);
                has_handles = true;
            }
            lua_settop(L, base + 2);
        }
        if (!has_handles)
            break;
    }
    hand_over(L, lua, base + 1, heir);
    lua_settop(L, base);
}
