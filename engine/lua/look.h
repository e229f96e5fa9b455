/* SPDX-License-Identifier: MIT */
/*
 * look.h - one task and those it has to do with, as people want to see them: for the prompt's commands.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_LOOK_H
#define TUTTI_LUA_LOOK_H

#include "lua/state.h"

extern const luaL_Reg tutti__look_functions[];

#endif
