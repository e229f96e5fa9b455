/* SPDX-License-Identifier: MIT */
/*
 * waits.h - how each kind of wait ends: taken back, or told that what it was for has come. The records say
 * by a number what they wait for (enum tutti__waits_for), for a pointer in each of them would be memory.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_WAITS_H
#define TUTTI_LUA_WAITS_H

#include "lua/state.h"

/* Take back the wait of a suspended record. Each stands in the file that begins such waits. */
void tutti__nap_withdraw(struct tutti__record *record);
void tutti__cleanup_withdraw(struct tutti__record *record);
void tutti__blocked_withdraw(struct tutti__record *record);
void tutti__fs_withdraw(struct tutti__record *record);
void tutti__uv_withdraw(struct tutti__record *record);
void tutti__signal_withdraw(struct tutti__record *record);

/* What `record`, which is tied to `target`, waited for has come: see tutti__waiter_fire. */
void tutti__await_fire(struct tutti__record *record, struct tutti__record *target);
void tutti__start_fire(lua_State *L, struct tutti__record *record, struct tutti__record *target);
void tutti__scope_fire(lua_State *L, struct tutti__record *record, struct tutti__record *target);
void tutti__gather_fire(lua_State *L, struct tutti__waiter *waiter, struct tutti__record *target);

#endif
