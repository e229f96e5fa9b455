/* SPDX-License-Identifier: MIT */
/*
 * prompt_lua.h - between the terminal of the prompt (prompt.c) and the Lua half
 * (lua/tutti/repl/terminal.lua).
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_PROMPT_LUA_H
#define TUTTI_CLI_PROMPT_LUA_H

#include <lua.h>
#include <stdbool.h>

/* ---- prompt.c, for the Lua half. Thread: the loop's. ---- */

/* Is there a terminal to talk to? */
bool cli_prompt_is_on(void);

/* Edit a line behind `prompt`; what comes of it arrives by cli_prompt_deliver. */
void cli_prompt_read(const char *prompt);

/* An entry for the history. */
void cli_prompt_remember(const char *entry);

/* From now on Ctrl-C is not the prompt's. */
void cli_prompt_leave(void);

/* ---- prompt_lua.c, for the terminal thread's posts. Thread: the loop's. ---- */

/* Hand over what came: "line" with its text, "interrupt" (text: "" if nothing was typed), "end". */
void cli_prompt_deliver(lua_State *L, const char *kind, const char *text);

/* Ctrl-C while no line is edited: cancel what runs in the foreground. In the middle of a script as
 * well, so no Lua code runs here. */
void cli_prompt_cancel(lua_State *L);

/* The same, in its turn: tell the Lua half. */
void cli_prompt_tell(lua_State *L);

#endif
