/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what memory.c asks of each system. Each is called in a process of its own.
 */
#ifndef TUTTI_TESTS_BENCH_MEMORY_H
#define TUTTI_TESTS_BENCH_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MEMORY_WAITING = 1000000, MEMORY_CAPTURE_BYTES = 32 };

struct memory_result {
    bool right;
    int64_t waiting_bytes; /* more resident than at the start while all tasks wait */
    int64_t left_bytes;    /* more than at the start after they have run; 0 where it is not asked for */
};

int64_t memory_resident_bytes(void);
void memory_onetbb_two(struct memory_result *out);

#ifdef __cplusplus
}
#endif
#endif
