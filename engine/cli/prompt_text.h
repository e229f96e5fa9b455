/* SPDX-License-Identifier: MIT */
/*
 * prompt_text.h - text of any thread on its way to the terminal of the prompt.
 *
 * While no line is edited it goes straight through. Meanwhile it is kept, in order, and the
 * terminal thread takes it line by line; who writes when there is no more room waits. A line that
 * is not complete stands back until its end comes, so that lines of stdout and of stderr do not
 * mix; cli_prompt_text_take says when it has waited long enough.
 *
 * Layer: cli. Thread: any.
 */
#ifndef TUTTI_CLI_PROMPT_TEXT_H
#define TUTTI_CLI_PROMPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Text goes to the terminal `fd`; wake() is called when there is some to be taken. Main thread. */
void cli_prompt_text_open(int fd, void (*wake)(void));

/* Which of the two streams something is written to. */
enum cli_lane { CLI_LANE_OUT, CLI_LANE_ERR, CLI_LANES };

/**
 * Blocks:  as a write to a terminal does, or while too much is kept.
 * Returns: `size`; fewer, with errno, when the terminal is gone.
 */
ssize_t cli_prompt_text_put(enum cli_lane lane, const char *bytes, size_t size);

/* Write as the terminal thread itself: at once. */
void cli_prompt_text_write(const char *bytes, size_t size);

/* From now on text is kept. The cursor stands at the beginning of a row. */
void cli_prompt_text_keep(void);

/* Write all that is kept; from now on text goes straight through. */
void cli_prompt_text_release(void);

/**
 * Take lines, up to `capacity` bytes, the last one with a newline: one that is too long for the
 * room, or whose end does not come, gets one.
 * Args:    wait_ms - set to when to come again for what is not complete yet; -1: when woken.
 * Returns: how many bytes.
 */
size_t cli_prompt_text_take(char *bytes, size_t capacity, int *wait_ms);

#endif
