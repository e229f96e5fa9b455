/* SPDX-License-Identifier: MIT */
/*
 * guess.h - the code of closures that are made anew for each message: most likely that of the last one
 * from the same place.
 *
 * Lua has no name for a prototype. So the dump of a function is compared with what was guessed, piece by
 * piece. lua_dump hands its writer the instructions where they lie; two functions that both live and have
 * them in one place are of one prototype. So once a function has been compared, and as long as it lives,
 * others are known by that address, and their dump ends there.
 *
 * Layer: value. Locks: none; all on the thread that runs the state.
 */
#ifndef TUTTI_VALUE_GUESS_H
#define TUTTI_VALUE_GUESS_H

#include "value/cache.h"

/* Does this Lua hand out instructions where they lie? Raises: memory. */
bool tutti__guess_can_tell(lua_State *L);

/* The guess for a function of which `ar` tells what "Su" ask for; NULL: there is none. */
struct tutti__cache_guess *tutti__guess_find(struct tutti__cache *cache, const lua_Debug *ar);

/* Remember `place` as a guess, unless it is so or its code is large. Takes a reference of its own. */
void tutti__guess_set(struct tutti__cache *cache, const struct tutti__place *place);

/**
 * Has the function at the top the code that was guessed? All of it is compared.
 * Args:    at - absolute stack index of the cache. Two stack slots are used. Never raises.
 */
bool tutti__guess_compare(lua_State *L, int at, struct tutti__cache_guess *guess);

/* The same by address alone; false: it is not known. */
bool tutti__guess_is_same(lua_State *L, int at, const struct tutti__cache_guess *guess);

#endif
