/* SPDX-License-Identifier: MIT */
/*
 * read.h - io.read and its kin of states that the engine made: who waits in them can be interrupted.
 *
 * Layer: lua. Thread: the state's, which they block as Lua's do.
 */
#ifndef TUTTI_LUA_READ_H
#define TUTTI_LUA_READ_H

#include <lua.h>

/* Replace io.read, io.lines, file:read and file:lines; the libraries are open.   [-0, +0, m] */
void tutti__read_globals(lua_State *L);

#endif
