/* SPDX-License-Identifier: MIT */
/*
 * names.h - which values of a state cross by name, and finding them in another.
 *
 * The NAMES table of the cache maps an object to a string: one letter of enum tutti__name_kind, the
 * module, and for a field of it a zero byte and the field's name; of what was registered, a zero byte
 * and the name. It is filled from package.loaded,
 * one level deep, and again when a value is met that it does not know although package.loaded has
 * changed since, or that could not cross otherwise.
 *
 * Layer: value. Locks: none; all on the thread that runs the state.
 * Invariant: of several names the best is kept (a registered one, a module itself, then what Lua
 * brings, other modules' fields, globals; then by alphabet), so that the choice does not hang on the
 * order of a hash table.
 */
#ifndef TUTTI_VALUE_NAMES_H
#define TUTTI_VALUE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

enum tutti__name_kind {
    TUTTI__NAME_REGISTERED = 'R', /* a table that was given a name by tutti__names_register */
    TUTTI__NAME_MODULE = 'M',    /* a value of package.loaded */
    TUTTI__NAME_CLASS = 'C',     /* a table of a module that has `__index`, or of the library */
    TUTTI__NAME_TABLE = 'T',     /* another table of a module: known as metatable only */
    TUTTI__NAME_CFUNCTION = 'F', /* a C function in a module */
    TUTTI__NAME_LIBRARY = 'L',   /* a Lua function of the library's own chunks */
};

/* Count a mark over the values of package.loaded; never 0. Neither raises nor allocates; takes up
 * to 4 slots of the stack. */
uint64_t tutti__names_mark(lua_State *L, int cache);

/* Fill NAMES of the cache at `cache`. Args: library - see codec.h. Raises: memory. */
void tutti__names_fill(lua_State *L, int cache, const char *library);

/* Is `source` (of lua_Debug) the name of a chunk of the library? Thread: any. */
bool tutti__names_own_source(const char *source, const char *library);

/**
 * Push the value that a name (without its letter) has in L; modules not loaded yet are required, also
 * one that is called as what is registered, since it may register that.
 * Args:    type - Lua's type that the sender's value had.
 * Returns: false - there is no such value, or of another type: what is pushed is a message.
 * Raises:  memory; whatever a module raises.
 */
bool tutti__names_resolve(lua_State *L, const char *name, size_t size, int type);

enum tutti__names_result { TUTTI__NAMES_OK, TUTTI__NAMES_TAKEN, TUTTI__NAMES_OTHER };

/**
 * Let the table at `index` be known as `name` in this state. What has no `__index` crosses by its name
 * as well as what has.
 * Returns: TUTTI__NAMES_OK (also when it was so already) · _TAKEN: the name belongs to another table ·
 *          _OTHER: the table is registered under another name, which is pushed. Raises: memory.
 */
enum tutti__names_result tutti__names_register(lua_State *L, const char *name, int index);

#endif
