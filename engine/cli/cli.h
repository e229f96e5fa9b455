/* SPDX-License-Identifier: MIT */
/*
 * cli.h - the commands of the program.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_CLI_H
#define TUTTI_CLI_CLI_H

#include <stdbool.h>

#include "tutti.h"

/* Exit statuses (design 3); a script's own are 0, 1 and 3. */
enum cli_status { CLI_GOOD = 0, CLI_FAILED = 1, CLI_BAD_USAGE = 2, CLI_WRONG = 3 };

struct cli_options;

/* What to run: a file, or a chunk of text if `file` is NULL, or a prompt if `chunk` is NULL too. */
struct cli_script {
    const char *program; /* argv[0] */
    const char *file;
    const char *chunk;
    char **words; /* what is behind it, without a leading "--" */
    int word_count;
    bool is_plan;
    bool is_repl;
    const struct cli_options *options;
    /* What the words say if the script returns a graph; may have a problem. */
    const struct cli_options *late;
};

/* Run a script to its end. Returns: the exit status; dies by the signal if one ended it. */
int cli_run(const struct cli_script *script);

/* The prompt; a batch if there is a FILE or if standard input is no terminal. Returns: as cli_run. */
int cli_repl(const struct cli_script *script);

const char *cli_lua_version(void);

#endif
