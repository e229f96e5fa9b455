/* SPDX-License-Identifier: MIT */
/*
 * cache.h - what one Lua state remembers about values between two calls.
 *
 * One userdata in the registry, whose user values are:
 *
 *   NAMES      object -> name (weak keys): what crosses by name, see names.h
 *   FUNCTIONS  Lua function -> entry (weak keys): code that was dumped here before
 *   YOUNG OLD  hash -> entry: code known by content, in two generations
 *   FACTORIES  number of upvalues -> dumped factory, see proto.h
 *   LOADED     the table package.loaded
 *   REGISTERED name -> table: what was given a name by tutti__names_register
 *   GUESSED    number of a guess -> function that has its code (weak values), see guess.h
 *
 * An entry is a userdata with a reference on a prototype; its user value is the loaded factory, once
 * this state has received such a function. When YOUNG is full it becomes OLD and the old OLD goes;
 * what is used again moves to YOUNG. So a million different functions keep memory flat.
 *
 * Layer: value. Locks: none; all on the thread that runs the state.
 * Invariant: an entry stands at the hash of its own prototype.
 */
#ifndef TUTTI_VALUE_CACHE_H
#define TUTTI_VALUE_CACHE_H

#include <stdbool.h>

#include <lua.h>

#include "value/proto.h"

enum tutti__cache_part {
    TUTTI__CACHE_NAMES = 1,
    TUTTI__CACHE_FUNCTIONS,
    TUTTI__CACHE_YOUNG,
    TUTTI__CACHE_OLD,
    TUTTI__CACHE_FACTORIES,
    TUTTI__CACHE_LOADED,
    TUTTI__CACHE_REGISTERED,
    TUTTI__CACHE_GUESSED,
    TUTTI__CACHE_PARTS_MAX_ = TUTTI__CACHE_GUESSED,
};

enum { TUTTI__CACHE_EVERY = 8 }; /* see tutti__cache_dumped */

/* A generation ends at whichever comes first. */
#ifdef TUTTI_HARD
enum { TUTTI__CACHE_ENTRIES_MAX = 4, TUTTI__CACHE_FUNCTIONS_MAX = 8, TUTTI__CACHE_GUESSES = 2 };
static const size_t TUTTI__CACHE_BYTES_MAX = 4096;
#else
enum { TUTTI__CACHE_ENTRIES_MAX = 512, TUTTI__CACHE_FUNCTIONS_MAX = 4096, TUTTI__CACHE_GUESSES = 16 };
static const size_t TUTTI__CACHE_BYTES_MAX = 4u << 20;
#endif

/* Code, and where the function is from that has it. */
struct tutti__place {
    struct tutti__proto *proto; /* a reference */
    const char *source;         /* where it is from, of lua_Debug */
    int first_line;
    int last_line;
};

/* What a function from this place had for code. It may have other code now, or be another chunk at the
 * same address: a guess, to be compared with what lua_dump says. */
struct tutti__cache_guess {
    struct tutti__place place; /* proto NULL: none */
    uint32_t hits;
    const void *code; /* where the instructions of the function in GUESSED lie, while it is there */
};

struct tutti__cache {
    uint64_t loaded_mark;    /* of package.loaded when NAMES was filled, see names.c; 0 = never */
    size_t young_bytes;
    uint32_t young_count;
    uint32_t function_count; /* added to FUNCTIONS since it was last emptied */
    bool shows_code;         /* see tutti__guess_can_tell */
    struct tutti__cache_guess guesses[TUTTI__CACHE_GUESSES];
};

struct tutti__cache_entry {
    struct tutti__proto *proto;
    uint32_t dump_count; /* how often code of this content was dumped here */
};

/* Push L's cache. Returns: it, or NULL with nothing pushed when there is none yet. Never raises. */
struct tutti__cache *tutti__cache_get(lua_State *L);

/* Push L's cache, made if need be. Raises: memory. */
struct tutti__cache *tutti__cache_open(lua_State *L);

/**
 * Push the entry for `proto`'s content.
 * Args:    cache - stack index of the cache.
 * Returns: it, or NULL with nothing pushed. Never raises.
 */
struct tutti__cache_entry *tutti__cache_find(lua_State *L, int cache,
                                             const struct tutti__proto *proto);

/* Push the entry for `proto`'s content and make it (again) one of the young. Raises: memory. */
struct tutti__cache_entry *tutti__cache_keep(lua_State *L, int cache, struct tutti__proto *proto);

/**
 * Remember that the Lua function at `function` has the code `proto`: after the first dump of that
 * content, and after every eighth, or guess that was right. (A closure that is made anew for each
 * message would only fill the table; one that lasts gets there soon.) Raises: memory.
 */
void tutti__cache_dumped(lua_State *L, int cache, int function, struct tutti__proto *proto);

/**
 * Push a new closure of `proto`. Its upvalues are its own; what they hold is for the caller to set.
 * Raises: memory; "damaged" when the checksum does not hold.
 */
void tutti__cache_closure(lua_State *L, int cache, struct tutti__proto *proto);

#endif
