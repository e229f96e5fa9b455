/* SPDX-License-Identifier: MIT */
/*
 * model.h - memory as Relacy sees it, found by address.
 *
 * Relacy's atomics are objects with a history. Here they live beside the engine's memory: the first
 * access to an address makes one, whose first value is what lies there and is seen by all threads, as
 * if it had been there before they began. Exceptions: memory that was allocated and never written may
 * only be stored to, and freed memory may not be touched at all. Memory that was overwritten by other
 * means (memset, an initialiser) is noticed by its value and begins anew.
 *
 * Layer: tests only. Locks: none. Compiled with -fno-access-control, because Relacy has no way to say
 * that a variable has a first value.
 * Invariant: the newest value of a variable also lies in its memory.
 */
#ifndef TUTTI_TESTS_RELACY_MODEL_H
#define TUTTI_TESTS_RELACY_MODEL_H

#include <setjmp.h>
#include <stdint.h>
#include <string.h>

/* Relacy's threads are fibers of one thread; when it changes from one to another, so must what the engine
 * keeps for each thread (model_thread_local). */
void model_switch();
#define _longjmp(to, value) (model_switch(), (_longjmp)((to), (value)))

/* relacy.hpp itself defines macros for new, malloc, errno and all of pthreads: only what we need. */
#include <relacy/base.hpp>
#include <relacy/context.hpp>
#include <relacy/context_base_impl.hpp>
#include <relacy/atomic_fence.hpp>
#include <relacy/atomic.hpp>
#include <relacy/var.hpp>
#include <relacy/thread_local.hpp>
#include <relacy/test_suite.hpp>
#include <relacy/dyn_thread.hpp>
#include <relacy/stdlib/mutex.hpp>
#include <relacy/stdlib/condition_variable.hpp>
#include <relacy/stdlib/semaphore.hpp>
#include <relacy/stdlib/event.hpp>
#undef $
#undef _longjmp

/* Where an access is made. */
struct model_site {
    const char *function;
    const char *kind; /* load store exchange add sub or and cas fence get set */
    const char *expr; /* the pointer, as it is written */
    rl::debug_info info;
};

enum model_weaken {
    MODEL_DROP,    /* a fence, a store or an exchange whose result is not used is left out */
    MODEL_ORDER,   /* another order; of an exchange that may fail, of its success */
    MODEL_FAILURE, /* another order of the failure */
    MODEL_TEAR,    /* a read-modify-write becomes a load and a store */
};

/* A bug that the checker must find. It names accesses; that none of them is met is a failure too, so a
 * protocol cannot move away from its plants unnoticed. */
struct model_plant {
    const char *function;
    const char *kind;
    const char *expr; /* a part of it; "" for any */
    model_weaken how;
    rl::memory_order order;
};

inline const model_plant *model_planted; /* NULL: none */
inline uint64_t model_plant_hits;

inline bool model_is_planted(const model_site &site, model_weaken how)
{
    const model_plant *plant = model_planted;
    if (plant == NULL || plant->how != how || strcmp(plant->kind, site.kind) != 0 ||
        strcmp(plant->function, site.function) != 0 || strstr(site.expr, plant->expr) == NULL) {
        return false;
    }
    model_plant_hits++;
    return true;
}

inline rl::memory_order model_order(rl::memory_order order, const model_site &site)
{
    return model_is_planted(site, MODEL_ORDER) ? model_planted->order : order;
}

/* ---- thread-local variables --------------------------------------------------------------- */

enum { MODEL_THREADS = 4, MODEL_LOCALS = 4 };

inline void **model_locals[MODEL_LOCALS]; /* all are pointers */
inline uint32_t model_local_count;
inline void *model_local_values[MODEL_THREADS][MODEL_LOCALS];
inline int model_thread; /* whose values are in place */

/* Keep one `local` for each simulated thread. Call before the first round. */
template <typename T> void model_thread_local(T **local)
{
    model_locals[model_local_count++] = (void **)local;
}

inline void model_become(int thread)
{
    for (uint32_t i = 0; i < model_local_count; i++) {
        model_local_values[model_thread][i] = *model_locals[i];
        *model_locals[i] = model_local_values[thread][i];
    }
    model_thread = thread;
}

inline void model_locals_clear()
{
    memset(model_local_values, 0, sizeof model_local_values);
    for (uint32_t i = 0; i < model_local_count; i++) {
        *model_locals[i] = NULL;
    }
}

inline void model_switch()
{
    if (rl::is_ctx() && rl::ctx().threadx_ != NULL && rl::ctx().threadx_->index_ != model_thread) {
        model_become(rl::ctx().threadx_->index_);
    }
}

/* ---- cells -------------------------------------------------------------------------------- */

enum model_kind { MODEL_EMPTY, MODEL_ATOMIC, MODEL_VAR, MODEL_MUTEX, MODEL_COND, MODEL_FREED };

/* What is known of one address. */
struct model_cell {
    uintptr_t address;
    model_kind kind;
    uint32_t bytes;
    alignas(16) char object[96];
};

enum { MODEL_CELLS = 1 << 12, MODEL_FRESH = 0xcc, MODEL_GONE = 0xee };

inline model_cell model_cells[MODEL_CELLS];
inline uint32_t model_used[MODEL_CELLS];
inline uint32_t model_used_count;

template <size_t bytes> struct model_word;
template <> struct model_word<1> { typedef uint8_t type; };
template <> struct model_word<4> { typedef uint32_t type; };
template <> struct model_word<8> { typedef uint64_t type; };

template <typename T> using model_bits = typename model_word<sizeof(T)>::type;
template <typename W> using model_atomic = rl::generic_atomic<W, false>;

template <typename T> model_bits<T> model_to_bits(T value)
{
    model_bits<T> bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

template <typename T> T model_from_bits(model_bits<T> bits)
{
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename W> bool model_is_all(W value, int byte)
{
    W all;
    memset(&all, byte, sizeof all);
    return sizeof all > 1 && value == all;
}

[[noreturn]] inline void model_fail(rl::test_result_e result, const char *text, const rl::debug_info &info)
{
    rl::ctx().fail_test(text, result, info);
    abort();
}

inline model_cell *model_cell_at(const volatile void *address)
{
    uintptr_t at = (uintptr_t)address;
    uint32_t i = (uint32_t)(((at >> 2) * UINT64_C(0x9e3779b97f4a7c15)) >> 52);
    while (model_cells[i].kind != MODEL_EMPTY && model_cells[i].address != at) {
        i = (i + 1) % MODEL_CELLS;
    }
    if (model_cells[i].kind == MODEL_EMPTY && model_cells[i].address != at) {
        if (model_used_count > MODEL_CELLS / 2) {
            abort(); /* the test is too large */
        }
        model_cells[i].address = at;
        model_used[model_used_count++] = i;
    }
    return &model_cells[i];
}

template <int threads> void model_unseen(rl::atomic_data *data, unsigned index)
{
    auto *of = static_cast<rl::atomic_data_impl<threads> *>(data);
    for (int i = 0; i < threads; i++) {
        of->history_[index].first_seen_order_[i] = (rl::timestamp_t)-1;
    }
}

/* Give `atomic` a first value that all threads see. */
template <typename W> void model_first_value(model_atomic<W> *atomic, W value)
{
    rl::context &c = rl::ctx();
    unsigned index = c.threadx_->atomic_init(atomic->impl_);
    switch (c.get_thread_count()) {
    case 2: model_unseen<2>(atomic->impl_, index); break;
    case 3: model_unseen<3>(atomic->impl_, index); break;
    case 4: model_unseen<4>(atomic->impl_, index); break;
    default: abort();
    }
    atomic->last_index_ = index;
    atomic->history_[index] = value;
    atomic->value_ = value;
    atomic->initialized_ = true;
}

inline void model_cell_clear(model_cell *cell)
{
    rl::context &c = rl::ctx();
    switch (cell->kind) {
    case MODEL_ATOMIC:
        if (cell->bytes == 8) {
            ((model_atomic<uint64_t> *)cell->object)->~model_atomic<uint64_t>();
        } else if (cell->bytes == 4) {
            ((model_atomic<uint32_t> *)cell->object)->~model_atomic<uint32_t>();
        } else {
            ((model_atomic<uint8_t> *)cell->object)->~model_atomic<uint8_t>();
        }
        break;
    case MODEL_VAR:
        ((rl::var<uint64_t> *)cell->object)->~var();
        break;
    case MODEL_MUTEX:
        c.mutex_dtor(*(rl::generic_mutex_data **)cell->object);
        break;
    case MODEL_COND:
        c.condvar_dtor(*(rl::condvar_data **)cell->object);
        break;
    default:
        break;
    }
    cell->kind = MODEL_FREED; /* keeps its place in the table */
}

/* Without looking at what is in them: the context that they belong to is gone. */
inline void model_forget_all()
{
    for (uint32_t i = 0; i < model_used_count; i++) {
        model_cells[model_used[i]].kind = MODEL_EMPTY;
        model_cells[model_used[i]].address = 0;
    }
    model_used_count = 0;
}

inline void model_clear_all()
{
    for (uint32_t i = 0; i < model_used_count; i++) {
        model_cell_clear(&model_cells[model_used[i]]);
    }
    model_forget_all();
}

template <typename W> void model_check_raw(W raw, bool is_store, const rl::debug_info &info)
{
    if (model_is_all(raw, MODEL_GONE)) {
        model_fail(rl::test_result_access_to_freed_memory, "freed", info);
    }
    if (!is_store && model_is_all(raw, MODEL_FRESH)) {
        model_fail(rl::test_result_unitialized_access, "allocated, never written", info);
    }
}

/* The model of the atomic at `ptr`. */
template <typename T>
model_atomic<model_bits<T>> *model_find(const T *ptr, bool is_store, const rl::debug_info &info)
{
    typedef model_bits<T> W;
    model_cell *cell = model_cell_at(ptr);
    auto *atomic = (model_atomic<W> *)cell->object;
    W raw = model_to_bits(*ptr);
    if (cell->kind == MODEL_ATOMIC && cell->bytes == sizeof(W) &&
        (!atomic->initialized_ || atomic->value_ == raw)) {
        return atomic;
    }
    model_check_raw(raw, is_store, info);
    if (cell->kind != MODEL_EMPTY) {
        model_cell_clear(cell);
    }
    static_assert(sizeof *atomic <= sizeof cell->object, "");
    ::new ((void *)atomic) model_atomic<W>();
    cell->kind = MODEL_ATOMIC;
    cell->bytes = sizeof(W);
    if (!model_is_all(raw, MODEL_FRESH)) {
        model_first_value<W>(atomic, raw);
    }
    return atomic;
}

/* ---- accesses ----------------------------------------------------------------------------- */

template <typename T> T model_load(const T *ptr, rl::memory_order order, const model_site &site)
{
    auto *atomic = model_find(ptr, false, site.info);
    return model_from_bits<T>(atomic->load(model_order(order, site), site.info));
}

template <typename T, typename V>
void model_store(T *ptr, V value, rl::memory_order order, const model_site &site)
{
    if (model_is_planted(site, MODEL_DROP)) {
        return;
    }
    auto *atomic = model_find(ptr, true, site.info);
    T wanted = (T)value;
    rl::memory_order as = model_order(order, site);
    /* The memory follows at once: a scheduling point lies before the store, none after it. */
    atomic->store(model_to_bits(wanted), as, site.info);
    *ptr = wanted;
}

template <rl::rmw_type_e type, typename T, typename V>
T model_rmw(T *ptr, V value, rl::memory_order order, const model_site &site)
{
    typedef model_bits<T> W;
    auto *atomic = model_find(ptr, false, site.info);
    W operand = model_to_bits((T)value);
    if (model_is_planted(site, MODEL_DROP)) {
        return model_from_bits<T>(atomic->load(rl::mo_relaxed, site.info));
    }
    W old;
    if (model_is_planted(site, MODEL_TEAR)) {
        old = atomic->load(rl::mo_seq_cst, site.info);
        atomic->store(rl::perform_rmw(rl::rmw_type_t<type>(), old, operand), rl::mo_seq_cst, site.info);
    } else {
        old = atomic->rmw(rl::rmw_type_t<type>(), operand, model_order(order, site), site.info);
    }
    *ptr = model_from_bits<T>(atomic->value_);
    return model_from_bits<T>(old);
}

struct model_orders {
    rl::memory_order success;
    rl::memory_order failure;
};

inline model_orders model_cas_orders(model_orders orders, const model_site &site)
{
    orders.success = model_order(orders.success, site);
    if (model_is_planted(site, MODEL_FAILURE)) {
        orders.failure = model_planted->order;
    }
    if (orders.success == rl::mo_relaxed || orders.success == rl::mo_release) {
        orders.failure = rl::mo_relaxed; /* Relacy, as C11, wants it no stronger */
    }
    return orders;
}

template <bool weak, typename T, typename V>
bool model_cas(T *ptr, T *expected, V desired, model_orders orders, const model_site &site)
{
    typedef model_bits<T> W;
    auto *atomic = model_find(ptr, false, site.info);
    W seen = model_to_bits(*expected);
    W wanted = model_to_bits((T)desired);
    bool won;
    if (model_is_planted(site, MODEL_TEAR)) {
        W now = atomic->load(rl::mo_seq_cst, site.info);
        won = now == seen;
        seen = now;
        if (won) {
            atomic->store(wanted, rl::mo_seq_cst, site.info);
        }
    } else {
        model_orders as = model_cas_orders(orders, site);
        won = atomic->compare_exchange(rl::bool_t<weak>(), seen, wanted, as.success, as.failure,
                                       site.info);
    }
    *ptr = model_from_bits<T>(atomic->value_);
    if (!won) {
        *expected = model_from_bits<T>(seen);
    }
    return won;
}

/* What C11 says of a seq_cst fence together with seq_cst accesses (7.17.3, 9 to 11), and Relacy leaves
 * out: this thread sees no value older than a seq_cst store before the fence, and seq_cst loads after the
 * fence see what this thread stored before it. */
template <int threads> void model_fence_of(rl::atomic_data *data, rl::thread_info_base *self)
{
    auto *of = static_cast<rl::atomic_data_impl<threads> *>(data);
    for (auto &record : of->history_) {
        if (!record.busy_) {
            continue;
        }
        if (record.thread_id_ == self->index_) {
            record.seq_cst_ = true;
        }
        rl::timestamp_t &seen = record.first_seen_order_[self->index_];
        if (record.seq_cst_ && seen == (rl::timestamp_t)-1) {
            seen = self->own_acq_rel_order_;
        }
    }
}

inline void model_fence_of_all()
{
    rl::context &c = rl::ctx();
    for (uint32_t i = 0; i < model_used_count; i++) {
        model_cell *cell = &model_cells[model_used[i]];
        if (cell->kind != MODEL_ATOMIC) {
            continue;
        }
        rl::atomic_data *data = cell->bytes == 8   ? ((model_atomic<uint64_t> *)cell->object)->impl_
                                : cell->bytes == 4 ? ((model_atomic<uint32_t> *)cell->object)->impl_
                                                   : ((model_atomic<uint8_t> *)cell->object)->impl_;
        switch (c.get_thread_count()) {
        case 2: model_fence_of<2>(data, c.threadx_); break;
        case 3: model_fence_of<3>(data, c.threadx_); break;
        case 4: model_fence_of<4>(data, c.threadx_); break;
        default: abort();
        }
    }
}

inline void model_fence(rl::memory_order order, const model_site &site)
{
    if (model_is_planted(site, MODEL_DROP)) {
        return;
    }
    order = model_order(order, site);
    rl::atomic_thread_fence(order, site.info);
    if (order == rl::mo_seq_cst) {
        model_fence_of_all();
    }
}

/* base/fence.h: where the system has membarrier, the light side costs nothing and the heavy one is as if
 * every thread had gone through a full fence at that moment. Elsewhere both are full fences. */
inline bool model_asymmetric;

inline void model_fence_light(const model_site &site)
{
    if (!model_asymmetric) {
        model_fence(rl::mo_seq_cst, site);
    }
}

inline void model_fence_heavy(const model_site &site)
{
    if (!model_asymmetric) {
        model_fence(rl::mo_seq_cst, site);
    } else if (!model_is_planted(site, MODEL_DROP)) {
        rl::ctx().sched();
        rl::systemwide_fence(site.info);
        model_fence_of_all();
    }
}

/* The model of the plain variable at `ptr`: accesses that nothing orders are a data race. */
template <typename T>
rl::var<uint64_t> *model_find_var(const T *ptr, bool is_store, const rl::debug_info &info)
{
    model_cell *cell = model_cell_at(ptr);
    auto *var = (rl::var<uint64_t> *)cell->object;
    model_bits<T> raw = model_to_bits(*ptr);
    if (cell->kind == MODEL_VAR && var->value_ == raw) {
        return var;
    }
    model_check_raw(raw, is_store, info);
    if (cell->kind != MODEL_EMPTY) {
        model_cell_clear(cell);
    }
    ::new ((void *)var) rl::var<uint64_t>();
    var->initialized_ = true;
    var->value_ = raw;
    cell->kind = MODEL_VAR;
    cell->bytes = sizeof *ptr;
    return var;
}

template <typename T> T model_get(const T *ptr, const model_site &site)
{
    return model_from_bits<T>((model_bits<T>)model_find_var(ptr, false, site.info)->load(site.info));
}

template <typename T, typename V> void model_set(T *ptr, V value, const model_site &site)
{
    T wanted = (T)value;
    model_find_var(ptr, true, site.info)->store(model_to_bits(wanted), site.info);
    *ptr = wanted;
}

#endif
