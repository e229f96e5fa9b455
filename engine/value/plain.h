/* SPDX-License-Identifier: MIT */
/*
 * plain.h - the short way for messages of values without parts.
 *
 * Layer: value. Locks: none.
 */
#ifndef TUTTI_VALUE_PLAIN_H
#define TUTTI_VALUE_PLAIN_H

#include <lua.h>

#include "value/buffer.h"

/**
 * Encode the values at first .. first+count-1, if all of them are plain and few, and fit.
 * Memory:  returns owned.
 * Returns: NULL - the long way (encode.c) has to be gone, which also says what is wrong. Never raises.
 */
struct tutti__buffer *tutti__plain_encode(lua_State *L, int first, int count, size_t bytes_max);

/* Write the plain value at `index`, for which there is room. Returns: behind it. */
uint8_t *tutti__plain_put(lua_State *L, int index, uint8_t *at);

#endif
