/* SPDX-License-Identifier: MIT */
/*
 * view_lua.h - between the view (view.c) and the Lua half (lua/tutti/progress).
 *
 * Layer: cli. Thread: the loop's.
 */
#ifndef TUTTI_CLI_VIEW_LUA_H
#define TUTTI_CLI_VIEW_LUA_H

#include <lua.h>
#include <stdbool.h>

#include "cli/view_draw.h"

/* ---- view.c, for the Lua half ---- */

/* Ask the Lua half what runs, in `delay` seconds or when it can be. */
void cli_view_touch(double delay);

/* From now on this is what runs; with no bar nothing, and the view is gone when this returns. */
void cli_view_show(const struct cli_model *model);

/* How many rows the view has at the moment. */
int cli_view_height(void);

double cli_view_clock(void);
/* Is there a view to talk to? */
bool cli_view_is_on(void);

/* ---- view_lua.c, for the painter ---- */

/* Call what the Lua half gave to listen(). */
void cli_view_refresh(lua_State *L);

#endif
