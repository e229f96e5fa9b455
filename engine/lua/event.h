/* SPDX-License-Identifier: MIT */
/*
 * event.h - a latch: tasks of any states wait until it is set, and it stays set.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_EVENT_H
#define TUTTI_LUA_EVENT_H

#include "lua/handle.h"

extern const struct tutti__handle_type tutti__event_type;
extern const luaL_Reg tutti__event_functions[];
extern const luaL_Reg tutti__event_methods[];

#endif
