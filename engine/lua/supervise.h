/* SPDX-License-Identifier: MIT */
/*
 * supervise.h - what the loop of a supervisor (lua/tutti/supervisor/) needs of the tree of records.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_SUPERVISE_H
#define TUTTI_LUA_SUPERVISE_H

#include "lua/state.h"

/* `child`, whose userdata is at `index`, has settled: its parent, a record with RECORD_SUPERVISES, owns
 * what became of it and is woken. */
void tutti__supervise_ended(lua_State *L, struct tutti__record *parent, struct tutti__record *child,
                            int index);

/* End its core.park; nothing if it is not parked. */
void tutti__supervise_wake(struct tutti__record *record);

/* Somebody begins to wait for a record with RECORD_SUPERVISES: one without children ends by it. */
void tutti__supervise_awaited(struct tutti__record *record);

/* An owner begins to wait for its children: the same for the supervisors among them. */
void tutti__supervise_joined(struct tutti__record *owner);

extern const luaL_Reg tutti__supervise_functions[];

#endif
