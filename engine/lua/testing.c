/* SPDX-License-Identifier: MIT */
/*
 * testing.c - chance, as the engine's table gives it.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: nothing in tutti asks Lua's math.random, so a seed decides whatever chance decides.
 */
#include "lua/state.h"

double tutti__random(struct tutti__lua *lua)
{
    return (double)(tutti__bridge_random(lua->engine, &lua->random) >> 11) * 0x1p-53;
}

/* core.random() -> float in [0, 1)   [-0, +1, -] */
static int l_random(lua_State *L)
{
    lua_pushnumber(L, tutti__random(tutti__lua_of(L)));
    return 1;
}

const luaL_Reg tutti__testing_functions[] = {
    { "random", l_random },
    { NULL, NULL },
};
