/* SPDX-License-Identifier: MIT */
/*
 * graph.h - what a run of a graph (lua/tutti/graph/run.lua) needs of the tree of records.
 *
 *     run's task (RUNS_GRAPH) --child--> a graph's task, which holds its entry --> ended: the run's function
 *     is called with the entry and its state
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_GRAPH_H
#define TUTTI_LUA_GRAPH_H

#include "lua/state.h"

/* `child`, whose userdata is at `index`, has settled: its parent, a record with RECORD_RUNS_GRAPH, owns what
 * became of it, and is told. */
void tutti__graph_ended(lua_State *L, struct tutti__record *parent, struct tutti__record *child, int index);

/* Runs have ended with failures, and nobody has read their results: say so, where nobody has said it yet, and
 * forget them. Returns whether there were any. */
bool tutti__graph_say_unread(lua_State *L, struct tutti__lua *lua);

/* Is it a task of a graph that stays in this state? Then its entry can be pushed. */
bool tutti__graph_is_task(const struct tutti__record *record);
void tutti__graph_push_entry(lua_State *L, struct tutti__record *record);

/* Push what "FILE:LINE" is for core.graph_start. */
void tutti__graph_push_place(lua_State *L, const char *text);

extern const luaL_Reg tutti__graph_functions[];

/* ---- graph_wait.c ------------------------------------------------------------------------- */

/* A wait of `record` for a task begins, and there is a run that is concerned: see lua->graph_watch. */
void tutti__graph_wait_begins(lua_State *L, struct tutti__record *record);

/* RECORD_LENT: may it go on? If not it waits, and will be resumed. */
bool tutti__graph_take_back(lua_State *L, struct tutti__record *record);

/* The world ends. */
void tutti__graph_forget(struct tutti__lua *lua);

extern const luaL_Reg tutti__graph_wait_functions[];

#endif
