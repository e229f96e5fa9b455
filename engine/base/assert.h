/* SPDX-License-Identifier: MIT */
/*
 * assert.h - what must be true if the engine has no bug.
 *
 * TUTTI_ASSERT is checked in debug builds only and costs nothing elsewhere; TUTTI_ALWAYS is checked
 * in every build and is for slow paths. Neither is for failures of the world or misuse by the host.
 *
 * Layer: base. Locks: none.
 */
#ifndef TUTTI_BASE_ASSERT_H
#define TUTTI_BASE_ASSERT_H

#if defined(__GNUC__)
#define TUTTI_LIKELY(cond) __builtin_expect(!!(cond), 1)
#define TUTTI_UNLIKELY(cond) __builtin_expect(!!(cond), 0)
#define TUTTI_COLD __attribute__((noinline, cold))
/* For the few steps of every task's way, where the compiler's guess has been measured to be wrong. */
#define TUTTI_INLINE static inline __attribute__((always_inline))
#define TUTTI_NOINLINE __attribute__((noinline))
#else
#define TUTTI_LIKELY(cond) (cond)
#define TUTTI_UNLIKELY(cond) (cond)
#define TUTTI_COLD
#define TUTTI_INLINE static inline
#define TUTTI_NOINLINE
#endif

#if defined(__cplusplus)
extern "C" {
#endif

/* Print the failed condition with its place on stderr and abort. */
#if defined(__GNUC__)
__attribute__((noreturn, cold))
#endif
void tutti__assert_failed(const char *condition, const char *file, int line);

#if defined(__cplusplus)
}
#endif

#define TUTTI_ALWAYS(cond)                                                                         \
    (TUTTI_LIKELY(cond) ? (void)0 : tutti__assert_failed(#cond, __FILE__, __LINE__))

#ifdef TUTTI_DEBUG
#define TUTTI_ASSERT(cond) TUTTI_ALWAYS(cond)
#else
#define TUTTI_ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
