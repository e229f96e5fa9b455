/* SPDX-License-Identifier: MIT */
/*
 * graph_plan.h - what a graph of a million tasks would be slow without: declaring one, and numbering them.
 *
 * lua/tutti/graph.lua is what says what a graph is. Whatever is not plainly right here is left to it, and
 * what is wrong is told there.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_GRAPH_PLAN_H
#define TUTTI_LUA_GRAPH_PLAN_H

#include "lua/state.h"

extern const luaL_Reg tutti__graph_declare_functions[];
extern const luaL_Reg tutti__graph_plan_functions[];

#endif
