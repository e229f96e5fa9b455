/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the Lua states of the pool's workers, and what all states of one engine share.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_WORKER_H
#define TUTTI_LUA_WORKER_H

#include "lua/state.h"

/* The Lua state of the calling worker, made on its first Lua task. NULL: out of memory. */
struct tutti__lua *tutti__worker_lua(tutti_engine *engine);

/* Close that state now, on a thread that stays: the one thread of a testing engine. */
void tutti__worker_close(tutti_engine *engine);

/* Note the module paths of the loop state, for the workers made from now on. Thread: the loop's. */
void tutti__shared_note_paths(lua_State *L, struct tutti__lua *lua);

/* The engine is that of `tutti run`, which owns the process: set before the script starts / ask. */
void tutti__shared_set_program(tutti_engine *engine);
bool tutti__shared_is_program(tutti_engine *engine);

/* What tasks await of signals; NULL: no state has asked yet. Thread: any. */
struct tutti__signals *tutti__shared_signals(tutti_engine *engine);

/* The loop state has ended: nothing is given to its root any more. Thread: the loop's. */
void tutti__shared_forget(struct tutti__lua *lua);

/* Its trace, see trace.h; NULL: no memory. Thread: any. */
struct tutti__trace *tutti__shared_trace(tutti_engine *engine);

/* What is known of who waits for whom, see circle.h. NULL: nothing is shared yet. Thread: any. */
struct tutti__circles;
struct tutti__circles *tutti__shared_circles(tutti_engine *engine);

/* Make the loop state's root the owner of a detached task of this worker (userdata at `index`). */
void tutti__shared_give_to_root(lua_State *L, struct tutti__record *record, int index);

/* What the states of `engine` share; made on the first call, freed with the engine. NULL: no memory. */
struct tutti__shared *tutti__shared_of(tutti_engine *engine);

#endif
