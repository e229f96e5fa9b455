/* SPDX-License-Identifier: MIT */
/*
 * shell.h - os.execute and io.popen of states that the engine made.
 *
 * Layer: lua. Thread: the state's, which they block as Lua's do.
 */
#ifndef TUTTI_LUA_SHELL_H
#define TUTTI_LUA_SHELL_H

#include <lauxlib.h>

/* Replace os.execute and io.popen; the libraries are open.   [-0, +0, m] */
void tutti__shell_globals(lua_State *L);

/* For core: execute, popen. A program puts them where it wants them. */
extern const luaL_Reg tutti__shell_functions[];

#endif
