/* SPDX-License-Identifier: MIT */
/*
 * cancellation.h - error objects of kind `cancelled`.
 *
 * Cancelling may end many tasks at once, and hardly ever does anybody look at one of their errors. So such
 * an object begins as the few facts that it is made of, and becomes a table of fields when it is read.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_CANCELLATION_H
#define TUTTI_LUA_CANCELLATION_H

#include "lua/state.h"

/* Push the error that the cancelled `record` raises and ends with; reason - may be NULL.   [-0, +1, m] */
void tutti__cancellation_push(lua_State *L, struct tutti__record *record, const char *reason);

/* Push the fields, made now, of the object at `index`, which had none.   [-0, +1, m] */
void tutti__cancellation_fields(lua_State *L, int index);

/* In a message handler: is the error at 1 such a one, which nobody has read and which rises for the first
 * time? Then where it rose has been noted.   [-0, +0, m] */
bool tutti__cancellation_rises(lua_State *L, struct tutti__lua *lua);

#endif
