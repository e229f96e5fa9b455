/* SPDX-License-Identifier: MIT */
/*
 * parcel.h - one Lua value on its way from one task to another, whatever their states.
 *
 * Numbers, booleans and short strings travel in the parcel itself; the others as bytes of the codec.
 * What was packed cannot change: it is a copy, in one state too.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_PARCEL_H
#define TUTTI_LUA_PARCEL_H

#include "lua/state.h"

enum { TUTTI__PARCEL_TEXT = 30 };

struct tutti__parcel {
    union {
        lua_Integer integer;
        lua_Number number;
        struct tutti__buffer *buffer;
        char text[TUTTI__PARCEL_TEXT];
    } as;
    uint8_t length; /* of text */
    uint8_t kind;   /* enum parcel_kind of parcel.c; 0: empty */
};

/**
 * Pack the value at `index`; `what` names the operation, as in "send this through a channel".
 * Memory: pair with one of unpack and drop. Raises: kind `transfer` at the caller's line.
 */
void tutti__parcel_pack(lua_State *L, struct tutti__lua *lua, int index, const char *what,
                        struct tutti__parcel *parcel);

/* Push the value and empty the parcel. Raises, with the parcel emptied: what cannot be decoded here. */
void tutti__parcel_unpack(lua_State *L, struct tutti__lua *lua, struct tutti__parcel *parcel);

/* Let go of a value that nobody gets. Thread: any. */
void tutti__parcel_drop(struct tutti__parcel *parcel);

#endif
