/* SPDX-License-Identifier: MIT */
/*
 * nearest.c - see nearest.h.
 *
 * Layer: cli.
 */
#include "cli/nearest.h"

#include <string.h>

enum { WORD_MAX = 63 }; /* longer ones are near to nothing */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added, removed, or exchanged with the next one. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1]; /* of three letters of a, in turn */
    size_t length = strlen(b);
    size_t i = 0;
    for (size_t j = 0; j <= length; j++)
        rows[0][j] = j;
    for (; a[i] != '\0'; i++) {
        const size_t *before = rows[(i + 2) % 3];
        const size_t *above = rows[i % 3];
        size_t *row = rows[(i + 1) % 3];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            row[j + 1] = least(least(above[j + 1], row[j]) + 1, above[j] + (a[i] != b[j]));
            if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
                row[j + 1] = least(row[j + 1], before[j - 1] + 1);
        }
    }
    return rows[i % 3][length];
}

/* From how many changes on a word is not near: a third of its letters may be wrong, of a short one a single
 * one, but not all. */
static size_t far_from(size_t length)
{
    size_t most = (length + 1) / 3 > 1 ? (length + 1) / 3 : 1;
    return least(most + 1, length > 1 ? length : 1);
}

void cli_nearest_try(struct cli_nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->word);
    if (length > WORD_MAX || strlen(candidate) > WORD_MAX)
        return;
    size_t changes = distance(nearest->word, candidate);
    size_t limit = nearest->best == NULL ? far_from(length) : nearest->changes;
    if (changes < limit) {
        nearest->best = candidate;
        nearest->changes = changes;
    }
}
