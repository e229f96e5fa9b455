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

#define TUTTI_ATOMIC(type) _Atomic(type)
/* Plain shared data that a protocol orders by its atomics; the checker looks for races on it. */
#define TUTTI_SHARED(type) type
#define TUTTI_GET(var) (var)
#define TUTTI_SET(var, value) ((var) = (value))

#define TUTTI_LOAD(ptr, order) atomic_load_explicit((ptr), memory_order_##order)
#define TUTTI_STORE(ptr, value, order) atomic_store_explicit((ptr), (value), memory_order_##order)
#define TUTTI_EXCHANGE(ptr, value, order) atomic_exchange_explicit((ptr), (value), memory_order_##order)
#define TUTTI_FETCH_ADD(ptr, value, order) atomic_fetch_add_explicit((ptr), (value), memory_order_##order)
#define TUTTI_FETCH_SUB(ptr, value, order) atomic_fetch_sub_explicit((ptr), (value), memory_order_##order)
#define TUTTI_FETCH_OR(ptr, value, order) atomic_fetch_or_explicit((ptr), (value), memory_order_##order)
#define TUTTI_FETCH_AND(ptr, value, order) atomic_fetch_and_explicit((ptr), (value), memory_order_##order)
#define TUTTI_CAS_WEAK(ptr, expected, desired, success, failure)                                   \
    atomic_compare_exchange_weak_explicit((ptr), (expected), (desired), memory_order_##success,    \
                                          memory_order_##failure)
#define TUTTI_CAS_STRONG(ptr, expected, desired, success, failure)                                 \
    atomic_compare_exchange_strong_explicit((ptr), (expected), (desired), memory_order_##success,  \
                                            memory_order_##failure)
#define TUTTI_FENCE(order) atomic_thread_fence(memory_order_##order)

#endif
#endif
