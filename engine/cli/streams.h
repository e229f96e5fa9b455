/* SPDX-License-Identifier: MIT */
/*
 * streams.h - streams of the program's own in the place of stdout and stderr, and what happens in a
 * crash.
 *
 * Layer: cli. Thread: the main thread, before any Lua state is made.
 */
#ifndef TUTTI_CLI_STREAMS_H
#define TUTTI_CLI_STREAMS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* A stream whose bytes write(cookie, ...) takes. Buffering as of setvbuf. Returns: NULL - out of
   memory. */
FILE *cli_stream_new(ssize_t (*write)(void *cookie, const char *bytes, size_t size), void *cookie,
                     int buffering);

/* Are both the same terminal? */
bool cli_stream_is_same(int a, int b);

/* Call leave() in a crash, in the handler, before happens what would have happened. Once in a
   process. */
void cli_crash_call(void (*leave)(void));

#endif
