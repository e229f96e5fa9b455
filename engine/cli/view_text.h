/* SPDX-License-Identifier: MIT */
/*
 * view_text.h - text of any origin as cells of a terminal: how wide it is, cut to what there is room
 * for.
 *
 * Names and notes come from scripts: any bytes. Here they become text that cannot move the cursor.
 *
 * Layer: cli. Thread: any. Locks: none.
 */
#ifndef TUTTI_CLI_VIEW_TEXT_H
#define TUTTI_CLI_VIEW_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that are being written; what does not fit is left out as a whole. */
struct cli_text {
    char *bytes;
    size_t size;
    size_t capacity;
};

void cli_text_add(struct cli_text *text, const char *bytes, size_t size);
void cli_text_addf(struct cli_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many cells `name` takes when it is made harmless. */
int cli_text_width(const char *name);

/* How many cells the character takes that begins with these `size` bytes; *used is how many bytes it has. */
int cli_text_cells(const char *bytes, size_t size, size_t *used);

/**
 * Append `name` cut to `cells`, its middle left out if need be. Control characters, what changes the
 * direction of writing, and bytes that are no UTF-8 become "?".
 * Returns: the cells it took.
 */
int cli_text_put(struct cli_text *text, const char *name, int cells);

/* Copy `size` bytes as a C string of at most `capacity - 1`; of a longer one the middle is left out, and
 * no character is cut in two. */
void cli_text_copy(char *to, size_t capacity, const char *from, size_t size);

#endif
