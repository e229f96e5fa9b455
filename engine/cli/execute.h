/* SPDX-License-Identifier: MIT */
/*
 * execute.h - os.execute and io.popen of the program's loop state: their commands can be interrupted, and
 * those of os.execute have the terminal.
 *
 * Layer: cli. Thread: the loop's, which it blocks.
 */
#ifndef TUTTI_CLI_EXECUTE_H
#define TUTTI_CLI_EXECUTE_H

#include <lua.h>

/* Replace them. The state has been attached.   [-n, +0, v] */
int cli_execute_attach(lua_State *L);

#endif
