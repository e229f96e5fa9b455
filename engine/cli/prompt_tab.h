/* SPDX-License-Identifier: MIT */
/*
 * prompt_tab.h - Tab: the terminal thread asks the Lua half what the text may go on with.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_PROMPT_TAB_H
#define TUTTI_CLI_PROMPT_TAB_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "tutti.h"

struct cli_completion {
    size_t from, to; /* the bytes [from, to) of the line ... */
    char *insert;    /* ... become these (malloc) */
    char *listing;   /* lines to be shown if that changes nothing (malloc), or NULL */
};

/* From now on there is an engine to ask, whose loop state is L; with NULL no more. Loop thread. */
void cli_tab_start(tutti_engine *engine, lua_State *L);

/**
 * What may the line go on with, whose first `point` bytes are before the cursor?
 * Thread: the terminal's. Blocks: up to 0.5 s. Returns: false: nothing, or the loop is busy.
 */
bool cli_tab_ask(const char *line, size_t point, struct cli_completion *found);

/* prompt_lua.c: ask what the Lua half gave to completer(). Loop thread. Returns: false: nothing. */
bool cli_prompt_complete(lua_State *L, const char *line, size_t point,
                         struct cli_completion *found);

#endif
