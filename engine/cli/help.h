/* SPDX-License-Identifier: MIT */
/*
 * help.h - what the tables say, as text for people, as a manual page, and as completions for
 * shells.
 *
 * Layer: cli. Thread: the main thread.
 */
#ifndef TUTTI_CLI_HELP_H
#define TUTTI_CLI_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/tables.h"

/* `tutti --help`. */
void cli_help_all(FILE *stream);

/* `tutti COMMAND --help`. */
void cli_help_command(FILE *stream, const struct cli_command *command);

/* The manual page tutti(1), as roff. */
void cli_manual(FILE *stream);

/* Returns: false: completions for this shell are unknown. */
bool cli_completions(FILE *stream, const char *shell);

#endif
