/* SPDX-License-Identifier: MIT */
/*
 * state.c - opens and closes the Lua layer's half of one Lua state.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: the layer's half lives in a userdata anchored in the registry and ends with the state.
 */
#include "lua/state.h"

#include <stdlib.h>
#include <string.h>

#include "lua/interrupt.h"
#include "lua/module.h"
#include "lua/options.h"
#include "lua/worker.h"
#include "lua/world.h"

static const char state_key = 0; /* its address is the registry key */

struct tutti__lua *tutti__lua_find(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, -1);
    lua_pop(L, 1);
    return lua;
}

void tutti__lua_functions(lua_State *L, struct tutti__lua *lua, const luaL_Reg *list)
{
    lua_pushlightuserdata(L, lua);
    luaL_setfuncs(L, list, 1);
}

void tutti__lua_helper(lua_State *L, struct tutti__lua *lua, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_helpers);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

void tutti__lua_weak_table(lua_State *L, struct tutti__lua *lua, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_helpers);
    if (lua_getfield(L, -1, name) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, name);
    }
    lua_remove(L, -2);
}

static int new_table_ref(lua_State *L)
{
    lua_newtable(L);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

struct tutti__lua *tutti__lua_open(lua_State *L, tutti_engine *engine, bool own_engine,
                                   bool is_worker)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_newuserdatauv(L, sizeof *lua, 0);
    memset(lua, 0, sizeof *lua);
    if (luaL_newmetatable(L, "tutti.state")) {
        lua_pushcfunction(L, tutti__lua_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    lua->own_engine = own_engine;
    lua->is_worker = is_worker;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    *(void **)lua_getextraspace(lua->main) = NULL;
    lua->idle = lua_newthread(L);
    lua->ref_idle = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    lua->ref_hand = luaL_ref(L, LUA_REGISTRYINDEX);
    lua->ref_sources = new_table_ref(L);
    lua->ref_helpers = new_table_ref(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_helpers);
    lua_getglobal(L, "pcall"); /* as the host has it, before anything is replaced */
    lua_setfield(L, -2, "rawpcall");
    lua_pop(L, 1);
    tutti__module_metatables(L, lua);
    tutti__options_open(L, lua);
    tutti__world_open(L, lua, engine);
    tutti__interrupt_open(lua);
    return lua;
}
