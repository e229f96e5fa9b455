/* SPDX-License-Identifier: MIT */
/*
 * session.h - tells the Lua half what the command line asked for: the fields of tutti.session.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_SESSION_H
#define TUTTI_CLI_SESSION_H

#include <lua.h>

#include "cli/cli.h"

/* Fill in tutti.session. On the stack: the script as light userdata. The state has been attached.
 * [-1, +0, m] */
int cli_session_fill(lua_State *L);

#endif
