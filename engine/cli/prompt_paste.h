/* SPDX-License-Identifier: MIT */
/*
 * prompt_paste.h - what is pasted at the prompt: a block of lines that waits for Enter.
 *
 * The library would keep all of it in the line that is edited, and cannot show more of a line than
 * fits the screen. So whole lines of a paste are put above the line, as those that were entered one
 * by one are, and are taken together with it.
 *
 * Layer: cli. Thread: the terminal's; cli_paste_open on the main thread.
 */
#ifndef TUTTI_CLI_PROMPT_PASTE_H
#define TUTTI_CLI_PROMPT_PASTE_H

#include <stdbool.h>

#include "cli/readline.h"

/* Take pastes from the library, which has been initialized. */
void cli_paste_open(const struct cli_readline *library);

/* A line begins behind this prompt; no paste is kept. */
void cli_paste_begin(const char *prompt);

/**
 * The lines that were pasted and `line`, which came behind them.
 *
 * Memory:  takes `line`; returns owned (free). NULL: out of memory.
 */
char *cli_paste_join(char *line);

/* Forget what was pasted. Returns whether there was something. */
bool cli_paste_drop(void);

#endif
