/* SPDX-License-Identifier: MIT */
/*
 * execute.h - os.execute of the program's loop state: the command has the terminal, and its keys.
 *
 * Layer: cli. Thread: the loop's, which it blocks.
 */
#ifndef TUTTI_CLI_EXECUTE_H
#define TUTTI_CLI_EXECUTE_H

#include <lua.h>

/* Replace os.execute; the libraries are open.   [-0, +0, v] */
int cli_execute_attach(lua_State *L);

#endif
