/* SPDX-License-Identifier: MIT */
/*
 * call.h - the short way for calls: a Lua function that was sent before, with plain upvalues and plain
 * arguments.
 *
 * Layer: value. Locks: none.
 */
#ifndef TUTTI_VALUE_CALL_H
#define TUTTI_VALUE_CALL_H

#include "value/codec.h"

/**
 * Encode the values at first .. first+count-1, if they are such a call, and small.
 * Args:    first - absolute; bytes_max - the most the message may take.
 * Memory:  returns owned.
 * Returns: NULL - the long way (encode.c) has to be gone. Never raises; the stack is as it was.
 */
struct tutti__buffer *tutti__call_encode(lua_State *L, int first, int count,
                                         const struct tutti__encode_opts *opts, size_t bytes_max);

#endif
