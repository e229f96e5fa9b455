/* SPDX-License-Identifier: MIT */
/*
 * host.h - what all commands that run Lua have in common: an engine, a Lua state, the signals, and how
 * it all ends.
 *
 * Layer: cli. Thread: the main thread, which is the loop thread.
 */
#ifndef TUTTI_CLI_HOST_H
#define TUTTI_CLI_HOST_H

#include <lua.h>
#include <stdbool.h>

#include "cli/cli.h"
#include "cli/options.h"

/* What the user sees while Lua runs: the live view or the prompt. */
struct cli_face {
    /* Before any Lua state is made and after the signals are blocked. */
    void (*open)(const struct cli_options *options);
    /* Gives the Lua half its functions.   [-1, +0, v] */
    int (*attach)(lua_State *L);
    void (*start)(tutti_engine *engine, lua_State *L);
    /* Before the state is closed. */
    void (*stop)(void);
};

struct cli_host {
    const struct cli_script *script;
    const struct cli_face *face;
    tutti_engine *engine;
    lua_State *L;
    int signal;   /* the first that came, or 0 */
    bool is_over; /* the script has ended: a signal has nothing left to cancel */
};

/* Is there a file that can be read? Says why not. */
bool cli_host_can_read(const char *file);

/* Write out what is left in stdout. Returns: CLI_GOOD, or CLI_FAILED if anything got lost since the
 * beginning; says so. */
int cli_host_end_output(void);

/**
 * Make an engine and a Lua state with what the command line asked for, call `run`, and end it all.
 *
 * Returns: the exit status, as a rule what `run` returned; dies by the signal if one ended it.
 */
int cli_host_run(const struct cli_script *script, const struct cli_face *face,
                 int (*run)(struct cli_host *host));

/**
 * For `run`: run what has been loaded, as a task named `name`, to the end of all tasks; signals end it.
 * On top of the stack: the function and its `argc` arguments.
 *
 * Returns: the exit status; says what is wrong beyond the script.
 */
int cli_host_run_loaded(struct cli_host *host, const char *name, int argc);

#endif
