/* SPDX-License-Identifier: MIT */
/*
 * view.h - the live view of the program: a thread that paints what runs, while text goes above it.
 *
 *     any state --print--> stdout, stderr (streams of view.c) --> view_terminal.c --> the terminal
 *     lua/tutti/progress: events -> touch()                            ^
 *                         refresh() <-- post -- painter thread: render (view_draw.c)
 *
 * The Lua half keeps what runs; of an event it only tells that there was one. At most 15 times a
 * second the painter asks for a picture of it (the *model*), which a post to the loop then makes, and
 * paints. While nothing happens, or the loop is busy, it paints the last picture with later ages, once
 * a second. With no run it sleeps.
 *
 * With --progress=plain there are no streams and nothing is painted: the thread only asks in time.
 *
 * Layer: cli. The process has one view, so there is no handle.
 */
#ifndef TUTTI_CLI_VIEW_H
#define TUTTI_CLI_VIEW_H

#include <lua.h>

#include "cli/options.h"
#include "tutti.h"

/* Put the streams in place. Main thread, before any Lua state is made and after the signals are blocked. */
void cli_view_open(const struct cli_options *options);

/* Give the Lua half its functions: session.view, if there is a view.   [-1, +0, v] */
int cli_view_attach(lua_State *L);

/* From now on the painter may post to this engine, whose loop state is L. Loop thread. */
void cli_view_start(tutti_engine *engine, lua_State *L);

/* End the painter and erase what it painted. Loop thread, before L is closed. */
void cli_view_stop(void);

/* Put the view away while the process is stopped, and bring it back. Thread: any. */
void cli_view_hold(void);
void cli_view_release(void);

/* Erase the view because the process ends now. Thread: any. */
void cli_view_end(void);

#endif
