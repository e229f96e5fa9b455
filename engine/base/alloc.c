/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - malloc and mmap behind one door.
 *
 * Layer: base. Locks: none.
 */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"

#ifdef TUTTI_DEBUG

/* Relaxed is enough for all: they are counters that no other data hangs on. */
static TUTTI_ATOMIC(uint64_t) fail_countdown; /* 0: none will fail */
static TUTTI_ATOMIC(uint64_t) fail_goes_on;   /* 1: the countdown stays at 1 */
static TUTTI_ATOMIC(uint64_t) failed_count;
static TUTTI_ATOMIC(uint64_t) live_count;

static bool must_fail(void)
{
    uint64_t left = TUTTI_LOAD(&fail_countdown, relaxed);
    while (left != 0) {
        bool stays = left == 1 && TUTTI_LOAD(&fail_goes_on, relaxed) != 0;
        if (TUTTI_CAS_WEAK(&fail_countdown, &left, stays ? 1 : left - 1, relaxed, relaxed)) {
            TUTTI_FETCH_ADD(&failed_count, left == 1 ? 1 : 0, relaxed);
            return left == 1;
        }
    }
    return false;
}

static void *counted(void *ptr)
{
    if (ptr != NULL) {
        TUTTI_FETCH_ADD(&live_count, 1, relaxed);
    }
    return ptr;
}

static void uncounted(const void *ptr)
{
    if (ptr != NULL) {
        TUTTI_FETCH_SUB(&live_count, 1, relaxed);
    }
}

static int fail(uint64_t nth, bool goes_on)
{
    TUTTI_STORE(&fail_countdown, 0, relaxed);
    TUTTI_STORE(&fail_goes_on, goes_on ? 1 : 0, relaxed);
    TUTTI_STORE(&failed_count, 0, relaxed);
    TUTTI_STORE(&fail_countdown, nth, relaxed);
    return 1;
}

int tutti__alloc_fail_nth(uint64_t nth)
{
    return fail(nth, false);
}

int tutti__alloc_fail_from(uint64_t nth)
{
    return fail(nth, true);
}

uint64_t tutti__alloc_failed(void)
{
    return TUTTI_LOAD(&failed_count, relaxed);
}

uint64_t tutti__alloc_live(void)
{
    return TUTTI_LOAD(&live_count, relaxed);
}

#else

static bool must_fail(void)
{
    return false;
}

static void *counted(void *ptr)
{
    return ptr;
}

static void uncounted(const void *ptr)
{
    (void)ptr;
}

int tutti__alloc_fail_nth(uint64_t nth)
{
    (void)nth;
    return 0;
}

int tutti__alloc_fail_from(uint64_t nth)
{
    (void)nth;
    return 0;
}

uint64_t tutti__alloc_failed(void)
{
    return 0;
}

uint64_t tutti__alloc_live(void)
{
    return 0;
}

#endif

void *tutti__alloc(size_t bytes)
{
    return must_fail() ? NULL : counted(malloc(bytes != 0 ? bytes : 1));
}

void *tutti__alloc_zero(size_t count, size_t bytes)
{
    return must_fail() ? NULL : counted(calloc(count != 0 ? count : 1, bytes != 0 ? bytes : 1));
}

void *tutti__alloc_aligned(size_t align, size_t bytes)
{
    void *ptr = NULL;
    if (must_fail() || posix_memalign(&ptr, align, bytes) != 0) {
        return NULL;
    }
    memset(ptr, 0, bytes);
    return counted(ptr);
}

void *tutti__realloc(void *ptr, size_t bytes)
{
    if (must_fail()) {
        return NULL;
    }
    void *moved = realloc(ptr, bytes != 0 ? bytes : 1);
    return ptr == NULL ? counted(moved) : moved;
}

void tutti__free(void *ptr)
{
    uncounted(ptr);
    free(ptr);
}

void *tutti__pages_new(size_t align, size_t bytes)
{
    if (must_fail()) {
        return NULL;
    }
    /* Map more than asked for and cut off what lies outside the aligned part. */
    size_t mapped_bytes = bytes + align;
    char *mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return NULL;
    }
    size_t before = (align - (uintptr_t)mapped % align) % align;
    if (before != 0) {
        munmap(mapped, before);
    }
    munmap(mapped + before + bytes, align - before);
    return counted(mapped + before);
}

void tutti__pages_free(void *pages, size_t bytes)
{
    uncounted(pages);
    munmap(pages, bytes);
}

void tutti__pages_prefer_huge(void *pages, size_t bytes)
{
    madvise(pages, bytes, MADV_HUGEPAGE);
}

void tutti__pages_discard(void *pages, size_t bytes)
{
    madvise(pages, bytes, MADV_DONTNEED);
}
