/* SPDX-License-Identifier: MIT */
/*
 * tap.h - what a C test needs to speak TAP: checks, a seed, a plan.
 *
 * One test program is one process: call TAP_BEGIN() first, check with OK, EQ_INT, EQ_UINT, EQ_STR
 * or EQ_PTR, and end main with `return TAP_END();`. Checks may be made from any thread: a line is
 * built in a buffer and written at once. A failed check goes on; REQUIRE stops the program.
 *
 * Layer: tests only; includes nothing of tutti.
 * Locks: none; two atomic counters.
 * Invariant: the plan printed at the end counts exactly the checks that ran, so a program that
 * dies early prints none and the runner calls it failed.
 */
#ifndef TUTTI_TESTS_SUPPORT_TAP_H
#define TUTTI_TESTS_SUPPORT_TAP_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__GNUC__)
#define TAP__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define TAP__UNUSED __attribute__((unused))
#else
#define TAP__PRINTF(fmt, args)
#define TAP__UNUSED
#endif

/* Relaxed is enough for both: they are only summed, and TAP_END runs after the test's own joins. */
static _Atomic unsigned tap__run_count;
static _Atomic unsigned tap__failed_count;
static uint64_t tap__seed_value;

/** Write one whole "ok"/"not ok" line. Thread: any. Returns: `pass`. */
TAP__UNUSED TAP__PRINTF(4, 5) static bool tap__check(bool pass, const char *file, int line,
                                                     const char *fmt, ...)
{
    char name[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    for (char *c = name; *c != '\0'; c++) { /* a check is one line, whatever the test prints */
        if (*c == '\n' || *c == '\r') {
            *c = ' ';
        }
    }
    unsigned n = atomic_fetch_add_explicit(&tap__run_count, 1, memory_order_relaxed) + 1;
    if (pass) {
        printf("ok %u - %s\n", n, name);
    } else {
        atomic_fetch_add_explicit(&tap__failed_count, 1, memory_order_relaxed);
        printf("not ok %u - %s\n#   at %s:%d\n", n, name, file, line);
    }
    return pass;
}

/** Check that two signed numbers are equal and show both when not. Thread: any. */
TAP__UNUSED static bool tap__eq_int(intmax_t got, intmax_t want, const char *text, const char *file,
                                    int line)
{
    if (got == want) {
        return tap__check(true, file, line, "%s", text);
    }
    return tap__check(false, file, line, "%s: got %" PRIdMAX ", want %" PRIdMAX, text, got, want);
}

/** As tap__eq_int, for unsigned numbers. Thread: any. */
TAP__UNUSED static bool tap__eq_uint(uintmax_t got, uintmax_t want, const char *text,
                                     const char *file, int line)
{
    if (got == want) {
        return tap__check(true, file, line, "%s", text);
    }
    return tap__check(false, file, line, "%s: got %" PRIuMAX ", want %" PRIuMAX, text, got, want);
}

/** Check that two strings are equal; NULL equals only NULL. Thread: any. */
TAP__UNUSED static bool tap__eq_str(const char *got, const char *want, const char *text,
                                    const char *file, int line)
{
    if (got == want || (got != NULL && want != NULL && strcmp(got, want) == 0)) {
        return tap__check(true, file, line, "%s", text);
    }
    return tap__check(false, file, line, "%s: got \"%s\", want \"%s\"", text,
                      got != NULL ? got : "(null)", want != NULL ? want : "(null)");
}

/** Stop the program after a failed check without which the rest makes no sense. */
TAP__UNUSED static void tap__require(bool pass)
{
    if (!pass) {
        printf("Bail out!\n");
        fflush(stdout);
        exit(1);
    }
}

/**
 * Choose the seed: TUTTI_SEED if set, else the clock; print it as `# seed N`.
 *
 * Thread:  main, before any other call.
 */
TAP__UNUSED static void tap__begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* what ran is known even when the test is killed */
    const char *given = getenv("TUTTI_SEED");
    if (given != NULL && *given != '\0') {
        char *end = NULL;
        errno = 0;
        tap__seed_value = strtoull(given, &end, 0);
        if (errno != 0 || *end != '\0') {
            fprintf(stderr, "TUTTI_SEED is not a number: %s\n", given);
            exit(2);
        }
    } else {
        struct timespec now;
        timespec_get(&now, TIME_UTC);
        tap__seed_value = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    printf("# seed %" PRIu64 "\n", tap__seed_value);
}

/** Print the plan. Returns: the exit status: 0 only when something ran and nothing failed. */
TAP__UNUSED static int tap__end(void)
{
    unsigned run = atomic_load_explicit(&tap__run_count, memory_order_relaxed);
    unsigned failed = atomic_load_explicit(&tap__failed_count, memory_order_relaxed);
    printf("1..%u\n", run);
    if (failed != 0) {
        printf("# %u of %u failed (TUTTI_SEED=%" PRIu64 ")\n", failed, run, tap__seed_value);
    }
    fflush(stdout);
    return run != 0 && failed == 0 ? 0 : 1;
}

/** The seed of this run. Thread: any, after TAP_BEGIN. */
TAP__UNUSED static uint64_t tap_seed(void)
{
    return tap__seed_value;
}

/** Step a generator (splitmix64). Args: `*state` - any start, e.g. tap_seed() + thread number. */
TAP__UNUSED static uint64_t tap_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** TUTTI_ROUNDS if set, else `normal`: how often a stress loop runs. */
TAP__UNUSED static unsigned long tap_rounds(unsigned long normal)
{
    const char *given = getenv("TUTTI_ROUNDS");
    return given != NULL && *given != '\0' ? strtoul(given, NULL, 0) : normal;
}

#define TAP_BEGIN() tap__begin()
#define TAP_END() tap__end()

/* The first variable argument is the printf format of the check's name; each macro is a bool. */
#define OK(cond, ...) tap__check((cond), __FILE__, __LINE__, __VA_ARGS__)
#define FAIL(...) tap__check(false, __FILE__, __LINE__, __VA_ARGS__)
#define NOTE(...) ((void)printf("# " __VA_ARGS__), (void)printf("\n"))
#define EQ_INT(got, want, text) tap__eq_int((got), (want), (text), __FILE__, __LINE__)
#define EQ_UINT(got, want, text) tap__eq_uint((got), (want), (text), __FILE__, __LINE__)
#define EQ_STR(got, want, text) tap__eq_str((got), (want), (text), __FILE__, __LINE__)
#define EQ_PTR(got, want, text)                                                                    \
    tap__check((const void *)(got) == (const void *)(want), __FILE__, __LINE__, "%s", (text))
#define REQUIRE(cond, ...) tap__require(OK(cond, __VA_ARGS__))

#endif /* TUTTI_TESTS_SUPPORT_TAP_H */
