/* SPDX-License-Identifier: MIT */
/*
 * fs.h - tutti.fs: files and folders.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_FS_H
#define TUTTI_LUA_FS_H

#include "lua/state.h"

extern const luaL_Reg tutti__fs_functions[];

#endif
