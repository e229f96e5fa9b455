/* SPDX-License-Identifier: MIT */
/*
 * capture.h - what is kept of a stream of bytes: its beginning up to a limit, and its end.
 *
 * Layer: io. Thread: one at a time. Locks: none.
 * Invariant: adding never fails and never grows memory beyond the limit plus two tails; what cannot
 * be kept is counted as truncated.
 */
#ifndef TUTTI_IO_CAPTURE_H
#define TUTTI_IO_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUTTI__CAPTURE_TAIL_BYTES ((size_t)16 * 1024)

/* All zero but `limit` and `is_tail_only` is ready for use. */
struct tutti__capture {
    char *head;       /* the first `limit` bytes */
    size_t length;
    size_t capacity;
    uint64_t limit;
    bool is_tail_only; /* no head: a stream whose bytes somebody else gets; never truncated */
    bool truncated;   /* bytes beyond the limit have come */
    char *recent;     /* [2 tails] the last bytes, once `head` does not hold them all */
    size_t recent_length;
};

/* Take `length` bytes that have come. */
void tutti__capture_add(struct tutti__capture *c, const char *data, size_t length);

/**
 * The last bytes, at most TUTTI__CAPTURE_TAIL_BYTES.
 * Memory: borrowed from `c`, valid until the next add.
 */
const char *tutti__capture_tail(const struct tutti__capture *c, size_t *length);

void tutti__capture_deinit(struct tutti__capture *c);

#endif
