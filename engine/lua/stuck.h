/* SPDX-License-Identifier: MIT */
/*
 * stuck.h - who runs, in words, asked in the middle of C code that cannot be interrupted.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_STUCK_H
#define TUTTI_LUA_STUCK_H

#include "lua/state.h"

/**
 * Write which task runs in the state of `watched`, with the tasks that started it: task "a > b".
 * Thread:  the state's, in a signal handler. Returns: false if nothing that runs is to end.
 */
bool tutti__stuck_describe(struct tutti__watched *watched, char *text, size_t size);

/* The coroutine of `record` has begun; its userdata is at `index`: note its name for the above. */
void tutti__stuck_note_name(lua_State *L, struct tutti__record *record, int index);

/* A chunk name, which the registry keeps, has got this index. Without memory it stays unknown. */
void tutti__stuck_note_source(struct tutti__lua *lua, uint32_t index, const char *text);

/* Free what is noted. */
void tutti__stuck_forget(struct tutti__lua *lua);

#endif
