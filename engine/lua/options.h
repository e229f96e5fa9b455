/* SPDX-License-Identifier: MIT */
/*
 * options.h - options of tasks in the shapes that need no Lua to be read.
 *
 * Layer: lua. Thread: the state's home.
 */
#ifndef TUTTI_LUA_OPTIONS_H
#define TUTTI_LUA_OPTIONS_H

#include "lua/state.h"

/* Where tutti__options_read puts what is a Lua value; nil: not given. */
enum tutti__option_slot {
    OPTION_NAME = 1,
    OPTION_AFTER,    /* a list of tasks without holes, the user's own */
    OPTION_ARGS,     /* a table */
    OPTION_FUNCTION, /* [1] of the table, a function */
    OPTION_SLOTS_MAX_ = OPTION_FUNCTION,
};

struct tutti__options {
    uint32_t after_count;
    uint8_t priority; /* as in struct tutti__record */
    bool detach;
    bool run_on_skip;
    bool on_pool;
};

/* Know the words of options by their address. Once for each state. Raises: memory. */
void tutti__options_open(lua_State *L, struct tutti__lua *lua);

/**
 * Read the table of options at stack index 1, in one walk and without making anything.
 *
 * Returns: true - all is well formed; slots OPTION_NAME .. OPTION_FUNCTION lie at 1 .. 4, what was on the
 *          stack follows from 5 on · false - it takes lua/tutti/options.lua to read it, or to say what is
 *          wrong with it; the stack is as it was.
 */
bool tutti__options_read(lua_State *L, struct tutti__lua *lua, struct tutti__options *out);

#endif
