/* SPDX-License-Identifier: MIT */
/*
 * assert.c - the last words of a broken engine.
 *
 * Layer: base. Locks: none.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void tutti__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "tutti: engine bug: %s is false (%s:%d)\n", condition, file, line);
    abort();
}
