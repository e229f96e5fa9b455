/* SPDX-License-Identifier: MIT */
/*
 * repl.c - the evaluator of a prompt for hosts: tutti_repl_* of tutti_lua.h.
 *
 * All is done by lua/tutti/repl/host.lua; here are the calls, and the two functions by which it calls back.
 * They reach the handle through a box, a userdata of the state: who goes first, the handle or the state,
 * tells the other.
 *
 * Layer: lua. Thread: the loop's. Locks: none.
 * Invariant: box->repl->box == box while both exist; after tutti_repl_free the host is not called any more.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lua/state.h"
#include "tutti_lua.h"

struct box {
    tutti_repl *repl; /* NULL: it has been freed */
};

struct tutti_repl {
    struct tutti__lua *lua; /* NULL: the Lua state has been closed */
    struct box *box;
    int ref;        /* registry: the object of host.lua */
    int ref_box;    /* registry: the box */
    tutti_repl_config config;
};

/* What the first header had: a config may end anywhere behind it. */
#define CONFIG_BYTES_MIN (offsetof(tutti_repl_config, user) + sizeof(void *))
enum { COLUMNS_DEFAULT = 80, FLAGS_KNOWN = TUTTI_REPL_COLOR | TUTTI_REPL_OWN_PRINT };

/* ---- what Lua calls ------------------------------------------------------------------------ */

/* write(text, kind)   [-2, +0, v] */
static int l_write(lua_State *L)
{
    static const char *const kinds[] = { "value", "error", "report", "print", NULL };
    const struct box *box = (const struct box *)lua_touserdata(L, lua_upvalueindex(1));
    size_t size = 0;
    const char *text = luaL_checklstring(L, 1, &size);
    int kind = luaL_checkoption(L, 2, NULL, kinds);
    if (box->repl != NULL)
        box->repl->config.write(box->repl->config.user, text, size, kind);
    return 0;
}

/* done(outcome)   [-1, +0, v] */
static int l_done(lua_State *L)
{
    static const char *const outcomes[] = { "incomplete", "values", "error", "running", "command", NULL };
    const struct box *box = (const struct box *)lua_touserdata(L, lua_upvalueindex(1));
    int outcome = luaL_checkoption(L, 1, NULL, outcomes);
    if (box->repl != NULL && box->repl->config.done != NULL)
        box->repl->config.done(box->repl->config.user, outcome);
    return 0;
}

static int l_collect(lua_State *L)
{
    struct box *box = (struct box *)lua_touserdata(L, 1);
    if (box->repl != NULL)
        box->repl->lua = NULL;
    box->repl = NULL;
    return 0;
}

/* ---- calls into Lua ------------------------------------------------------------------------ */

struct call {
    tutti_repl *repl;
    const char *method;
    const char *text; /* its argument; NULL: none */
    size_t size;
    bool result;
};

static int call_method(lua_State *L)
{
    struct call *call = (struct call *)lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->repl->ref);
    lua_getfield(L, -1, call->method);
    lua_insert(L, -2);
    if (call->text != NULL)
        lua_pushlstring(L, call->text, call->size);
    lua_call(L, call->text != NULL ? 2 : 1, 1);
    call->result = lua_toboolean(L, -1);
    return 0;
}

/* An error here is memory's. Messages of errors are of no use to a host, so they are dropped. */
static int enter(struct tutti__lua *lua, lua_CFunction fn, void *user)
{
    lua_State *L = lua->service;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, user);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return TUTTI_OK;
    lua_pop(L, 1);
    return TUTTI_ENOMEM;
}

static bool is_here(const tutti_repl *repl)
{
    return repl != NULL && repl->lua != NULL
        && tutti__bridge_here(repl->lua->engine) == tutti__bridge_loop(repl->lua->engine);
}

/* ---- making one ---------------------------------------------------------------------------- */

/* Push the box, which the registry keeps as long as the handle exists. */
static void push_box(lua_State *L, tutti_repl *repl)
{
    struct box *box = (struct box *)lua_newuserdatauv(L, sizeof *box, 0);
    box->repl = NULL;
    if (luaL_newmetatable(L, "tutti.repl.box")) {
        lua_pushcfunction(L, l_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    repl->ref_box = luaL_ref(L, LUA_REGISTRYINDEX);
    repl->box = box;
}

static void push_config(lua_State *L, const tutti_repl *repl)
{
    const tutti_repl_config *config = &repl->config;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, config->name); /* NULL is nil */
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, config->columns > 0 ? config->columns : COLUMNS_DEFAULT);
    lua_setfield(L, -2, "columns");
    lua_pushboolean(L, (config->flags & TUTTI_REPL_COLOR) != 0);
    lua_setfield(L, -2, "color");
    lua_pushboolean(L, (config->flags & TUTTI_REPL_OWN_PRINT) != 0);
    lua_setfield(L, -2, "own_print");
    lua_rawgeti(L, LUA_REGISTRYINDEX, repl->ref_box);
    lua_pushcclosure(L, l_write, 1);
    lua_setfield(L, -2, "write");
    lua_rawgeti(L, LUA_REGISTRYINDEX, repl->ref_box);
    lua_pushcclosure(L, l_done, 1);
    lua_setfield(L, -2, "done");
}

static int make(lua_State *L)
{
    tutti_repl *repl = (tutti_repl *)lua_touserdata(L, 1);
    push_box(L, repl);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti");
    lua_call(L, 1, 0);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.repl.host");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new");
    push_config(L, repl);
    lua_call(L, 1, 1);
    repl->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    repl->box->repl = repl;
    return 0;
}

static int read_config(tutti_repl_config *out, const tutti_repl_config *config)
{
    memset(out, 0, sizeof *out);
    if (config == NULL || config->struct_size < CONFIG_BYTES_MIN || config->struct_size > sizeof *out)
        return TUTTI_EINVAL;
    memcpy(out, config, config->struct_size);
    bool is_good = out->write != NULL && out->columns >= 0 && (out->flags & ~(uint32_t)FLAGS_KNOWN) == 0;
    return is_good ? TUTTI_OK : TUTTI_EINVAL;
}

static void drop_refs(const tutti_repl *repl)
{
    luaL_unref(repl->lua->service, LUA_REGISTRYINDEX, repl->ref);
    luaL_unref(repl->lua->service, LUA_REGISTRYINDEX, repl->ref_box);
}

int tutti_repl_new(lua_State *L, const tutti_repl_config *config, tutti_repl **out)
{
    tutti_repl_config read;
    struct tutti__lua *lua = L == NULL ? NULL : tutti__lua_find(L);
    if (lua == NULL || out == NULL || read_config(&read, config) != TUTTI_OK)
        return TUTTI_EINVAL;
    tutti_repl *repl = (tutti_repl *)calloc(1, sizeof *repl);
    if (repl == NULL)
        return TUTTI_ENOMEM;
    *repl = (tutti_repl){ .lua = lua, .ref = LUA_NOREF, .ref_box = LUA_NOREF, .config = read };
    if (!is_here(repl) || lua->is_worker || lua->closing) {
        free(repl);
        return TUTTI_EINVAL;
    }
    int rc = enter(lua, make, repl);
    repl->config.name = NULL; /* the host's text; the Lua half has a copy */
    if (rc != TUTTI_OK) {
        drop_refs(repl);
        free(repl);
        return rc;
    }
    *out = repl;
    return TUTTI_OK;
}

/* ---- its life ------------------------------------------------------------------------------ */

int tutti_repl_feed(tutti_repl *repl, const char *text, size_t size)
{
    if (!is_here(repl) || (text == NULL && size > 0))
        return TUTTI_EINVAL;
    struct call call = { .repl = repl, .method = "feed", .text = size > 0 ? text : "", .size = size };
    return enter(repl->lua, call_method, &call);
}

struct question {
    tutti_repl *repl;
    const char *text;
    size_t size, point;
    tutti_repl_candidate fn;
};

/* complete(text, point) -> candidates, from, to: positions from 1, the last one included   [-1, +0, e] */
static int complete(lua_State *L)
{
    const struct question *question = (const struct question *)lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, question->repl->ref);
    lua_getfield(L, -1, "complete");
    lua_insert(L, -2);
    lua_pushlstring(L, question->text, question->size);
    lua_pushinteger(L, (lua_Integer)question->point);
    lua_call(L, 3, 3);
    size_t from = (size_t)(lua_tointeger(L, -2) - 1);
    size_t to = (size_t)lua_tointeger(L, -1);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -3);
    for (lua_Integer i = 1; i <= count; i++) {
        size_t size = 0;
        lua_rawgeti(L, -3, i);
        const char *text = lua_tolstring(L, -1, &size);
        question->fn(question->repl->config.user, text, size, from, to);
        lua_pop(L, 1);
    }
    return 0;
}

int tutti_repl_complete(tutti_repl *repl, const char *text, size_t size, size_t point,
                        tutti_repl_candidate fn)
{
    if (!is_here(repl) || (text == NULL && size > 0) || point > size || fn == NULL)
        return TUTTI_EINVAL;
    struct question question = { repl, size > 0 ? text : "", size, point, fn };
    return enter(repl->lua, complete, &question);
}

int tutti_repl_interrupt(tutti_repl *repl)
{
    if (!is_here(repl))
        return TUTTI_EINVAL;
    struct call call = { .repl = repl, .method = "interrupt" };
    int rc = enter(repl->lua, call_method, &call);
    return rc == TUTTI_OK && !call.result ? TUTTI_EAGAIN : rc;
}

int tutti_repl_free(tutti_repl *repl)
{
    int rc = TUTTI_OK;
    if (repl == NULL)
        return TUTTI_OK;
    if (repl->lua != NULL) {
        if (!is_here(repl))
            return TUTTI_EINVAL;
        repl->box->repl = NULL;
        struct call call = { .repl = repl, .method = "stop" };
        rc = enter(repl->lua, call_method, &call);
        drop_refs(repl);
    }
    free(repl);
    return rc;
}
