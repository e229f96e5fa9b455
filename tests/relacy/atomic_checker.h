/* SPDX-License-Identifier: MIT */
/*
 * atomic_checker.h - the macros of base/atomic.h for Relacy, the model checker.
 *
 * Under TUTTI_CHECKER base/atomic.h includes this file in place of its own definitions, so that the very
 * files of the engine run in the model, compiled as C++. A type is left as it is: TUTTI_ATOMIC(T) is T,
 * so layouts, static assertions, zeroed memory and initialisers stay what they are in the engine; what
 * the model knows of a variable is found by its address (model.h).
 *
 * Each access carries its place (function, what it does, the text of the pointer), by which a test can
 * weaken it: see struct model_plant.
 *
 * Layer: tests only. Locks: none: simulated threads are fibers of one thread.
 */
#ifndef TUTTI_TESTS_RELACY_ATOMIC_CHECKER_H
#define TUTTI_TESTS_RELACY_ATOMIC_CHECKER_H

#include "model.h"

#define TUTTI_ATOMIC(type) type
#define TUTTI_SHARED(type) type

#define MODEL_SITE(kind, expr) (model_site{ __func__, kind, expr, RL_INFO })

#define TUTTI_GET(var) model_get(&(var), MODEL_SITE("get", #var))
#define TUTTI_SET(var, value) model_set(&(var), (value), MODEL_SITE("set", #var))

#define TUTTI_LOAD(ptr, order) model_load((ptr), rl::mo_##order, MODEL_SITE("load", #ptr))
#define TUTTI_STORE(ptr, value, order)                                                             \
    model_store((ptr), (value), rl::mo_##order, MODEL_SITE("store", #ptr))
#define TUTTI_EXCHANGE(ptr, value, order)                                                          \
    model_rmw<rl::rmw_type_swap>((ptr), (value), rl::mo_##order, MODEL_SITE("exchange", #ptr))
#define TUTTI_FETCH_ADD(ptr, value, order)                                                         \
    model_rmw<rl::rmw_type_add>((ptr), (value), rl::mo_##order, MODEL_SITE("add", #ptr))
#define TUTTI_FETCH_SUB(ptr, value, order)                                                         \
    model_rmw<rl::rmw_type_sub>((ptr), (value), rl::mo_##order, MODEL_SITE("sub", #ptr))
#define TUTTI_FETCH_OR(ptr, value, order)                                                          \
    model_rmw<rl::rmw_type_or>((ptr), (value), rl::mo_##order, MODEL_SITE("or", #ptr))
#define TUTTI_FETCH_AND(ptr, value, order)                                                         \
    model_rmw<rl::rmw_type_and>((ptr), (value), rl::mo_##order, MODEL_SITE("and", #ptr))
#define MODEL_CAS(ptr, expected, desired, weak, success, failure)                                  \
    model_cas<weak>((ptr), (expected), (desired), { rl::mo_##success, rl::mo_##failure },          \
                    MODEL_SITE("cas", #ptr))
#define TUTTI_CAS_WEAK(ptr, expected, desired, success, failure)                                   \
    MODEL_CAS(ptr, expected, desired, true, success, failure)
#define TUTTI_CAS_STRONG(ptr, expected, desired, success, failure)                                 \
    MODEL_CAS(ptr, expected, desired, false, success, failure)
#define TUTTI_FENCE(order) model_fence(rl::mo_##order, MODEL_SITE("fence", ""))

/* As base/fence.h. */
#define TUTTI_FENCE_LIGHT() model_fence_light(MODEL_SITE("fence", ""))
#define TUTTI_FENCE_HEAVY() model_fence_heavy(MODEL_SITE("fence", ""))

static inline void tutti__cpu_relax(void)
{
    rl::ctx().yield(1, RL_INFO);
}

/* What C11 has and C++ calls by another name. */
#define _Alignas alignas
#define _Static_assert static_assert
#define _Thread_local thread_local

#endif
