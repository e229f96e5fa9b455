/* SPDX-License-Identifier: MIT */
/*
 * signal.h - tutti.signal: tasks that end with a signal of the process.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_SIGNAL_H
#define TUTTI_LUA_SIGNAL_H

#include "lua/state.h"

struct tutti__signals;

/* What an engine's states await. Thread: the loop's. NULL: no memory. Free: once its threads have ended. */
struct tutti__signals *tutti__signals_new(tutti_engine *engine);
void tutti__signals_free(struct tutti__signals *signals);

/* The loop state ends: signals do again what they did. Thread: the loop's. */
void tutti__signals_close(struct tutti__signals *signals);

/* End the tasks that await the signal; false: there is none. Thread: any. */
bool tutti__signals_deliver(struct tutti__signals *signals, int number);

extern const luaL_Reg tutti__signal_functions[];

#endif
