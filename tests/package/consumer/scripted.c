/* SPDX-License-Identifier: MIT */
/*
 * scripted.c - a host with a lua_State of its own on an installed tutti. Prints "from lua 42".
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>
#include <tutti_lua.h>

static const char script[] = "local tutti = require 'tutti'\n"
                             "local half = tutti.parallel(function() return 21 end)\n"
                             "print('from lua', half:await() * 2)\n";

int main(void)
{
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    tutti_engine *engine = NULL;
    int status = 1;
    lua_State *L = luaL_newstate();
    if (L == NULL || tutti_engine_new(&engine, &config) != TUTTI_OK)
        return 1;
    luaL_openlibs(L);
    if (tutti_lua_attach(L, engine) == TUTTI_OK && luaL_loadstring(L, script) == LUA_OK)
        (void)tutti_lua_run(L, "script", 0, &status);
    lua_close(L);
    (void)tutti_engine_free(engine);
    return status;
}
