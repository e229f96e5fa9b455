/* SPDX-License-Identifier: MIT */
/*
 * register.c - names by which tables cross between states: tutti.register.
 *
 * A name holds in the state where it was given. So a module gives it, and both sides require the module;
 * a state that meets an unknown name tries the module of that name first.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/register.h"

#include <string.h>

#include "value/names.h"

/* tutti.register(name, metatable or module) -> that table   [-2, +1, v] */
static int l_register(lua_State *L)
{
    size_t size = 0;
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : "";
    if (size == 0 || strlen(name) != size)
        return tutti__usage(L, 1, "tutti.register: a name was expected, got %s",
                            luaL_tolstring(L, 1, NULL));
    if (!lua_istable(L, 2))
        return tutti__usage(L, 1, "tutti.register: \"%s\": a metatable or a module (a table) was expected, "
                                  "got %s", name, luaL_typename(L, 2));
    switch (tutti__names_register(L, name, 2)) {
    case TUTTI__NAMES_TAKEN:
        return tutti__usage(L, 1, "tutti.register: \"%s\" is the name of another table already (was the "
                                  "module loaded twice?)", name);
    case TUTTI__NAMES_OTHER:
        return tutti__usage(L, 1, "tutti.register: \"%s\" is registered already, as \"%s\"", name,
                            lua_tostring(L, -1));
    default:
        lua_settop(L, 2);
        return 1;
    }
}

const luaL_Reg tutti__register_functions[] = {
    { "register", l_register },
    { NULL, NULL },
};
