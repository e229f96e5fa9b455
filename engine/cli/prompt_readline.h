/* SPDX-License-Identifier: MIT */
/*
 * prompt_readline.h - lines as GNU readline edits them.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_PROMPT_READLINE_H
#define TUTTI_CLI_PROMPT_READLINE_H

#include "cli/prompt_editor.h"

/* Load the library, and let it write to the terminal `fd`. Returns: NULL - there is none. Main
   thread. */
const struct cli_editor *cli_editor_readline_open(int fd);

#endif
