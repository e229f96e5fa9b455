/* SPDX-License-Identifier: MIT */
/*
 * test_lua_host.c - a host with a lua_State of its own: attach, native functions, two engines at once.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "support/tap.h"
#include "tutti_lua.h"

static int add_all(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                   tutti_value *result)
{
    (void)self;
    int64_t sum = *(const int64_t *)user;
    for (size_t i = 0; i < argc; i++) {
        if (args[i].kind != TUTTI_INT)
            return tutti_value_bytes(result, "not an integer", 14) == TUTTI_OK ? TUTTI_EFAILED
                                                                               : TUTTI_ENOMEM;
        sum += args[i].as.integer;
    }
    result->kind = TUTTI_INT;
    result->as.integer = sum;
    return TUTTI_OK;
}

struct host {
    tutti_engine *engine;
    lua_State *L;
    int64_t base;
};

static void host_open(struct host *host, int64_t base)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 2, .loop = TUTTI_LOOP_CALLER };
    host->base = base;
    EQ_INT(tutti_engine_new(&host->engine, &config), TUTTI_OK, "an engine");
    EQ_INT(tutti_register(host->engine, "add", add_all, &host->base), TUTTI_OK, "a native function");
    EQ_INT(tutti_register(host->engine, "add", add_all, &host->base), TUTTI_EINVAL, "a name twice");
    host->L = luaL_newstate();
    luaL_openlibs(host->L);
    EQ_INT(tutti_lua_attach(host->L, host->engine), TUTTI_OK, "attached");
    EQ_INT(tutti_lua_attach(host->L, host->engine), TUTTI_EINVAL, "attached twice");
}

static void host_close(struct host *host)
{
    lua_close(host->L);
    EQ_INT(tutti_engine_free(host->engine), TUTTI_OK, "freed");
}

/* Run a chunk as the script; returns its status, or -1. */
static int run(struct host *host, const char *chunk)
{
    int status = -1;
    if (luaL_loadstring(host->L, chunk) != LUA_OK) {
        NOTE("%s", lua_tostring(host->L, -1));
        return -1;
    }
    if (tutti_lua_run(host->L, "chunk", 0, &status) != TUTTI_OK)
        return -1;
    return status;
}

static void test_native(struct host *host)
{
    EQ_INT(run(host, "local tutti = require 'tutti'\n"
                     "assert(tutti.native('add', 1, 2):await() == 103)\n"
                     "local two = tutti.spawn(function() return 2 end)\n"
                     "local far = tutti.parallel(function() return 3 end)\n"
                     "assert(tutti.native({ name = 'sum', after = { two, far } }, 'add', 4):await() == 109)\n"
                     "local again = { retry = { times = 2, backoff = 0 }, timeout = 60, priority = 'high' }\n"
                     "assert(tutti.native(again, 'add', 1, 2):await() == 103)\n"
                     "assert(select(2, tutti.native(again, 'add', 'x'):pawait()).attempt == 3)\n"
                     "local t = tutti.native({ name = 'odd' }, 'add', 'x')\n"
                     "local ok, err = t:pawait()\n"
                     "assert(not ok and err.message == 'not an integer' and err.task == 'odd')\n"
                     "assert(t:state() == 'failed')"),
           0, "natives with arguments, dependencies and errors");
    EQ_INT(run(host, "local tutti = require 'tutti'\n"
                     "local ok, err = pcall(tutti.native, 'nope')\n"
                     "assert(err.kind == 'usage' and tostring(err):find('no function \"nope\"'))\n"
                     "ok, err = pcall(tutti.native, 'add', {})\n"
                     "assert(err.kind == 'transfer' and tostring(err):find('argument 1 is a table'))"),
           0, "refusals name what is wrong");
}

static void test_two(void)
{
    struct host a, b;
    host_open(&a, 100);
    host_open(&b, 200);
    test_native(&a);
    EQ_INT(run(&b, "assert(require 'tutti'.native('add'):await() == 200)"), 0, "the other engine's own");
    EQ_INT(run(&a, "assert(require 'tutti'.native('add'):await() == 100)"), 0, "and the first one's");
    host_close(&a);
    EQ_INT(run(&b, "local tutti = require 'tutti'\n"
                   "local l = {} for i = 1, 100 do l[i] = tutti.parallel(function(n) return n end, i) end\n"
                   "assert(tutti.all(l):await()[100] == 100)"),
           0, "goes on when the first has gone");
    host_close(&b);
}

static void test_many(void)
{
    enum { ROUNDS = 30 };
    int good = 0;
    for (int i = 0; i < ROUNDS; i++) {
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        luaL_requiref(L, "tutti", luaopen_tutti, 0);
        lua_pop(L, 1);
        good += luaL_dostring(L, "local tutti = require 'tutti'\n"
                                 "tutti.parallel(function() return 1 end):await()\n"
                                 "return tutti.spawn(function() return 42 end):await()") == LUA_OK
            && lua_tointeger(L, -1) == 42;
        lua_close(L);
    }
    EQ_INT(good, ROUNDS, "states that make and free an engine of their own");
}

int main(void)
{
    TAP_BEGIN();
    test_two();
    test_many();
    return TAP_END();
}
