/* SPDX-License-Identifier: MIT */
/*
 * execute.c - see execute.h.
 *
 * Layer: cli. Thread: the loop's.
 * Invariant: view and prompt are put away for exactly as long as the command runs.
 */
#include "cli/execute.h"

#include <lauxlib.h>

#include "cli/prompt.h"
#include "cli/view.h"

/* os.execute([command]), as Lua's. Upvalue 1 is the engine's.   [-n, +3, e] */
static int l_execute(lua_State *L)
{
    bool has_command = luaL_optstring(L, 1, NULL) != NULL;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (has_command) {
        cli_view_hold();
        cli_prompt_hold();
    }
    int rc = lua_pcall(L, 1, LUA_MULTRET, 0);
    if (has_command) {
        cli_prompt_release();
        cli_view_release();
    }
    return rc == LUA_OK ? lua_gettop(L) : lua_error(L);
}

int cli_execute_attach(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.core");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "shell");
    lua_getglobal(L, "io");
    lua_getfield(L, -2, "popen");
    lua_setfield(L, -2, "popen");
    lua_getglobal(L, "os");
    lua_getfield(L, -3, "execute");
    lua_pushcclosure(L, l_execute, 1);
    lua_setfield(L, -2, "execute");
    return 0;
}
