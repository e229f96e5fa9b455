/* SPDX-License-Identifier: MIT */
/*
 * tutti_lua.h - tutti for hosts with a lua_State.
 *
 * The library's Lua half is compiled in: no path has to be set.
 */
#ifndef TUTTI_LUA_H
#define TUTTI_LUA_H

#include <lua.h>

#include "tutti.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The module: `require "tutti"`. In a state without an engine it makes one with the calling thread as
 * its loop thread, which ends with the state. Raises on failure. */
TUTTI_API int luaopen_tutti(lua_State *L);

/* The C half that lua/tutti/init.lua asks for. */
TUTTI_API int luaopen_tutti_core(lua_State *L);

/**
 * As luaL_newstate, with an allocator of the state's own, which serves many small tasks faster than malloc
 * and with less memory. Close it with lua_close.
 * Returns: NULL - out of memory.
 */
TUTTI_API lua_State *tutti_lua_newstate(void);

/**
 * Tie a Lua state to an engine made with TUTTI_LOOP_CALLER and put the module into package.preload.
 * Thread:  the engine's creator, which becomes the state's only thread.
 * Returns: TUTTI_OK · TUTTI_EINVAL (the state has an engine already, or not the loop thread) ·
 *          TUTTI_ENOMEM. Close the state before the engine is freed.
 */
TUTTI_API int tutti_lua_attach(lua_State *L, tutti_engine *e);

/**
 * Run a chunk as a task named `name` and the loop until no task of the state is left, as `tutti run`
 * does. On top of the stack: the function and its `argc` arguments (popped). From then on `os.exit` of
 * this state cancels and joins every task before the run ends with that status.
 *
 * Thread:  the loop thread. Blocks: yes.
 * Args:    status - set to what `tutti run` would exit with: 0 · 1 · 3.
 * Returns: TUTTI_OK · TUTTI_EINVAL (no engine in this state) · TUTTI_ENOMEM.
 */
TUTTI_API int tutti_lua_run(lua_State *L, const char *name, int argc, int *status);

/**
 * Cancel every task of the state.
 * Thread: the loop thread. Args: reason - NULL or a text for the error object.
 */
TUTTI_API int tutti_lua_cancel(lua_State *L, const char *reason);

/**
 * End the tasks made by tutti.signal that await this signal, as a host that takes signals by itself (sigwait)
 * does. A host that does not has nothing to do: while such a task is pending the loop watches the signal.
 *
 * Thread:  any; not in a signal handler. The engine's states exist as long as the call lasts.
 * Returns: TUTTI_OK: there was one · TUTTI_EAGAIN: there was none, do as you would without tutti ·
 *          TUTTI_EINVAL.
 */
TUTTI_API int tutti_lua_signal(tutti_engine *e, int number);

#ifdef __cplusplus
}
#endif
#endif
