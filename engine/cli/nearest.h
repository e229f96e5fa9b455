/* SPDX-License-Identifier: MIT */
/*
 * nearest.h - which known word was probably meant.
 *
 * Layer: cli.
 */
#ifndef TUTTI_CLI_NEAREST_H
#define TUTTI_CLI_NEAREST_H

#include <stddef.h>

/* The search for one word. Begin with { .word = word }. */
struct cli_nearest {
    const char *word;
    const char *best; /* NULL: none is near */
    size_t changes;   /* from word to best */
};

/* Consider one more known word; the first of equally near ones stays. Memory: keeps `candidate`. */
void cli_nearest_try(struct cli_nearest *nearest, const char *candidate);

#endif
