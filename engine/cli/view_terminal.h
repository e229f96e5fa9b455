/* SPDX-License-Identifier: MIT */
/*
 * view_terminal.h - the terminal that text and the live view share: text above, the view below.
 *
 * The cursor always stands where text goes on. The view's rows, the *block*, begin on the cursor's row,
 * or on the next one while a line of text is not yet complete; after each paint the cursor goes back.
 * So the block is erased by clearing from the cursor to the end of the screen, whatever a resize has
 * made of its rows meanwhile.
 *
 * Layer: cli. The process has one, so there is no handle.
 */
#ifndef TUTTI_CLI_VIEW_TERMINAL_H
#define TUTTI_CLI_VIEW_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/view_text.h"

/* Writes the block's rows, each with a newline, for a screen of that size. Returns how many. */
typedef int cli_render(struct cli_text *text, int cols, int rows);

/* From now on `fd` is that terminal. Main thread, before there are others. */
void cli_terminal_open(int fd);

/* The size of the screen; that of COLUMNS and LINES, or 80 x 24, where `fd` does not know. */
void cli_terminal_size(int *cols, int *rows);

/**
 * Write text, above the block. Blocks as any write to a terminal does.
 * Args:    has_hidden - set: the block was shown and is erased now; it should be painted again.
 * Returns: the bytes written; fewer, with errno, when the terminal is gone.
 */
ssize_t cli_terminal_write(const char *bytes, size_t size, bool *has_hidden);

/* Draw the block anew; with no rows it is erased. Not while it is put away, nor in the background of a
 * shell. */
void cli_terminal_paint(cli_render *render);

/* Put the block away while something else has the terminal, and bring it back. They nest. */
void cli_terminal_hold(void);
void cli_terminal_release(void);

/* Erase the block for good, if the terminal takes that within 0.2 s. Thread: any; also on the way out. */
void cli_terminal_end(void);

/* As cli_terminal_end, in a signal handler. */
void cli_terminal_crash(void);

#endif
