/* SPDX-License-Identifier: MIT */
/*
 * world.h - the part of struct tutti__lua that belongs to one engine: opened with the state, and exchanged
 * while tutti.testing runs a function in an engine of its own.
 *
 *     lua (permanent: every C function knows it)      aside
 *     [ the outer world ]                             .             before
 *     [ the inner world ]                             [ the outer ] while it is put aside
 *     [ the outer world ]                             .             after
 *
 * Every record that has not settled knows its world by record->lua, so those of the outer one are told
 * that it lies aside. They stand still there: nobody runs their loop; but they can be asked, cancelled,
 * waited for, and do what they then do in their own world.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_WORLD_H
#define TUTTI_LUA_WORLD_H

#include "lua/state.h"

/* Make the world of `engine`: its part of *lua is all zero. May raise; tutti__world_close then undoes it. */
void tutti__world_open(lua_State *L, struct tutti__lua *lua, tutti_engine *engine);

/* Let go of it, and make its part all zero. Its tasks have settled, its handles hold nothing of the engine
 * any more. Does not raise. */
void tutti__world_close(lua_State *L, struct tutti__lua *lua);

/* Put the world of *lua into *aside, which must not move, / back. They do not raise. */
void tutti__world_put_aside(lua_State *L, struct tutti__lua *lua, struct tutti__lua *aside);
void tutti__world_put_back(lua_State *L, struct tutti__lua *lua, struct tutti__lua *aside);

/* Take from the handles of this world what they have of its engine, which is about to be freed: results are
 * read now. What belongs to no engine (channels ...) is known in the world of `heir` from now on.
 * May raise: no memory; then it can be done again. */
void tutti__world_release(lua_State *L, struct tutti__lua *lua, struct tutti__lua *heir);

/* ---- testing.c ----------------------------------------------------------------------------- */

/* Inside tutti.testing: take the cancellations that have reached the outer world, and end the test if the
 * task that began it is cancelled. In the hook too; does nothing elsewhere. */
void tutti__testing_hear(struct tutti__lua *lua);

/* The root of the outer world, which is the state's own outside of tutti.testing. */
struct tutti__record *tutti__testing_outer_root(const struct tutti__lua *lua);

#endif
