/* SPDX-License-Identifier: MIT */
/* test_io_capture.c - what is kept of a stream: against a plain copy of all of it. */
#include <stddef.h>

#include "base/alloc.h"
#include "io/capture.h"
#include "support/tap.h"

enum { BYTES = 300000 };

static char all[BYTES];

/* Feed `total` bytes in random pieces and compare with what must be kept. */
static void check(uint64_t limit, size_t total, bool is_tail_only, uint64_t *state)
{
    struct tutti__capture c = { .limit = limit, .is_tail_only = is_tail_only };
    for (size_t at = 0; at < total;) {
        size_t piece = (size_t)(tap_random(state) % 40000) + 1;
        piece = piece < total - at ? piece : total - at;
        tutti__capture_add(&c, all + at, piece);
        at += piece;
    }
    size_t want = is_tail_only ? 0 : total < limit ? total : (size_t)limit;
    OK(c.length == want && (want == 0 || memcmp(c.head, all, want) == 0),
       "limit %d of %d bytes: the beginning is kept", (int)limit, (int)total);
    OK(c.truncated == (!is_tail_only && total > limit), "limit %d of %d bytes: truncated is true "
       "exactly when bytes were left out", (int)limit, (int)total);
    size_t tail_want = total < TUTTI__CAPTURE_TAIL_BYTES ? total : TUTTI__CAPTURE_TAIL_BYTES;
    size_t length = 0;
    const char *tail = tutti__capture_tail(&c, &length);
    OK(length == tail_want && (length == 0 || memcmp(tail, all + total - length, length) == 0),
       "limit %d of %d bytes: the tail is the end", (int)limit, (int)total);
    tutti__capture_deinit(&c);
}

static void test_out_of_memory(void)
{
    if (!tutti__alloc_fail_nth(1)) {
        NOTE("no failing allocations in this build");
        return;
    }
    struct tutti__capture c = { .limit = 100 };
    tutti__capture_add(&c, all, 10);
    OK(c.truncated && c.length == 0, "out of memory counts as truncated");
    size_t length = 0;
    const char *tail = tutti__capture_tail(&c, &length);
    OK(length == 10 && memcmp(tail, all, 10) == 0, "and the end is still kept");
    tutti__capture_deinit(&c);
}

int main(void)
{
    TAP_BEGIN();
    uint64_t state = tap_seed();
    for (size_t i = 0; i < BYTES; i++) {
        all[i] = (char)tap_random(&state);
    }
    static const uint64_t limits[] = { 0, 1, 1000, 16384, 16385, 100000, 1000000 };
    static const size_t totals[] = { 0, 1, 999, 1000, 1001, 16384, 40000, 299999 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (size_t k = 0; k < sizeof totals / sizeof *totals; k++) {
            check(limits[i], totals[k], false, &state);
        }
    }
    check(1000, 0, true, &state);
    check(1000, 70000, true, &state);
    test_out_of_memory();
    return TAP_END();
}
