/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - the only way protocol files touch shared memory.
 *
 * The files of the protocols (deque, edges, park and wake, inbox, remote free, promise) keep to the
 * common subset of C11 and C++11 and use nothing but these macros, so that a model checker can
 * compile the very same files with its own definitions (TUTTI_CHECKER).
 *
 * Layer: base.
 */
#ifndef TUTTI_BASE_ATOMIC_H
#define TUTTI_BASE_ATOMIC_H

#ifdef TUTTI_CHECKER
#include "atomic_checker.h"
#else

#include <stdatomic.h>
#include <stdint.h>

#define TUTTI_ATOMIC(type) _Atomic(type)
/* Plain shared data that a protocol orders by its atomics; the checker looks for races on it. */
#define TUTTI_SHARED(type) type
#define TUTTI_GET(var) (var)
#define TUTTI_SET(var, value) ((var) = (value))

/* In a TUTTI_HARD build any access may be preceded by a yield, so that other threads get in between
 * two accesses far more often than they would. */
#ifdef TUTTI_HARD
void tutti__chaos(void);
#define TUTTI_CHAOS(access) (tutti__chaos(), (access))
#else
#define TUTTI_CHAOS(access) (access)
#endif

#define TUTTI_LOAD(ptr, order) TUTTI_CHAOS(atomic_load_explicit((ptr), memory_order_##order))
#define TUTTI_STORE(ptr, value, order)                                                             \
    TUTTI_CHAOS(atomic_store_explicit((ptr), (value), memory_order_##order))
#define TUTTI_EXCHANGE(ptr, value, order)                                                          \
    TUTTI_CHAOS(atomic_exchange_explicit((ptr), (value), memory_order_##order))
#define TUTTI_FETCH_ADD(ptr, value, order)                                                         \
    TUTTI_CHAOS(atomic_fetch_add_explicit((ptr), (value), memory_order_##order))
#define TUTTI_FETCH_SUB(ptr, value, order)                                                         \
    TUTTI_CHAOS(atomic_fetch_sub_explicit((ptr), (value), memory_order_##order))
#define TUTTI_FETCH_OR(ptr, value, order)                                                          \
    TUTTI_CHAOS(atomic_fetch_or_explicit((ptr), (value), memory_order_##order))
#define TUTTI_FETCH_AND(ptr, value, order)                                                         \
    TUTTI_CHAOS(atomic_fetch_and_explicit((ptr), (value), memory_order_##order))
#define TUTTI_CAS_WEAK(ptr, expected, desired, success, failure)                                   \
    TUTTI_CHAOS(atomic_compare_exchange_weak_explicit(                                             \
        (ptr), (expected), (desired), memory_order_##success, memory_order_##failure))
#define TUTTI_CAS_STRONG(ptr, expected, desired, success, failure)                                 \
    TUTTI_CHAOS(atomic_compare_exchange_strong_explicit(                                           \
        (ptr), (expected), (desired), memory_order_##success, memory_order_##failure))

#if defined(__SANITIZE_THREAD__)
#define TUTTI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TUTTI_TSAN 1
#endif
#endif

#ifdef TUTTI_TSAN
/* ThreadSanitizer does not know fences (gcc warns about each). Here they only order a store before a
 * later load (data is handed over by acquire and release on the variables themselves), so a locked
 * instruction on a variable of this thread does the same on the machines it runs on, and unlike one
 * on a shared variable it hides no race. */
static inline void tutti__tsan_fence(void)
{
    _Atomic(uint32_t) mine = 0;
    atomic_fetch_add_explicit(&mine, 1, memory_order_seq_cst);
}
#define TUTTI_FENCE(order) TUTTI_CHAOS(tutti__tsan_fence())
#else
#define TUTTI_FENCE(order) TUTTI_CHAOS(atomic_thread_fence(memory_order_##order))
#endif

/* Tell the CPU that this thread spins. */
static inline void tutti__cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
#endif
