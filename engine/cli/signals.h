/* SPDX-License-Identifier: MIT */
/*
 * signals.h - Ctrl-C and its kin: a thread that waits for them and posts to the loop.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_SIGNALS_H
#define TUTTI_CLI_SIGNALS_H

#include <stdbool.h>

#include "tutti.h"

/* Block the signals in this thread and so in all that it starts. Before the engine is made. */
void cli_signals_block(void);

/**
 * Call fn(user, number, count) on the loop thread: count is 1 for the first of INT, TERM and HUP; 2, with
 * the number of the first, for the second or when 10 s have passed since the first. TSTP comes as itself.
 * A broken pipe on standard output counts as a signal too (PIPE), once, with 1 s to end.
 * A loop that does not answer the second within 1 s is left to itself: the process dies.
 * Returns: TUTTI_OK or TUTTI_EAGAIN (no thread).
 */
int cli_signals_start(tutti_engine *engine, void (*fn)(void *user, int number, int count), void *user);

/* Has a write of ours met an output that nobody reads any more? The script may have ended before fn came. */
bool cli_signals_pipe_broke(void);

/* Stop the thread. Before the engine is freed. */
void cli_signals_stop(void);

/* End this process by the signal, so that the shell sees it. Does not return. */
void cli_signals_die(int number);

#endif
