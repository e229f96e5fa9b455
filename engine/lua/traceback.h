/* SPDX-License-Identifier: MIT */
/*
 * traceback.h - the stack of a coroutine as text, for errors that are made by the thousand.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_TRACEBACK_H
#define TUTTI_LUA_TRACEBACK_H

#include "lua/state.h"

/**
 * As luaL_traceback of the running coroutine without a message, but a function is named only by how it was
 * called. To find the names of library functions luaL_traceback walks package.loaded once for every frame,
 * which costs more than all else that cancelling a task takes. The text of a stack that has been seen before
 * is kept: tasks that are cancelled together mostly wait at the same line.   [-0, +1, m]
 *
 * Thread: the state's home.
 * Args:   level - the first frame to show; 0 is the function that runs.
 */
void tutti__traceback(lua_State *L, struct tutti__lua *lua, int level);

#endif
