/* SPDX-License-Identifier: MIT */
/*
 * cleanup.h - what tutti.defer has put off until its owner, a task or a scope, ends.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_CLEANUP_H
#define TUTTI_LUA_CLEANUP_H

#include "lua/state.h"

/* A C function for lua_callk, [owner's userdata, whether its body failed] -> list of errors: join the
 * children and run what was deferred, in turn, until neither is left.   [-2, +1, y] */
int tutti__cleanup_run(lua_State *L);

/**
 * Pop the list that tutti__cleanup_run gave. The first error counts as the body's: it is pushed, and true
 * is returned, unless the body has failed already; the others are left to the owner.
 */
bool tutti__cleanup_first_error(lua_State *L, struct tutti__record *owner, bool has_failed);

/* The owner's coroutine is being closed: run what was deferred although nothing can be awaited; errors are
 * left to the owner. */
void tutti__cleanup_run_now(lua_State *L, struct tutti__record *owner, int index);

/* The last child of an owner that joins inside tutti__cleanup_run has ended. */
void tutti__cleanup_joined(struct tutti__record *owner);

extern const luaL_Reg tutti__cleanup_functions[];

#endif
