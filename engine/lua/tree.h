/* SPDX-License-Identifier: MIT */
/*
 * tree.h - what each task of a state is doing: for tutti.tasks(), tutti.stats() and messages.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_TREE_H
#define TUTTI_LUA_TREE_H

#include "lua/state.h"

/* Push what the record waits for ("task \"x\"", "channel:recv", "children (3)"), or nil. May raise. */
void tutti__tree_push_wait(lua_State *L, struct tutti__record *record);

/* Push "FILE:LINE" of the script's line where a started task stands, or of where it was started. */
void tutti__tree_push_line(lua_State *L, struct tutti__record *record);

/* Push { id, name, kind, state, age, line, started, waits_for } of a record; its userdata is at `index`. */
void tutti__tree_push_node(lua_State *L, struct tutti__record *record, int index, uint32_t now_ms);

/* Milliseconds of the engine's clock as this state last looked; wraps. */
static inline uint32_t tutti__tick_ms(struct tutti__lua *lua)
{
    /* Inside a task the time of the slice will do: a start asks no clock. */
    if (lua->current == NULL)
        lua->tick_ns = tutti__bridge_now_ns(lua->engine);
    return (uint32_t)(lua->tick_ns / 1000000u);
}

extern const luaL_Reg tutti__tree_functions[];

#endif
