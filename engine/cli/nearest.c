/* SPDX-License-Identifier: MIT */
/*
 * nearest.c - see nearest.h.
 *
 * Layer: cli.
 */
#include "cli/nearest.h"

#include <string.h>

enum { WORD_MAX = 63 }; /* longer ones are near to nothing */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters must be changed, added or removed. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[length];
}

void cli_nearest_try(struct cli_nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->word);
    if (length > WORD_MAX || strlen(candidate) > WORD_MAX)
        return;
    size_t changes = distance(nearest->word, candidate);
    size_t limit = nearest->best == NULL ? length / 2 + 2 : nearest->changes;
    if (changes < limit) {
        nearest->best = candidate;
        nearest->changes = changes;
    }
}
