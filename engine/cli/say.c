/* SPDX-License-Identifier: MIT */
/*
 * say.c - see say.h; lua/tutti/progress/events.lua has the form of events.
 *
 * Layer: cli. Thread: any. Locks: stderr's own.
 */
#include "cli/say.h"

#include <stdio.h>
#include <time.h>

/* The program has one stderr. Written before other threads start. */
static bool is_events;

void cli_say_as_events(bool wants_events)
{
    is_events = wants_events;
}

static double seconds_now(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* the clock of tutti.now */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The text as the inside of a JSON string. */
static void put_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stderr);
        fputc(*text >= ' ' && *text <= '~' ? *text : '?', stderr);
    }
}

void cli_say(const char *text)
{
    flockfile(stderr);
    if (is_events) {
        fprintf(stderr, "{\"v\":1,\"event\":\"message\",\"t\":%.6f,\"text\":\"tutti: ", seconds_now());
        put_escaped(text);
        fputs("\"}\n", stderr);
    } else {
        fprintf(stderr, "tutti: %s\n", text);
    }
    funlockfile(stderr);
}
