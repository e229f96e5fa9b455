/* SPDX-License-Identifier: MIT */
/*
 * say.h - what the program says by itself where there is no Lua to say it: on its thread for signals,
 * and at the end. Elsewhere tutti.say does.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_SAY_H
#define TUTTI_CLI_SAY_H

#include <stdbool.h>

/* From now on each line is an event, as --progress=json wants it. Thread: the main thread, before others
 * start. */
void cli_say_as_events(bool wants_events);

/* Write "tutti: ..." on stderr, whole. Thread: any. Args: text - in ASCII, no newline at its end. */
void cli_say(const char *text);

#endif
